"""Phonons of FCC aluminium by finite displacements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.crystals import cubic_fcc
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.panels import Bands
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult

if TYPE_CHECKING:
    from phonopy import Phonopy

__all__ = ('TICK_LABELS', 'PhononSettings', 'Phonons')

Array = NDArray[np.float64]

TICK_LABELS = ('Gamma', 'X', 'U|K', 'Gamma', 'L')
"""Labels of ``tick_distances_per_angstrom``."""

# Wave vectors in units of the reciprocal vectors of the primitive cell.
_GAMMA = (0.0, 0.0, 0.0)
_X = (1 / 2, 0.0, 1 / 2)
_U = (5 / 8, 1 / 4, 5 / 8)
_K = (3 / 8, 3 / 8, 3 / 4)
_L = (1 / 2, 1 / 2, 1 / 2)
_SEGMENTS = ((_GAMMA, _X), (_X, _U), (_K, _GAMMA), (_GAMMA, _L))


class PhononSettings(Settings):
    """Settings of the force constants, the dispersion and the density of states.

    :param supercell: number of conventional cells along each edge.
    :param displacement_angstrom: displacement of one atom.
    :param n_points: number of wave vectors on each segment of the path.
    :param n_mesh: number of wave vectors along each reciprocal vector, for the density of states.
    """

    supercell: Annotated[int, Field(ge=1)] = 4
    displacement_angstrom: Positive = 0.01
    n_points: Annotated[int, Field(ge=2)] = 51
    n_mesh: Annotated[int, Field(ge=2)] = 32


class Phonons(Property[PhononSettings]):
    """Dispersion along Gamma-X-U|K-Gamma-L and density of states, by phonopy.

    See Togo, Chaput, Tadano and Tanaka, J. Phys. Condens. Matter 35, 353001 (2023), doi:10.1088/1361-648X/acd831.
    """

    name = 'phonons'
    defaults = PhononSettings()
    requires = ('lattice',)
    columns = (
        *(
            Column(quantity=f'{point}_{polarisation}', unit='THz', help=f'{polarisation.title()} frequency at {name}')
            for point, name in (('x', 'X'), ('l', 'L'))
            for polarisation in ('longitudinal', 'transverse')
        ),
        Column(quantity='k_highest', unit='THz', help='Highest frequency at K'),
        Column(quantity='lowest', unit='THz', help='Lowest frequency on the path; imaginary ones are negative'),
    )
    curves = (
        ('distance_per_angstrom', '`[K]`, along the path'),
        ('frequencies_thz', '`[K, 3]`, ascending'),
        ('tick_distances_per_angstrom', '`[5]`, of Γ, X, U and K, Γ, L'),
        ('dos_frequency_thz', '`[T]`, frequencies of the density of states'),
        ('dos_per_thz', '`[T]`, density of states, whose integral is 3'),
    )
    panels = (
        Bands(
            figure='phonons',
            distance='distance_per_angstrom',
            frequencies='frequencies_thz',
            ticks='tick_distances_per_angstrom',
            tick_labels=TICK_LABELS,
            states_frequency='dos_frequency_thz',
            states='dos_per_thz',
            y_label='frequency (THz)',
            states_label='density of states (1/THz)',
            literature={1: ('x_longitudinal', 'x_transverse'), 4: ('l_longitudinal', 'l_transverse')},
        ),
    )

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return supercells with a displaced atom; by the symmetry of FCC, there is only one.

        Without displacements, all forces in FCC are zero by symmetry, so none need to be subtracted.
        """
        supercells = self._phonopy(requirements['lattice_constant']).supercells_with_displacements or ()
        return {
            f'displaced_{index}': Task(
                Atoms(one.symbols, scaled_positions=one.scaled_positions, cell=one.cell, pbc=True), group='supercell'
            )
            for index, one in enumerate(supercells)
        }

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return frequencies in THz; imaginary ones are negative.

        Distances along the path are those of wave vectors including the factor 2 pi. The integral of the density of
        states is 3. ``lowest`` is the lowest frequency on the path, which is 0 (at Gamma) in a stable crystal.
        """
        phonons = self._phonopy(requirements['lattice_constant'])
        phonons.forces = [evaluations[f'displaced_{index}'].forces for index in range(len(evaluations))]
        phonons.produce_force_constants()
        phonons.symmetrize_force_constants(show_drift=False)
        dispersion, lowest = self._dispersion(phonons)
        quantities = {}
        for name, point in (('x', _X), ('l', _L)):
            for polarisation, frequency in _polarised(phonons, point).items():
                quantities[f'{name}_{polarisation}'] = Quantity(frequency, 'THz')
        quantities['k_highest'] = Quantity(float(_frequencies(phonons, [_K])[0, -1]), 'THz')
        quantities['lowest'] = Quantity(lowest, 'THz')
        unstable = 'The crystal is dynamically unstable: a frequency on the path is imaginary, given as negative.'
        return PropertyResult(
            quantities, {**dispersion, **self._density_of_states(phonons)}, (unstable,) if lowest < 0 else ()
        )

    def _phonopy(self, lattice_constant: float) -> Phonopy:
        """Return phonopy's object with displacements, but without forces."""
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms

        unit = cubic_fcc(lattice_constant)
        phonons = Phonopy(
            PhonopyAtoms(unit.get_chemical_symbols(), cell=unit.cell[:], scaled_positions=unit.get_scaled_positions()),
            supercell_matrix=np.eye(3, dtype=int) * self.settings.supercell,
            primitive_matrix='F',
        )
        phonons.generate_displacements(distance=self.settings.displacement_angstrom)
        return phonons

    def _dispersion(self, phonons: Phonopy) -> tuple[dict[str, Array], float]:
        """Return the curves along the path, and the lowest frequency on it."""
        fractions = np.linspace(0.0, 1.0, self.settings.n_points)[:, None]
        points = np.array([(1 - fractions) * start + fractions * end for start, end in map(np.array, _SEGMENTS)])
        steps = np.linalg.norm((points[:, -1] - points[:, 0]) @ _reciprocal(phonons).T, axis=1)
        ticks = np.concatenate([[0.0], np.cumsum(steps)])
        distances = [start + fractions[:, 0] * (end - start) for start, end in pairwise(ticks)]
        points = points.reshape(-1, 3)
        frequencies = _frequencies(phonons, points)
        frequencies[~points.any(axis=1)] = 0.0  # at Gamma, anything else is rounding
        curves = {
            'distance_per_angstrom': np.concatenate(distances),
            'frequencies_thz': frequencies,
            'tick_distances_per_angstrom': ticks,
        }
        return curves, float(frequencies.min())

    def _density_of_states(self, phonons: Phonopy) -> dict[str, Array]:
        """Return the density of states by the tetrahedron method."""
        phonons.run_mesh([self.settings.n_mesh] * 3, is_gamma_center=True)
        phonons.run_total_dos()
        found = phonons.total_dos
        assert found is not None
        return {
            'dos_frequency_thz': np.asarray(found.frequency_points, dtype=np.float64),
            'dos_per_thz': np.asarray(found.dos, dtype=np.float64),
        }


