"""Measure the error and the cost of labels by pw.x, and write ``benchmarks/results/labels.json``.

The cells in ``label_cells.extxyz`` are random cells, hot liquids and near-crystals of campaigns, and a few larger ones.
Each group of variants changes one setting, and compares with a reference. For meshes, smearings and the protocols that
is a calculation with converged settings; for the others, which do not depend on the mesh, it is the same coarse mesh
with the tightest setting of the group. Errors are differences from the reference: of energies per atom, relative to
their mean over the cells, of forces, and of the pressure. Costs are CPU seconds. Results of single calculations are
kept in a folder, so an interrupted run continues; the converged ones, which take longest, come with the repository in
``results/label_references.json``. Run it from the repository root, on an idle machine; it takes hours::

    python benchmarks/labels.py --folder .labels
    python benchmarks/labels.py --folder .labels mesh smearing   # some groups
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import common
import numpy as np
import pw
import tables
from ase import Atoms
from ase.io import read

from aiida_anial.common.kpoints import SMALL_CELL
from aiida_anial.labellers.pw_inputs import MIXING_MODE
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.pseudopotential import CHARGE_DENSITY_CUTOFF_RY, WAVEFUNCTION_CUTOFF_RY

_HERE: Final = Path(__file__).parent
# Converged results by key, each as in the folder of results.
KNOWN: Final = _HERE / 'results' / 'label_references.json'
CELLS: Final = _HERE / 'label_cells.extxyz'
REFERENCE: Final = pw.Variant(
    pw.Mesh(atoms=1000, small=100, shifted=True),
    density=CHARGE_DENSITY_CUTOFF_RY / WAVEFUNCTION_CUTOFF_RY,
    conv_thr=1e-7,
    electrons={'mixing_mode': MIXING_MODE},
)
BASE: Final = pw.Variant(pw.Mesh(atoms=1000), degauss=0.05, conv_thr=1e-6)
# For settings whose effect does not depend on the mesh.
COARSE: Final = replace(BASE, mesh=pw.Mesh(atoms=250))

_SMALL: Final = 8
_LARGE: Final = 30


@dataclass(frozen=True)
class Group:
    """Variants of one setting.

    :param reference: what they are compared with.
    :param variants: by name.
    :param step: 1 for all cells of the size, 2 for every second, and so on.
    :param large: whether the cells are the large ones.
    """

    reference: pw.Variant
    variants: Mapping[str, pw.Variant]
    step: int = 1
    large: bool = False

    def chosen(self, cells: Sequence[Atoms]) -> list[Atoms]:
        """Return the cells of this group."""
        return [atoms for atoms in cells if (len(atoms) > _LARGE) == self.large][:: self.step]


def groups() -> dict[str, Group]:
    """Return the groups by name."""
    meshes = {
        'distance 0.35': pw.Mesh(distance=0.35),
        **{f'{n}': pw.Mesh(atoms=n) for n in (250, 500, 1000, 1500)},
        **{f'{n}, shifted': pw.Mesh(atoms=n, shifted=True) for n in (250, 500, 1000)},
        **{f'{n}, centred': pw.Mesh(atoms=n, centred=True) for n in (500, 1000)},
    }
    smearings = [('cold', 0.03), ('cold', 0.05), ('cold', 0.1), ('methfessel-paxton', 0.05)]
    electrons: dict[str, dict[str, Any]] = {
        **{f'mixing_beta {value:g}': {'mixing_beta': value} for value in (0.5, 0.7, 0.9)},
        'local-TF': {'mixing_mode': 'local-TF'},
        **{f'diagonalization {name}': {'diagonalization': name} for name in ('cg', 'paro')},
    }
    return {
        'mesh': Group(REFERENCE, _meshes(meshes), step=2),
        'small': Group(
            REFERENCE,
            {
                f'{n}': replace(BASE, mesh=pw.Mesh(atoms=n, small=SMALL_CELL), degauss=0.07)
                for n in (250, 500, 750, 1000)
            },
            step=2,
        ),
        'smearing': Group(
            REFERENCE, {f'{a} {b:g} Ry': replace(BASE, smearing=a, degauss=b) for a, b in smearings}, step=2
        ),
        'cutoff': _settings('wavefunctions', (12.0, 14.0, 16.0), 20.0, 'ecutwfc {:g} Ry'),
        'density': _settings('density', (2.5, 3.0, 3.5, 4.0), 8.0, 'ecutrho {:g} ecutwfc'),
        'conv_thr': _settings('conv_thr', (1e-4, 1e-5, 1e-6, 1e-8), 1e-10, 'conv_thr {:g}'),
        'electrons': Group(
            replace(COARSE, conv_thr=1e-10),
            {name: replace(COARSE, electrons=values) for name, values in electrons.items()},
            step=3,
        ),
        'bands': _settings('bands', (1.0, 1.1, 1.2, 1.4), 1.4, '{:g} times the bands'),
        # Errors with and without a shift have opposite signs, so this is more than the error of the reference.
        'check': Group(REFERENCE, {'500': replace(REFERENCE, mesh=pw.Mesh(atoms=500, small=100))}, step=3),
        'protocols': Group(REFERENCE, {name: of_protocol(name) for name in ('demo', 'laptop')}),
        'large': Group(
            REFERENCE,
            {'laptop': of_protocol('laptop'), 'distance 0.35': replace(BASE, mesh=meshes['distance 0.35'])},
            large=True,
        ),
    }


def of_protocol(name: str) -> pw.Variant:
    """Return the settings of a protocol."""
    qe = campaign_inputs(name).label.qe
    return pw.Variant(
        pw.Mesh(atoms=qe.kpoints_per_reciprocal_atom, small=SMALL_CELL),
        smearing=qe.smearing,
        degauss=qe.degauss_ry,
        wavefunctions=WAVEFUNCTION_CUTOFF_RY,
        density=CHARGE_DENSITY_CUTOFF_RY / WAVEFUNCTION_CUTOFF_RY,
        conv_thr=qe.conv_thr_ry,
        bands=None,
        electrons={'mixing_mode': MIXING_MODE},
    )


def _meshes(meshes: Mapping[str, pw.Mesh]) -> dict[str, pw.Variant]:
    return {name: replace(BASE, mesh=mesh) for name, mesh in meshes.items()}


def _settings(name: str, values: Sequence[float], tightest: float, title: str) -> Group:
    def with_value(value: float) -> pw.Variant:
        changed: dict[str, Any] = {name: value}
        return replace(COARSE, **changed)

    return Group(with_value(tightest), {title.format(value): with_value(value) for value in values}, step=3)


def errors(found: Mapping[int, pw.Result], exact: Mapping[int, pw.Result], cells: Sequence[Atoms]) -> dict[str, Any]:
    """Return the errors and costs of a variant over the cells that it and the reference have."""
    both = sorted(set(found) & set(exact))
    energies = np.array([(found[i].energy - exact[i].energy) / len(cells[i]) for i in both]) * 1e3
    energies -= energies.mean()
    forces = np.array([_rms(found[i].forces, exact[i].forces) for i in both])
    pressures = np.array([found[i].pressure - exact[i].pressure for i in both])
    small = np.array([len(cells[i]) <= _SMALL for i in both])
    return {
        'cells': len(both),
        'energy_median_mev_per_atom': float(np.median(np.abs(energies))),
        'energy_rms_mev_per_atom': float(np.sqrt(np.mean(energies**2))),
        'energy_max_mev_per_atom': float(np.abs(energies).max()),
        'energy_small_mev_per_atom': float(np.median(np.abs(energies[small]))) if small.any() else None,
        'force_median_ev_per_angstrom': float(np.median(forces)),
        'force_max_ev_per_angstrom': float(forces.max()),
        'force_small_ev_per_angstrom': float(np.median(forces[small])) if small.any() else None,
        'pressure_median_gpa': float(np.median(np.abs(pressures))),
        'cpu_s': float(np.sum([found[i].seconds for i in both])),
        'cpu_small_s': float(np.sum([found[i].seconds for i in both if len(cells[i]) <= _SMALL])),
        'iterations': float(np.mean([found[i].iterations for i in both])),
        'filled': sum(found[i].filled for i in both),
    }


def _rms(one: Any, other: Any) -> float:
    return float(np.sqrt(np.mean((np.asarray(one) - np.asarray(other)) ** 2)))


def _one(task: tuple[int, Atoms, pw.Variant, Path]) -> tuple[int, pw.Result | None]:
    index, atoms, variant, folder = task
    try:
        return index, pw.calculated(atoms, variant, folder)
    except RuntimeError as exception:
        print(f'cell {index}: {exception}', file=sys.stderr)
        return index, None


def calculate(
    cells: Sequence[Atoms], variant: pw.Variant, folder: Path, pool: ProcessPoolExecutor
) -> dict[int, pw.Result]:
    """Return the results of a variant by cell, without the cells on which pw.x failed."""
    # The largest first, so that no core waits long for the last one.
    order = sorted(range(len(cells)), key=lambda index: -len(cells[index]))
    found = pool.map(_one, [(index, cells[index], variant, folder) for index in order])
    return {index: result for index, result in found if result is not None}


def rows(group: Group, cells: Sequence[Atoms], folder: Path, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Return the errors and costs of each variant of a group by name."""
    chosen = group.chosen(cells)
    exact = calculate(chosen, group.reference, folder, pool)
    found = {}
    for name, variant in group.variants.items():
        found[name] = errors(calculate(chosen, variant, folder, pool), exact, chosen)
        print(name, found[name], flush=True)
    return found


