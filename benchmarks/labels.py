"""Measure the error and the cost of labels by pw.x, and write ``benchmarks/results/labels.json``.

The cells in ``label_cells.extxyz`` are those of a campaign: random cells, hot liquids and near-crystals. Each is
calculated with converged settings, and with variants of one setting at a time. The error of a variant is the difference
from the converged result: of energies per atom, relative to their mean over the cells, of forces, and of the pressure.
The costs are CPU seconds. Results of single calculations are kept in a folder, so an interrupted run continues. Run it
from the repository root, on an idle machine; it takes hours::

    python benchmarks/labels.py --folder .labels
    python benchmarks/labels.py --folder .labels mesh smearing   # some groups of variants
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pw
from ase import Atoms
from ase.io import read

CELLS: Final = Path(__file__).with_name('label_cells.extxyz')
# The converged settings; large cells need no finer mesh than this product of k-points and atoms.
REFERENCE: Final = pw.Variant(pw.Mesh(distance=0.14, shifted=True), conv_thr=1e-8)
BASE: Final = pw.Variant(pw.Mesh(distance=0.20), degauss=0.05, conv_thr=1e-6)

_DISTANCES: Final = (0.50, 0.35, 0.25, 0.20)
_PRODUCTS: Final = (250, 500, 1000, 1500, 2000)


def variants() -> dict[str, dict[str, pw.Variant]]:
    """Return the variants by group and name."""
    meshes = {
        f'{name}{kind}': replace(mesh, centred=centred, shifted=shifted)
        for kind, centred, shifted in (
            ('', False, False),
            (', shifted', False, True),
            (', centred', True, False),
            (', centred and shifted', True, True),
        )
        for name, mesh in {
            **{f'distance {value:g}': pw.Mesh(distance=value) for value in _DISTANCES if not centred},
            **{f'k-points x atoms {value}': pw.Mesh(atoms=value) for value in _PRODUCTS},
        }.items()
    }
    base = BASE
    return {
        'mesh': {name: replace(base, mesh=mesh) for name, mesh in meshes.items()},
        'smearing': {
            f'{name} {value:g} Ry': replace(base, smearing=name, degauss=value)
            for name, widths in (
                ('cold', (0.02, 0.03, 0.05, 0.07)),
                ('methfessel-paxton', (0.03, 0.05, 0.07)),
                ('gaussian', (0.02, 0.05)),
            )
            for value in widths
        },
        'cutoff': {f'ecutwfc {value:g} Ry': replace(base, wavefunctions=value) for value in (12.0, 14.0, 16.0, 20.0)},
        'density': {f'ecutrho {value:g} ecutwfc': replace(base, density=value) for value in (2.5, 3.0, 3.5, 4.0)},
        'conv_thr': {f'conv_thr {value:g}': replace(base, conv_thr=value) for value in (1e-4, 1e-5, 1e-6, 1e-8)},
        'electrons': {
            **{
                f'mixing_beta {value:g}': replace(base, electrons={'mixing_beta': value})
                for value in (0.3, 0.5, 0.7, 0.9)
            },
            'local-TF': replace(base, electrons={'mixing_mode': 'local-TF'}),
            **{name: replace(base, electrons={'diagonalization': name}) for name in ('cg', 'paro', 'ppcg')},
        },
        'bands': {f'{value:g} times the bands': replace(base, bands=value) for value in (1.0, 1.1, 1.2, 1.4)},
    }


def errors(found: Mapping[int, pw.Result], exact: Mapping[int, pw.Result], cells: Sequence[Atoms]) -> dict[str, Any]:
    """Return the errors and costs of a variant over the cells that it and the reference have."""
    both = sorted(set(found) & set(exact))
    energies = np.array([(found[i].energy - exact[i].energy) / len(cells[i]) for i in both]) * 1e3
    energies -= energies.mean()
    forces = np.array([_rms(found[i].forces, exact[i].forces) for i in both])
    pressures = np.array([found[i].pressure - exact[i].pressure for i in both])
    return {
        'cells': len(both),
        'energy_median_mev_per_atom': float(np.median(np.abs(energies))),
        'energy_rms_mev_per_atom': float(np.sqrt(np.mean(energies**2))),
        'energy_max_mev_per_atom': float(np.abs(energies).max()),
        'force_median_ev_per_angstrom': float(np.median(forces)),
        'force_max_ev_per_angstrom': float(forces.max()),
        'pressure_median_gpa': float(np.median(np.abs(pressures))),
        'cpu_s': float(np.sum([found[i].seconds for i in both])),
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Calculate the cells with the variants of some groups, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('groups', nargs='*', default=list(variants()), help=f'of {", ".join(variants())}')
    parser.add_argument('--folder', type=Path, required=True, help='where results of single calculations are kept')
    parser.add_argument('--cells', type=Path, default=CELLS, help='file of the cells')
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    cells = read(given.cells, index=':')
    with ProcessPoolExecutor(2) as pool:
        exact = calculate(cells, REFERENCE, given.folder, pool)
        for group in given.groups:
            for name, variant in variants()[group].items():
                row = errors(calculate(cells, variant, given.folder, pool), exact, cells)
                print(group, name, row, flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