def _reciprocal(phonons: Phonopy) -> Array:
    """Return the reciprocal vectors of the primitive cell as columns, including the factor 2 pi, in 1/angstrom."""
    return np.asarray(2 * np.pi * np.linalg.inv(phonons.primitive.cell), dtype=np.float64)


def _frequencies(phonons: Phonopy, points: Sequence[Sequence[float]] | Array) -> Array:
    """Return the frequencies ``[Q, 3]`` at Q wave vectors in THz, ascending."""
    phonons.run_qpoints(points)
    assert phonons.qpoints is not None
    return np.asarray(phonons.qpoints.frequencies, dtype=np.float64)


def _polarised(phonons: Phonopy, point: tuple[float, ...]) -> dict[str, float]:
    """Return the longitudinal and the degenerate transverse frequency at a wave vector on a symmetry axis, in THz.

    With one atom per cell, displacements are parallel or perpendicular to the wave vector q. The eigenvalues of the
    dynamical matrix D are q.D.q, with q normalised, and half of the rest of its trace.
    """
    along = _reciprocal(phonons) @ point
    along /= np.linalg.norm(along)
    dynamical = phonons.dynamical_matrix
    assert dynamical is not None
    dynamical.run(point)
    matrix = np.asarray(dynamical.dynamical_matrix).real
    longitudinal = float(along @ matrix @ along)
    squares = {'longitudinal': longitudinal, 'transverse': (float(np.trace(matrix)) - longitudinal) / 2}
    factor = phonons.unit_conversion_factor
    return {name: float(np.sign(square) * np.sqrt(abs(square)) * factor) for name, square in squares.items()}
