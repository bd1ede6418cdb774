"""Langevin dynamics of many independent trajectories that step together.

BAOAB splitting (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34; J. Chem. Phys. 138, 174102 (2013)): half a
kick (B), half a drift (A), the exact Ornstein-Uhlenbeck step of the whole time step (O), half a drift, half a kick. For
no friction it is velocity Verlet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import units
from ase.data import atomic_masses, atomic_numbers
from numpy.random import Generator
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.potential.engine import Engine
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.prediction import Prediction
from aiida_anial.sampling.contacts import closest_contacts
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings
from aiida_anial.sampling.streams import Purpose, stream

__all__ = ('MASS', 'Dynamics', 'Walkers')

# Mass of an aluminium atom in eV fs^2/angstrom^2.
MASS: float = float(atomic_masses[atomic_numbers['Al']]) / units.fs**2


@dataclass(eq=False)
class Walkers:
    """State of the T trajectories that are running, with N atoms in all; changed in place.

    :param indices: ``[T]`` numbers of the trajectories.
    :param lattices: ``[T, 3, 3]`` angstrom.
    :param offsets: ``[T + 1]`` first atom of each trajectory.
    :param positions: ``[N, 3]`` angstrom, never wrapped.
    :param velocities: ``[N, 3]`` angstrom/fs.
    :param forces: ``[N, 3]`` eV/angstrom at ``positions``.
    :param references: ``[N, 3]`` positions at which the neighbours were listed. They are part of the state: the order
        in which forces are summed depends on the list, so the same last digits need the same list.
    :param generators: T sources of random numbers.
    :param step: time steps since the start, the same for all.
    """

    indices: NDArray[np.int64]
    lattices: NDArray[np.float64]
    offsets: NDArray[np.int64]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    forces: NDArray[np.float64]
    references: NDArray[np.float64]
    generators: list[Generator]
    step: int = 0

    @classmethod
    def start(cls, cells: Cells, *, schedules: Sequence[Schedule], seed: int) -> Walkers:
        """Return trajectories at their first step, velocities from the Maxwell-Boltzmann distribution at T(0)."""
        generators = [Generator(stream(Purpose.DYNAMICS, seed=seed, index=index)) for index in range(len(cells))]
        velocities = [
            generator.standard_normal((int(n), 3)) * math.sqrt(units.kB * schedule.temperature(0.0) / MASS)
            for generator, n, schedule in zip(generators, cells.n_atoms, schedules, strict=True)
        ]
        return cls(
            indices=np.arange(len(cells), dtype=np.int64),
            lattices=np.array(cells.lattices),
            offsets=np.array(cells.offsets),
            positions=np.array(cells.positions),
            velocities=np.concatenate(velocities),
            forces=np.zeros_like(cells.positions),
            references=np.array(cells.positions),
            generators=generators,
        )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """``[T]`` atoms of each trajectory."""
        return np.diff(self.offsets)

    def atoms(self, walker: int) -> slice:
        """Return where the atoms of trajectory ``walker`` (counted among those running) are."""
        return slice(int(self.offsets[walker]), int(self.offsets[walker + 1]))

    def select(self, keep: NDArray[np.bool_]) -> Walkers:
        """Return the trajectories where ``keep`` ``[T]`` is true."""
        atoms = np.repeat(keep, self.n_atoms)
        return Walkers(
            indices=self.indices[keep],
            lattices=self.lattices[keep],
            offsets=np.concatenate([[0], np.cumsum(self.n_atoms[keep])]).astype(np.int64),
            positions=self.positions[atoms],
            velocities=self.velocities[atoms],
            forces=self.forces[atoms],
            references=self.references[atoms],
            generators=[generator for generator, kept in zip(self.generators, keep, strict=True) if kept],
            step=self.step,
        )


class Dynamics:
    """Moves walkers on the mean energy of an ensemble.

    :param walkers: where they are; ``forces`` must be those at ``positions``, see ``evaluate``.
    :param schedules: of all trajectories, by their number.
    :param engine: evaluates the ensemble.
    :param settings: time step, friction and skin.
    """

    def __init__(
        self, walkers: Walkers, *, schedules: Sequence[Schedule], engine: Engine, settings: SamplingSettings
    ) -> None:
        self.walkers = walkers
        self._schedules = schedules
        self._engine = engine
        self._settings = settings
        self._damping = math.exp(-settings.friction_per_fs * settings.time_step_fs)
        self._list_neighbours()

    def time_ps(self, *, steps: float) -> float:
        """Return the time in ps after so many time steps."""
        return steps * self._settings.time_step_fs / 1000.0

    def target_temperatures(self, *, steps: float) -> NDArray[np.float64]:
        """Return ``[T]`` target temperatures in K after so many time steps."""
        time_ps = self.time_ps(steps=steps)
        return np.array([self._schedules[index].temperature(time_ps) for index in self.walkers.indices.tolist()])

    def temperatures(self) -> NDArray[np.float64]:
        """Return ``[T]`` kinetic temperatures in K, 2 E_kin / (3 n k): no degree of freedom is fixed."""
        with np.errstate(over='ignore', invalid='ignore'):
            squares = np.einsum('nx,nx->n', self.walkers.velocities, self.walkers.velocities)
            sums: NDArray[np.float64] = np.add.reduceat(squares, self.walkers.offsets[:-1])
            temperatures: NDArray[np.float64] = sums * MASS / (3 * units.kB * self.walkers.n_atoms)
            return temperatures

    def closest_contacts(self) -> NDArray[np.float64]:
        """Return ``[T]`` distances of the closest two atoms in angstrom, periodic images included."""
        return closest_contacts(self._cells(), self._neighbours)

    def step(self, *, member_forces: bool) -> Prediction:
        """Move all walkers by one time step and return the prediction at their new positions.

        :param member_forces: whether the prediction shall hold the forces of each member.
        """
        walkers = self.walkers
        half = 0.5 * self._settings.time_step_fs
        walkers.velocities += half / MASS * walkers.forces
        walkers.positions += half * walkers.velocities
        self._thermalise()
        walkers.positions += half * walkers.velocities
        walkers.step += 1
        prediction = self.evaluate(member_forces=member_forces)
        walkers.velocities += half / MASS * walkers.forces
        return prediction

    def evaluate(self, *, member_forces: bool) -> Prediction:
        """Return the prediction at the present positions, and make its forces those of the walkers."""
        moved = self.walkers.positions - self.walkers.references
        if np.einsum('nx,nx->n', moved, moved).max() > (0.5 * self._settings.skin_angstrom) ** 2:
            self.walkers.references = self.walkers.positions.copy()
            self._list_neighbours()
        prediction = self._engine.evaluate(self._cells(), neighbours=self._neighbours, member_forces=member_forces)
        assert prediction.forces is not None
        self.walkers.forces = prediction.forces
        return prediction

    def keep(self, keep: NDArray[np.bool_]) -> None:
        """Go on with the walkers where ``keep`` ``[T]`` is true."""
        self.walkers = self.walkers.select(keep)
        if len(self.walkers):
            self.walkers.references = self.walkers.positions.copy()
            self._list_neighbours()

    def _thermalise(self) -> None:
        """Step O: damp the velocities and add noise, each trajectory from its own generator."""
        if self._settings.friction_per_fs == 0:
            return
        walkers = self.walkers
        noise = np.empty_like(walkers.velocities)
        for walker, generator in enumerate(walkers.generators):
            generator.standard_normal(out=noise[walkers.atoms(walker)])
        # The temperature at the middle of the step, where the noise acts.
        variance = units.kB * self.target_temperatures(steps=walkers.step + 0.5) / MASS
        widths = np.sqrt((1.0 - self._damping**2) * variance)
        walkers.velocities *= self._damping
        walkers.velocities += np.repeat(widths, walkers.n_atoms)[:, None] * noise

    def _list_neighbours(self) -> None:
        """List the neighbours at the reference positions, wrapped into the cell.

        The engine sees wrapped positions because it may work in float32, and atoms wander far in a long trajectory.
        """
        walkers = self.walkers
        inverses = np.repeat(np.linalg.inv(walkers.lattices), walkers.n_atoms, axis=0)
        lattices = np.repeat(walkers.lattices, walkers.n_atoms, axis=0)
        fractions = np.einsum('nx,nxy->ny', walkers.references, inverses)
        self._images = np.einsum('nx,nxy->ny', np.floor(fractions), lattices)
        cells = Cells(walkers.references - self._images, walkers.lattices, walkers.offsets)
        skin = self._settings.skin_angstrom
        self._neighbours: NeighbourList = self._engine.neighbours(cells, skin=skin)
        if self._neighbours.cutoff - skin < self._settings.min_contact_angstrom:
            raise AnialError(
                f'min_contact_angstrom: {self._settings.min_contact_angstrom:g} is beyond the cutoff of the potential '
                f'({self._neighbours.cutoff - skin:g} angstrom), within which contacts are looked for.'
            )

    def _cells(self) -> Cells:
        """Return the present configurations as the engine shall see them."""
        return Cells(self.walkers.positions - self._images, self.walkers.lattices, self.walkers.offsets)
