"""Random disordered cells of one element, from which all trajectories start.

Smith et al., Nat. Commun. 12, 1257 (2021), II.B.2. The same seed gives the same cells on every machine, because all
geometry uses integers, in units of 1e-6 angstrom (and 1e-6 g/cm^3), which are not subject to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from numpy.random import PCG64
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.sampling.settings import CellFamily, CellSettings
from aiida_anial.sampling.streams import Purpose, integers, stream

__all__ = ('check_fillable', 'random_cell', 'random_cells')

_UNITS_PER_ANGSTROM = 10**6
_UNITS_PER_DENSITY = 10**6
# 1e-3 u as a product of density and volume, in units of 1e-24 g/cm^3 angstrom^3.
_ATOMIC_MASS_UNIT = 166053906660 * 10**10

# Packing fraction at which spheres placed at random one by one jam (Torquato et al., Phys. Rev. E 74, 061308 (2006)).
_JAMMING = 0.384
_BLOCK = 128
_CANDIDATES_PER_TRY = 256 * _BLOCK
_TRIES = 60
_DRAWS_PER_TRY = 20000
# 2^64 over the golden ratio: its multiples modulo 2^64 are spread as evenly as an infinite sequence can be.
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class _Limits:
    """The limits of a family of cells, in integer units."""

    edges: tuple[int, int]
    density: tuple[int, int]
    n_atoms: tuple[int, int]
    min_distance: int
    density_of_atom: int

    def atoms(self, edges: tuple[int, ...], density: int) -> int:
        """Return the number of atoms whose density is nearest to ``density``."""
        return (2 * density * math.prod(edges) + self.density_of_atom) // (2 * self.density_of_atom)

    def allow(self, edges: tuple[int, ...], n_atoms: int) -> bool:
        """Whether the number and the density of ``n_atoms`` atoms in a cell of ``edges`` are within the limits."""
        volume = math.prod(edges)
        low, high = (density * volume for density in self.density)
        return self.n_atoms[0] <= n_atoms <= self.n_atoms[1] and low <= n_atoms * self.density_of_atom <= high


def check_fillable(settings: CellSettings) -> None:
    """Refuse settings that no cell can satisfy.

    :raises SettingsError: one sentence that names the key and the reason.
    """
    distance, density = settings.min_distance_angstrom, settings.density_g_per_cm3
    packing = _atoms_per_volume(settings, density[0]) * math.pi / 6 * distance**3
    if packing > _JAMMING:
        raise SettingsError(
            f'min_distance_angstrom: {density[0]:g} g/cm3 of atoms {distance:g} angstrom apart fill {packing:.2f} of '
            f'the volume, but atoms placed at random jam at {_JAMMING}; lower the distance or the density.'
        )
    for number, family in enumerate(settings.families):
        _check_family(family, settings, key=f'families.{number}')


def _check_family(family: CellFamily, settings: CellSettings, *, key: str) -> None:
    """Raise an error if no cell of ``family`` is possible."""
    distance, density = settings.min_distance_angstrom, settings.density_g_per_cm3
    if family.edges_angstrom[0] < distance:
        raise SettingsError(
            f'{key}.edges_angstrom: in a cell of {family.edges_angstrom[0]:g} angstrom an atom is closer to its own '
            f'image than min_distance_angstrom ({distance:g}).'
        )
    least = _atoms_per_volume(settings, density[0]) * family.edges_angstrom[0] ** 3
    most = _atoms_per_volume(settings, density[1]) * family.edges_angstrom[1] ** 3
    if max(math.ceil(least), family.n_atoms[0]) > min(math.floor(most), family.n_atoms[1]):
        raise SettingsError(
            f'{key}.n_atoms: cells with edges of {family.edges_angstrom[0]:g} to {family.edges_angstrom[1]:g} angstrom '
            f'at {density[0]:g} to {density[1]:g} g/cm3 hold {least:.1f} to {most:.1f} atoms, never '
            f'{family.n_atoms[0]} to {family.n_atoms[1]}.'
        )


def _density_of_atom(settings: CellSettings) -> int:
    """Return the density of an atom in 1 angstrom^3, times that volume, in integer units of 1e-24 g/cm^3 angstrom^3.

    The atomic mass is rounded to 1e-3 u, so that a revision of the mass in ASE does not change the cells.
    """
    return round(float(atomic_masses[atomic_numbers[settings.element]]) * 1000) * _ATOMIC_MASS_UNIT


def _atoms_per_volume(settings: CellSettings, density: float) -> float:
    """Return the number of atoms per angstrom^3 at a mass density in g/cm^3."""
    return density / (_density_of_atom(settings) / 1e24)


def random_cell(settings: CellSettings, *, seed: int, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cell ``index`` of ``seed``; it does not depend on other cells.

    Edges and density are drawn until the number of atoms nearest to that density is within the limits. Then the atoms
    are placed one by one, each uniformly in the cell; positions closer than ``min_distance_angstrom`` to another atom
    are rejected. If the atoms jam, everything is drawn again.

    :return: lattice vectors ``[3, 3]`` and positions ``[n, 3]`` in angstrom.
    :raises SettingsError: if the settings cannot be satisfied, or so rarely that no cell was found.
    """
    check_fillable(settings)
    limits = _limits(settings, _family(settings, seed=seed, index=index))
    source = stream(Purpose.CELL, seed=seed, index=index)
    for _ in range(_TRIES):
        edges, n_atoms = _draw_edges(source, limits)
        placed = _place_atoms(source, edges=edges, n_atoms=n_atoms, min_distance=limits.min_distance)
        if placed is not None:
            return np.diag(edges) / _UNITS_PER_ANGSTROM, placed / _UNITS_PER_ANGSTROM
    raise SettingsError(
        f'min_distance_angstrom: no cell could be filled with atoms {settings.min_distance_angstrom:g} angstrom apart; '
        'lower the distance or the density.'
    )


