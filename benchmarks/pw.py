"""Run pw.x on one cell with given settings, and keep the results in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from ase import Atoms, units
from ase.io import read
from ase.io.espresso import write_espresso_in
from numpy.typing import NDArray

from aiida_anial.common.kpoints import mesh_of_density
from aiida_anial.labellers.pw_inputs import namelists_with_bands
from aiida_anial.pseudopotential import AL_PBE_UPF

# Occupation above which aiida-quantumespresso repeats a calculation with more bands.
_OCCUPIED: Final = 0.005


@dataclass(frozen=True)
class Mesh:
    """A rule that gives each cell its k-points.

    :param distance: largest distance between k-points along each axis, in 1/angstrom.
    :param atoms: instead, smallest product of k-points and atoms; divisions are in proportion to reciprocal lengths.
    :param small: cells of fewer atoms have more k-points, in inverse proportion to their atoms.
    :param centred: whether the mesh is body-centred, which is the simplest generalised regular mesh: it has another
        k-point in the middle of each eight (Morgan et al., Comput. Mater. Sci. 173, 109340 (2020)).
    :param shifted: whether the mesh is shifted so that Gamma is farthest from its points.
    """

    distance: float | None = None
    atoms: int | None = None
    small: int = 1
    centred: bool = False
    shifted: bool = False

    def divisions(self, atoms: Atoms) -> tuple[int, int, int]:
        """Return the divisions along the axes."""
        lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
        if self.distance is not None:
            return _divisions(lengths, self.distance)
        assert self.atoms is not None
        density = self.atoms * max(1.0, self.small / len(atoms)) / (2 if self.centred else 1)
        return mesh_of_density(np.array(atoms.cell), len(atoms), density)

    def card(self, atoms: Atoms) -> str:
        """Return the card ``K_POINTS``.

        :raises ValueError: if the mesh is centred and shifted, or centred and the cell not orthorhombic.
        """
        divisions = np.array(self.divisions(atoms))
        if not self.centred:
            return f'K_POINTS automatic\n{" ".join(map(str, [*divisions, *[int(self.shifted)] * 3]))}'
        if self.shifted or not np.allclose(atoms.cell, np.diag(atoms.cell.lengths())):
            raise ValueError('a centred mesh needs an orthorhombic cell and no shift')
        grid = np.stack(np.meshgrid(*map(np.arange, divisions), indexing='ij'), axis=-1).reshape(-1, 3)
        # In halves of a division, so that points compare exactly.
        points = np.concatenate([2 * grid, 2 * grid + 1])
        # pw.x adds the images under the symmetry of the lattice: it needs one point of each set.
        period = 2 * divisions
        reduced = np.minimum(points % period, -points % period)
        unique, weights = np.unique(reduced, axis=0, return_counts=True)
        lines = [' '.join(f'{x:.12f}' for x in one / period) + f' {n}' for one, n in zip(unique, weights, strict=True)]
        return '\n'.join(['K_POINTS crystal', str(len(lines)), *lines])


def _divisions(lengths: NDArray[np.float64], distance: float) -> tuple[int, int, int]:
    one, two, three = (max(int(np.ceil(length / distance - 1e-9)), 1) for length in lengths)
    return one, two, three


@dataclass(frozen=True)
class Variant:
    """Settings of pw.x.

    :param mesh: rule of the k-points.
    :param degauss: smearing in Ry.
    :param wavefunctions: cutoff of the wavefunctions in Ry.
    :param density: cutoff of the density as a multiple of that.
    :param conv_thr: threshold of self-consistency in Ry.
    :param bands: bands as a multiple of pw.x' own choice; None for those of campaigns.
    :param electrons: further keywords of the namelist ``electrons``.
    """

    mesh: Mesh
    smearing: str = 'cold'
    degauss: float = 0.02
    wavefunctions: float = 16.0
    density: float = 4.0
    conv_thr: float = 1e-8
    bands: float | None = 1.0
    electrons: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What pw.x gives for a cell.

    :param energy: free energy in eV.
    :param forces: ``[n][3]`` in eV/angstrom.
    :param pressure: in GPa.
    :param seconds: CPU time.
    :param points: irreducible k-points.
    :param iterations: steps to self-consistency.
    :param filled: whether the highest band is occupied somewhere, so that a work chain would repeat the calculation.
    :param stress: ``[3][3]`` in eV/angstrom^3; None in results of before it was kept.
    """

    energy: float
    forces: list[list[float]]
    pressure: float
    seconds: float
    points: int
    iterations: int
    filled: bool
    stress: list[list[float]] | None = None