def take_known(folder: Path) -> None:
    """Copy the converged results of the repository to the folder of results."""
    for name, result in json.loads(KNOWN.read_text()).items():
        (folder / f'{name}.json').write_text(json.dumps(result))


def keep_known(cells: Sequence[Atoms], folder: Path) -> None:
    """Copy the converged results in the folder to the repository."""
    keys = [pw.key(atoms, REFERENCE) for atoms in cells]
    paths = {name: folder / f'{name}.json' for name in keys}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    KNOWN.write_text(json.dumps(found) + '\n')


def main(arguments: Sequence[str] | None = None) -> int:
    """Calculate the variants of some groups, and store their errors and costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('groups', nargs='*', default=list(groups()), help=f'of {", ".join(groups())}')
    parser.add_argument('--folder', type=Path, required=True, help='where results of single calculations are kept')
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    take_known(given.folder)
    cells = read(CELLS, index=':')
    stored = dict(tables.LABELS.read())
    with ProcessPoolExecutor(2) as pool:
        for name in given.groups:
            stored[name] = rows(groups()[name], cells, given.folder, pool)
            common.write_json(tables.LABELS.file, stored)
            keep_known(cells, given.folder)
    tables.LABELS.write()
    return 0


if __name__ == '__main__':
    sys.exit(main())
