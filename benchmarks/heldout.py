"""Configurations of 31 to 36 atoms on which no campaign was trained: crystals, strained, defective and liquid.

Labelled by pw.x with converged settings, twelve of them from dynamics on ASE's EMT tell the errors of a potential. The
labels take three hours of one core. Run it from the repository root::

    python benchmarks/heldout.py heldout.extxyz --folder .labels
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import labels
import numpy as np
import pw
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.langevin import Langevin
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells

__all__ = ('SETTINGS', 'heldout_cells')

# Perfect crystals in cells of this size lie within 0.5 meV/atom of dense meshes, FCC, HCP and BCC alike. With the mesh
# and the smearing of `labels.REFERENCE` they lie 3.5 meV/atom below (FCC) to 1.6 above (BCC); the smearing itself moves
# HCP by 0.2 meV/atom from FCC.
SETTINGS: Final = replace(
    labels.REFERENCE, mesh=pw.Mesh(atoms=1000, small=200, shifted=True), degauss=0.05, conv_thr=1e-6
)

_STEP_FS: Final = 2.0
_FRICTION_PER_FS: Final = 0.002
_LIQUIDS: Final = ((1000.0, 1.02), (1500.0, 1.04), (2000.0, 1.06))


def heldout_cells(calculator: Calculator) -> Cells:
    """Return twelve configurations from dynamics on a potential; they depend only on it."""
    found = list(_configurations(calculator))
    return Cells.from_lists([one.positions for one in found], [one.cell.array for one in found], species=13)


def _configurations(calculator: Calculator) -> Iterator[Atoms]:
    fcc = bulk('Al', 'fcc', a=4.05, cubic=True) * (2, 2, 2)
    for temperature in (300.0, 600.0, 900.0):
        yield _moved(fcc, calculator, temperature)
    yield _moved(_strained(fcc, 0.95 * np.eye(3)), calculator, 600.0)
    yield _moved(_strained(fcc, np.diag([1.05, 1.0, 0.97])), calculator, 300.0)
    yield _moved(_strained(fcc, np.array([[1.0, 0.06, 0.0], [0.06, 1.0, 0.0], [0.0, 0.0, 1.0]])), calculator, 300.0)
    vacancy = fcc.copy()
    del vacancy[3]
    yield _moved(vacancy, calculator, 700.0)
    hot = _moved(fcc, calculator, 4000.0)
    for temperature, scale in _LIQUIDS:
        yield _moved(_strained(hot, scale * np.eye(3)), calculator, temperature, ps=2.0)
    yield _moved(bulk('Al', 'hcp', a=2.86, c=4.7) * (3, 3, 2), calculator, 300.0)
    yield _moved(bulk('Al', 'bcc', a=3.24, cubic=True) * (3, 3, 2), calculator, 300.0)


def _strained(atoms: Atoms, deformation: NDArray[np.float64]) -> Atoms:
    strained = atoms.copy()
    strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return strained


def _moved(atoms: Atoms, calculator: Calculator, temperature: float, *, ps: float = 1.0) -> Atoms:
    """Return the configuration after some dynamics at a temperature in K."""
    moving = atoms.copy()
    moving.calc = calculator
    generator = np.random.default_rng(len(atoms) + round(temperature))
    widths = np.sqrt(units.kB * temperature / moving.get_masses())[:, None]
    moving.set_velocities(generator.normal(size=(len(moving), 3)) * widths)
    dynamics = Langevin(
        moving,
        _STEP_FS * units.fs,
        temperature_K=temperature,
        friction=_FRICTION_PER_FS / units.fs,
        rng=generator,
        fixcm=False,
    )
    dynamics.run(round(1000 * ps / _STEP_FS))
    moving.calc = None
    return moving


def main(arguments: Sequence[str] | None = None) -> int:
    """Label the configurations from dynamics on EMT, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('output', type=Path, help='file in the format extxyz')
    parser.add_argument('--folder', type=Path, required=True, help='where results of single calculations are kept')
    parser.add_argument('--processes', type=int, default=2, help='pw.x at a time; default: 2')
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    configurations = [
        Atoms(species, positions=positions, cell=lattice, pbc=True)
        for positions, lattice, species in heldout_cells(EMT()).configurations()
    ]
    with ProcessPoolExecutor(given.processes) as pool:
        found = labels.calculate(configurations, SETTINGS, given.folder, pool)
    for index, result in found.items():
        atoms = configurations[index]
        assert result.stress is not None
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=result.energy,
            forces=result.forces,
            stress=full_3x3_to_voigt_6_stress(np.array(result.stress)),
        )
    write(given.output, [configurations[index] for index in sorted(found)], format='extxyz')
    return 0


if __name__ == '__main__':
    sys.exit(main())