def random_cells(settings: CellSettings, *, seed: int, n: int) -> Cells:
    """Return the cells 0 to ``n - 1`` of ``seed``; see ``random_cell``."""
    drawn = [random_cell(settings, seed=seed, index=index) for index in range(n)]
    return Cells.from_lists(
        [positions for _, positions in drawn],
        [lattice for lattice, _ in drawn],
        species=atomic_numbers[settings.element],
    )


def _family(settings: CellSettings, *, seed: int, index: int) -> CellFamily:
    """Return the family of cell ``index``.

    Multiples of the golden ratio, shifted by a number drawn from the seed, are spread so evenly that any consecutive
    cells contain the share of every family to within about one cell.
    """
    shift = int(PCG64(seed).random_raw())
    point = ((shift + index * _GOLDEN) % 2**64) / 2**64
    bounds = np.cumsum([family.fraction for family in settings.families])
    return settings.families[min(int(np.searchsorted(bounds, point * bounds[-1], side='right')), len(bounds) - 1)]


def _limits(settings: CellSettings, family: CellFamily) -> _Limits:
    """Return the limits of a family in integer units."""
    edges = [round(edge * _UNITS_PER_ANGSTROM) for edge in family.edges_angstrom]
    density = [round(density * _UNITS_PER_DENSITY) for density in settings.density_g_per_cm3]
    min_distance = round(settings.min_distance_angstrom * _UNITS_PER_ANGSTROM)
    return _Limits(
        (edges[0], edges[1]), (density[0], density[1]), family.n_atoms, min_distance, _density_of_atom(settings)
    )


def _draw_edges(source: PCG64, limits: _Limits) -> tuple[tuple[int, ...], int]:
    """Draw three edges and the number of atoms within the limits."""
    low = np.array([limits.edges[0]] * 3 + [limits.density[0]])
    high = np.array([limits.edges[1]] * 3 + [limits.density[1]])
    for _ in range(_DRAWS_PER_TRY):
        *edges, density = (int(value) for value in low + integers(source, bounds=high - low + 1))
        n_atoms = limits.atoms(tuple(edges), density)
        if limits.allow(tuple(edges), n_atoms):
            return tuple(edges), n_atoms
    raise SettingsError(
        f'n_atoms: {_DRAWS_PER_TRY} draws of edges and density gave no cell with {limits.n_atoms[0]} to '
        f'{limits.n_atoms[1]} atoms; widen the range.'
    )


def _place_atoms(source: PCG64, *, edges: tuple[int, ...], n_atoms: int, min_distance: int) -> NDArray[np.int64] | None:
    """Return ``n_atoms`` random positions ``[n, 3]`` in integer units, or None if they jam.

    Candidates are drawn in blocks for speed; the result is as if they were drawn one by one.
    """
    box = np.array(edges)
    placed = np.empty((n_atoms, 3), dtype=np.int64)
    count = 0
    for _ in range(_CANDIDATES_PER_TRY // _BLOCK):
        candidates = integers(source, bounds=np.tile(box, (_BLOCK, 1)))
        candidates = candidates[_apart(candidates, placed[:count], box, min_distance).all(axis=1)]
        compatible = _apart(candidates, candidates, box, min_distance)
        accepted: list[int] = []
        for row in range(len(candidates)):
            if compatible[row, accepted].all():
                accepted.append(row)
        accepted = accepted[: n_atoms - count]
        placed[count : count + len(accepted)] = candidates[accepted]
        count += len(accepted)
        if count == n_atoms:
            return placed
    return None


def _apart(
    first: NDArray[np.int64], second: NDArray[np.int64], box: NDArray[np.int64], min_distance: int
) -> NDArray[np.bool_]:
    """Return ``[a, b]``: whether atom a of ``first`` and the nearest image of b of ``second`` are far enough apart.

    This is exact, because the sum of three squares is below 2^63 for edges up to 1000 angstrom.
    """
    distance = np.abs(first[:, None, :] - second[None, :, :])
    distance = np.minimum(distance, box - distance)
    result: NDArray[np.bool_] = np.einsum('abx,abx->ab', distance, distance) >= min_distance**2
    return result
