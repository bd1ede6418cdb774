"""Checks whether a foreign dataset can be in the units in which it is read.

Absolute energies tell nothing, because they depend on the pseudopotential. But forces, stresses and energy differences
of aluminium are roughly known: in strained crystals, melts and random cells, ASE's effective medium theory agrees with
PBE within a factor of about four in all of them, and better in forces (1.3 to 1.9 times, direction cosine above 0.99).
A wrong unit changes numbers by a factor of ten or more, and a wrong sign shows in the cosine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from numpy.typing import NDArray

from aiida_anial.common.cells import ALUMINIUM, Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.neighbours import neighbour_lists

__all__ = ('ENERGY_UNITS', 'implausible_labels', 'implausible_lengths')

Values = NDArray[np.float64]

ENERGY_UNITS = {'eV': 1.0, 'hartree': float(units.Hartree), 'Ry': float(units.Rydberg)}

# Configurations of a dataset that are checked.
_SAMPLE = 32

# Distance to the nearest neighbour, median over atoms: 1.9 to 3.1 angstrom from random cells to expanded crystals.
_NEAREST = (1.6, 3.4)
_MAX_VOLUME_PER_ATOM = 45.0
# Search radius in cube roots of the volume per atom; in close packing, the nearest atom is 1.12 away.
_REACH = 1.6

_CLEAR_COSINE = 0.9
_MIN_ENERGIES = 8

_ALL_ENERGIES = ENERGY_UNITS | {'kcal/mol': units.kcal / units.mol, 'kJ/mol': units.kJ / units.mol, 'meV': 1e-3}
_ATOMIC = ('hartree', 'Ry')


@dataclass(frozen=True)
class _Quantity:
    """Plausible values of one kind of label, relative to effective medium theory (EMT).

    :param usual: typical ratio to EMT.
    :param plausible: limits of the ratio.
    :param floor: smallest root mean square by EMT that allows a comparison, in eV and angstrom: the lattice constant of
        EMT is 1 % smaller than that of PBE.
    :param ceiling: root mean square that no label exceeds, in eV and angstrom.
    :param units: value of each possible unit, in eV and angstrom.
    """

    usual: float
    plausible: tuple[float, float]
    floor: float
    ceiling: float
    units: dict[str, float]


_FORCES = {f'{unit}/angstrom': value for unit, value in _ALL_ENERGIES.items()}
_FORCES |= {f'{unit}/bohr': ENERGY_UNITS[unit] / units.Bohr for unit in _ATOMIC}
# Forces are right where energies are not, so energies were probably converted where there was no need.
_ENERGIES = {name: value for name, value in _ALL_ENERGIES.items() if name != 'kcal/mol'}
_ENERGIES |= {'kcal/mol, or eV converted as if from hartree,': units.kcal / units.mol}
_STRESSES = {f'{unit}/angstrom^3': value for unit, value in ENERGY_UNITS.items()}
_STRESSES |= {f'{unit}/bohr^3': ENERGY_UNITS[unit] / units.Bohr**3 for unit in _ATOMIC}
_STRESSES |= {'GPa': units.GPa, 'kbar': 0.1 * units.GPa}

_QUANTITIES = {
    'forces': _Quantity(usual=1.5, plausible=(0.25, 6.0), floor=0.02, ceiling=50.0, units=_FORCES),
    'stress': _Quantity(usual=2.4, plausible=(0.1, 30.0), floor=0.04, ceiling=1.0, units=_STRESSES),
    'energy': _Quantity(usual=2.0, plausible=(0.5, 12.0), floor=0.02, ceiling=5.0, units=_ENERGIES),
}


def implausible_lengths(cells: Cells) -> str | None:
    """Return why the distances of neighbours are not those of aluminium in angstrom, or None if they are plausible."""
    sample = cells.select(_sampled(cells))
    if not len(sample):
        return None
    volume = float(np.median(sample.volumes / sample.n_atoms))
    nearest = float(np.median([_nearest(sample.select([index])) for index in range(len(sample))]))
    found = f'nearest neighbours are {nearest:.2f} angstrom apart, and an atom has {volume:.3g} angstrom^3'
    if nearest < _NEAREST[1] / 10:
        return f'positions: look like nm ({found})'
    if nearest < _NEAREST[0]:
        return f'positions: look as if bohr had been converted twice ({found})'
    if nearest > _NEAREST[1] and volume > _MAX_VOLUME_PER_ATOM:
        return f'positions: look like bohr ({found})'
    return None


def implausible_labels(labelled: LabelledCells, *, energy_unit: str) -> str | None:
    """Return why the labels are not those of aluminium in eV and angstrom, or None if they are plausible.

    Also None if nothing can be decided, such as for forces in perfect crystals or cells with other elements.

    :param energy_unit: unit of energy in which the file was read, one of ``ENERGY_UNITS``.
    """
    chosen = _sampled(labelled.cells).tolist()
    if not chosen:
        return None
    rough = [_rough_labels(*labelled.cells.one(index)) for index in chosen]
    energies = np.array([labelled.energies[index] / labelled.cells.n_atoms[index] for index in chosen])
    rough_energies = np.array([energy for energy, _, _ in rough])
    # Only energy differences have a meaning, and a few of them may agree by chance.
    differences = (energies - energies.mean(), rough_energies - rough_energies.mean())
    pairs = {
        'forces': [(labelled.forces_of(index), forces) for index, (_, forces, _) in zip(chosen, rough, strict=True)],
        'stress': [(labelled.stresses[index], stress) for index, (_, _, stress) in zip(chosen, rough, strict=True)],
        'energy': [differences] if len(chosen) >= _MIN_ENERGIES else [],
    }
    faults = (_fault(name, values, read_as=ENERGY_UNITS[energy_unit]) for name, values in pairs.items())
    return next((fault for fault in faults if fault is not None), None)


def _sampled(cells: Cells) -> NDArray[np.int64]:
    """Return the indices of cells evenly spread among those of pure aluminium, whose labels are roughly known."""
    pure = np.flatnonzero(np.logical_and.reduceat(cells.species == ALUMINIUM, cells.offsets[:-1]))
    return pure[np.unique(np.linspace(0, len(pure) - 1, _SAMPLE).round().astype(np.int64))] if len(pure) else pure


def _nearest(cell: Cells) -> float:
    """Return the median over the atoms of a cell of the distance to the nearest other atom or image, in angstrom."""
    # A cutoff that scales with the cell finds the nearest atoms in any unit.
    cutoff = _REACH * float(cell.volumes[0] / cell.n_atoms[0]) ** (1 / 3)
    (pairs,) = neighbour_lists(cell, cutoff=cutoff)
    least = np.full(len(cell.positions), cutoff)
    np.minimum.at(least, pairs.centre, np.linalg.norm(pairs.vectors(cell.positions), axis=1))
    return float(np.median(least))


def _rough_labels(positions: Values, lattice: Values) -> tuple[float, Values, Values]:
    """Return energy (eV/atom), forces (eV/angstrom) and stress (eV/angstrom^3) by effective medium theory."""
    atoms = Atoms(
        numbers=np.full(len(positions), ALUMINIUM), positions=positions, cell=lattice, pbc=True, calculator=EMT()
    )
    energy = float(atoms.get_potential_energy()) / len(atoms)
    return energy, np.asarray(atoms.get_forces()), np.asarray(atoms.get_stress(voigt=False))


def _fault(name: str, pairs: list[tuple[Values, Values]], *, read_as: float) -> str | None:
    """Return why the sign or the magnitude of values contradicts their unit, or None.

    :param pairs: for each configuration, the values and those by effective medium theory, in eV and angstrom.
    :param read_as: the unit of energy in which the file was read, in eV.
    """
    quantity = _QUANTITIES[name]
    telling = [(values, rough) for values, rough in pairs if _size(rough) > quantity.floor and np.any(values)]
    if not telling:
        size = float(np.median([_size(values) for values, _ in pairs])) if pairs else 0.0
        return f'{name}: {size:.3g} in eV and angstrom is too large' if size > quantity.ceiling else None
    lengths = [(np.linalg.norm(values), np.linalg.norm(rough)) for values, rough in telling]
    products = [np.sum(values * rough) for values, rough in telling]
    cosine = float(np.median([product / (a * b) for product, (a, b) in zip(products, lengths, strict=True)]))
    ratio = float(np.median([a / b for a, b in lengths]))
    if abs(cosine) < _CLEAR_COSINE:
        return None
    if cosine < 0:
        return f'{name}: looks as if the sign were reversed (cosine {cosine:.2f} with effective medium theory)'
    if quantity.plausible[0] < ratio < quantity.plausible[1]:
        return None
    unit = min(quantity.units, key=lambda key: abs(math.log(ratio / read_as * quantity.units[key] / quantity.usual)))
    found = f'{ratio:.3g} times that of effective medium theory, where {quantity.usual:g} is usual'
    return f'{name}: looks like {unit} ({found})'


def _size(values: Values) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))
