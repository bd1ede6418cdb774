"""Point defects: formation energies of the vacancy and of the <100> dumbbell, both in meV."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Self

import numpy as np
from ase import Atom, Atoms
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Settings
from aiida_anial.properties.crystals import cubic_fcc
from aiida_anial.properties.evaluation import Evaluation, Relaxation, Task
from aiida_anial.properties.panels import Sizes
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, unconverged_notes

__all__ = ('Dumbbell', 'PointDefect', 'PointDefectSettings', 'Vacancy')

Supercells = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]


class PointDefectSettings(Settings):
    """Supercells with the defect.

    :param supercells: numbers of conventional cells along each edge, ascending; n of them have 4 n^3 sites.
    """

    supercells: Supercells = (2, 3, 4)

    @model_validator(mode='after')
    def _check_order(self) -> Self:
        if list(self.supercells) != sorted(set(self.supercells)):
            raise ValueError('supercells: they must be in ascending order')
        return self


_COLUMNS = (
    Column(
        quantity='formation_energy',
        unit='meV',
        help='Formation energy in the largest cell',
        key='formation_energy_mev',
        heading='formation\nmeV',
        digits=0,
    ),
    Column(quantity='formation_energy_N_sites', unit='meV', help='Formation energy in a cell of N sites'),
    Column(
        quantity='formation_energy_infinite', unit='meV', help='Limit of a line in 1/N through the two largest cells'
    ),
)
_CURVES = (
    ('n_sites', 'number of sites'),
    ('formation_energy_mev', 'formation energy'),
    ('disagreement_mev', 'disagreement of the members on that energy'),
)


def _panel(title: str) -> Sizes:
    return Sizes(
        figure='defects',
        title=title,
        n='n_sites',
        y='formation_energy_mev',
        x_label='1 / number of sites',
        y_label='formation energy (meV)',
        disagreement='disagreement_mev',
        limit='formation_energy_infinite',
        literature='formation_energy',
    )


class PointDefect(Property[PointDefectSettings]):
    """A point defect, relaxed in the fixed cell of the crystal."""

    requires = ('lattice',)
    columns = _COLUMNS
    curves = _CURVES

    @abstractmethod
    def make(self, crystal: Atoms, lattice_constant: float) -> Atoms:
        """Return ``crystal`` with the defect at its first site."""

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return crystal and defect for each number of sites.

        The crystal has the same cell as the defect, so that errors of the k-point mesh cancel.
        """
        lattice_constant = requirements['lattice_constant']
        tasks = {}
        for n_cells, n_sites in zip(self.settings.supercells, self._n_sites(), strict=True):
            crystal = cubic_fcc(lattice_constant) * n_cells
            group = f'sites_{n_sites}'
            defect = self.make(crystal, lattice_constant)
            tasks[f'bulk_{n_sites}'] = Task(crystal, group=group)
            tasks[f'{self.name}_{n_sites}'] = Task(defect, Relaxation.POSITIONS, group=group)
        return tasks

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Return E(defect) - N(defect)/N(bulk) E(bulk) for each number of sites, and its limit for an infinite cell.

        At constant volume, the elastic energy of a defect in a periodic cell is proportional to 1/N (Varvenne et al.,
        Phys. Rev. B 88, 134102 (2013), doi:10.1103/PhysRevB.88.134102), so the limit is that of a line in 1/N through
        the two largest cells.
        """
        sizes = self._n_sites()
        energies = [self._quantity(evaluations, n_sites) for n_sites in sizes]
        quantities = {'formation_energy': energies[-1]}
        quantities |= {f'formation_energy_{n}_sites': energy for n, energy in zip(sizes, energies, strict=True)}
        if len(sizes) > 1:
            quantities['formation_energy_infinite'] = self._quantity(evaluations, *sizes[-2:])
        curves = {
            'n_sites': np.array(sizes, dtype=np.float64),
            'formation_energy_mev': np.array([energy.value for energy in energies]),
            'disagreement_mev': np.array([energy.uncertainty or 0.0 for energy in energies]),
        }
        return PropertyResult(quantities, curves, unconverged_notes(evaluations))

    def _n_sites(self) -> list[int]:
        return [4 * n_cells**3 for n_cells in self.settings.supercells]

    def _quantity(self, evaluations: Mapping[str, Evaluation], *sizes: int) -> Quantity:
        """Return the formation energy in a cell of one size, or the limit from two sizes."""
        chosen = [evaluations[f'{kind}_{n_sites}'] for n_sites in sizes for kind in ('bulk', self.name)]
        return from_energies(chosen, _analysis([len(one.atoms) for one in chosen]), 'meV')


def _analysis(n_atoms: list[int]) -> Callable[[NDArray[np.float64]], float]:
    """Return the function from energies of crystal and defect, in one or two cells, to the formation energy in meV.

    :param n_atoms: numbers of atoms of the evaluations, crystal and defect in turn.
    """
    n_sites, n_in_defect = np.array(n_atoms[::2], dtype=np.float64), np.array(n_atoms[1::2], dtype=np.float64)

    def formation_energy(energies: NDArray[np.float64]) -> float:
        by_size = 1000 * (energies[1::2] - n_in_defect / n_sites * energies[::2])
        # With e = e_infinite + k / N: N e = N e_infinite + k.
        return float(by_size[0] if len(by_size) == 1 else np.diff(n_sites * by_size)[0] / np.diff(n_sites)[0])

    return formation_energy


class Vacancy(PointDefect):
    """Formation energy of the vacancy."""

    name = 'vacancy'
    defaults = PointDefectSettings()
    quick = PointDefectSettings(supercells=(3,))
    panels = (_panel('vacancy'),)

    def make(self, crystal: Atoms, lattice_constant: float) -> Atoms:  # noqa: ARG002 - other defects need it
        """Return ``crystal`` without its first atom."""
        return crystal[1:]


_HALF_LENGTH = 0.3
"""Half the length of the unrelaxed dumbbell, in lattice constants: about half a nearest-neighbour distance."""


class Dumbbell(PointDefect):
    """Formation energy of the <100> dumbbell, two atoms that share one site."""

    name = 'dumbbell'
    defaults = PointDefectSettings()
    panels = (_panel('⟨100⟩ dumbbell'),)

    def make(self, crystal: Atoms, lattice_constant: float) -> Atoms:
        """Return ``crystal`` with a second atom at its first site, both displaced along z."""
        atoms = crystal.copy()
        atoms.append(Atom('Al', crystal.positions[0]))
        atoms.positions[[0, -1], 2] += _HALF_LENGTH * lattice_constant, -_HALF_LENGTH * lattice_constant
        return atoms