def calculated(atoms: Atoms, variant: Variant, folder: Path) -> Result:
    """Return the result for a cell, from ``folder`` if it is known.

    :raises RuntimeError: if pw.x fails.
    """
    path = folder / f'{key(atoms, variant)}.json'
    if not path.exists():
        partial = path.with_suffix('.partial')
        partial.write_text(json.dumps(asdict(_calculate(atoms, variant))))
        partial.replace(path)
    return Result(**json.loads(path.read_text()))


def key(atoms: Atoms, variant: Variant) -> str:
    """Return the name under which the result for a cell is kept."""
    content = json.dumps([asdict(variant), atoms.cell.tolist(), atoms.positions.tolist()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def _calculate(atoms: Atoms, variant: Variant) -> Result:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (folder / 'pw.in').open('w') as stream:
            written = StringIO()
            write_espresso_in(written, atoms, _namelists(atoms, variant), {'Al': AL_PBE_UPF.name}, kpts=None)
            stream.write(written.getvalue().replace('K_POINTS gamma', variant.mesh.card(atoms)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with (folder / 'pw.out').open('w') as output:
            environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
            subprocess.run(
                ['pw.x', '-in', 'pw.in'],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = (folder / 'pw.out').read_text()
        if 'JOB DONE' not in text or 'convergence NOT' in text:
            raise RuntimeError(f'pw.x failed on {atoms.get_chemical_formula()}:\n{text[-1500:]}')
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return _read(folder / 'pw.out', text, seconds)


def _namelists(atoms: Atoms, variant: Variant) -> dict[str, dict[str, Any]]:
    system = {
        'ecutwfc': variant.wavefunctions,
        'ecutrho': variant.wavefunctions * variant.density,
        'occupations': 'smearing',
        'smearing': variant.smearing,
        'degauss': variant.degauss,
    }
    if variant.bands is None:
        system |= namelists_with_bands({}, 3 * len(atoms))['SYSTEM']
    elif variant.bands != 1.0:
        system['nbnd'] = int(np.ceil(variant.bands * max(1.2 * 1.5 * len(atoms), 1.5 * len(atoms) + 4)))
    return {
        'control': {
            'calculation': 'scf',
            'tprnfor': True,
            'tstress': True,
            'verbosity': 'high',
            'disk_io': 'none',
            'pseudo_dir': str(AL_PBE_UPF.parent),
        },
        'system': system,
        'electrons': {'conv_thr': variant.conv_thr, **variant.electrons},
    }


def _read(path: Path, text: str, seconds: float) -> Result:
    atoms: Any = read(path, format='espresso-out')
    # One block for each k-point, ended by an empty line.
    blocks = text.split('occupation numbers')[1:]
    highest = max(float(block.split('\n\n')[0].split()[-1]) for block in blocks)
    stress = atoms.get_stress(voigt=False)
    return Result(
        energy=float(atoms.get_potential_energy()),
        forces=atoms.get_forces(apply_constraint=False).tolist(),
        pressure=float(-stress.trace() / 3 / units.GPa),
        seconds=seconds,
        points=int(text.split('number of k points=')[1].split(maxsplit=1)[0]),
        iterations=int(text.rsplit('convergence has been achieved in', maxsplit=1)[-1].split(maxsplit=1)[0]),
        filled=highest > _OCCUPIED,
        stress=stress.tolist(),
    )
