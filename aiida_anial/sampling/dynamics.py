"""Langevin dynamics of many independent trajectories that step together.

BAOAB splitting (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34; J. Chem. Phys. 138, 174102 (2013)): half a
kick (B), half a drift (A), the exact Ornstein-Uhlenbeck step of the whole time step (O), half a drift, half a kick. For
no friction it is velocity Verlet.

A trajectory is the same to the last bit whatever else is in the batch, if the engine's results are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress

import numpy as np
from ase import units
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.prediction import Prediction
from aiida_anial.sampling.batch import MASS, Walkers
from aiida_anial.sampling.loops import closest_contact, move, moved_further, square_sums
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings

__all__ = ('Dynamics',)


class Dynamics:
    """Moves walkers on the mean energy of an ensemble.

    Each walker has a neighbour list of its own, renewed when one of its own atoms has moved by half the skin.

    :param walkers: where they are; ``forces`` must be those at ``positions``, see ``evaluate``.
    :param schedules: of all trajectories, by their number.
    :param engine: evaluates the ensemble.
    :param settings: time step, friction and skin.
    :param lists: the neighbours of each walker at its references; listed when left out.
    """

    def __init__(
        self,
        walkers: Walkers,
        *,
        schedules: Sequence[Schedule],
        engine: Engine,
        settings: SamplingSettings,
        lists: tuple[NeighbourList, ...] | None = None,
    ) -> None:
        self.walkers = walkers
        self._schedules = schedules
        self._engine = engine
        self._settings = settings
        self._kick = 0.5 * settings.time_step_fs / MASS
        self._damping = math.exp(-settings.friction_per_fs * settings.time_step_fs)
        self._noise = np.zeros_like(walkers.velocities)
        self._noise_of = [self._noise[walkers.atoms(walker)] for walker in range(len(walkers))]
        cells = Cells(walkers.references, walkers.lattices, walkers.offsets)
        self._alone = [cells.select([walker]) for walker in range(len(cells))]
        self._inverses = np.linalg.inv(walkers.lattices)
        self._images = np.zeros_like(walkers.positions)
        for walker in range(len(walkers)):
            self._images[walkers.atoms(walker)] = self._home_images(walker)
        if lists is None:
            lists = engine.neighbours(cells.moved(walkers.references - self._images), skin=settings.skin_angstrom)
        self._lists = lists
        # The engine sees wrapped positions because it may work in float32, and atoms wander far in a long trajectory.
        self._cells = cells.moved(walkers.positions - self._images)

    def select(self, keep: NDArray[np.bool_]) -> Dynamics:
        """Return the dynamics of the walkers where ``keep`` ``[T]`` is true."""
        return self._of(self.walkers.select(keep), tuple(compress(self._lists, keep)))

    def joined(self, others: Dynamics) -> Dynamics:
        """Return the dynamics of these walkers and, after them, ``others``."""
        return self._of(self.walkers.joined(others.walkers), self._lists + others._lists)

    def _of(self, walkers: Walkers, lists: tuple[NeighbourList, ...]) -> Dynamics:
        return Dynamics(walkers, schedules=self._schedules, engine=self._engine, settings=self._settings, lists=lists)

    def times_ps(self, *, offset: float = 0.0) -> list[float]:
        """Return the time of each walker in ps, ``offset`` time steps from now."""
        return [(step + offset) * self._settings.time_step_fs / 1000.0 for step in self.walkers.steps.tolist()]

    def target_temperatures(self, *, offset: float = 0.0) -> NDArray[np.float64]:
        """Return ``[T]`` target temperatures in K, ``offset`` time steps from now."""
        numbers, times = self.walkers.indices.tolist(), self.times_ps(offset=offset)
        return np.array([self._schedules[n].temperature(time) for n, time in zip(numbers, times, strict=True)])

    def temperatures(self) -> NDArray[np.float64]:
        """Return ``[T]`` kinetic temperatures in K, 2 E_kin / (3 n k): no degree of freedom is fixed."""
        squares = square_sums(self.walkers.velocities, self.walkers.offsets)
        temperatures: NDArray[np.float64] = squares * (MASS / (3 * units.kB)) / self._cells.n_atoms
        return temperatures

    def closest_contacts(self) -> list[float]:
        """Return for each walker the distance of its closest two atoms in angstrom, periodic images included."""
        return [
            closest_contact(positions, pairs) for (positions, _), pairs in zip(self._cells, self._lists, strict=True)
        ]

    def step(self, *, member_forces: bool) -> Prediction:
        """Move all walkers by one time step and return the prediction at their new positions.

        :param member_forces: whether the prediction shall hold the forces of each member.
        """
        walkers, half = self.walkers, 0.5 * self._settings.time_step_fs
        widths = self._draw_noise()
        move(
            walkers.positions,
            walkers.velocities,
            walkers.forces,
            self._noise,
            widths,
            walkers.offsets,
            self._kick,
            half,
            self._damping,
        )
        walkers.steps += 1
        self._renew_lists()
        prediction = self.evaluate(member_forces=member_forces)
        walkers.velocities += self._kick * walkers.forces
        return prediction

    def evaluate(self, *, member_forces: bool) -> Prediction:
        """Return the prediction at the present positions, and make its forces those of the walkers."""
        self._cells = self._cells.moved(self.walkers.positions - self._images)
        prediction = self._engine.evaluate(self._cells, neighbours=self._lists, member_forces=member_forces)
        assert prediction.forces is not None
        self.walkers.forces = prediction.forces
        return prediction

    def _draw_noise(self) -> NDArray[np.float64]:
        """Draw the noise of each trajectory from its own generator, and return ``[T]`` its widths in angstrom/fs."""
        walkers = self.walkers
        if self._damping == 1:
            return np.zeros(len(walkers))
        for generator, noise in zip(walkers.generators, self._noise_of, strict=True):
            generator.standard_normal(out=noise)
        # The temperature at the middle of the step, where the noise acts.
        widths: NDArray[np.float64] = np.sqrt(
            (1.0 - self._damping**2) * units.kB / MASS * self.target_temperatures(offset=0.5)
        )
        return widths

    def _renew_lists(self) -> None:
        """List the neighbours of the walkers of which an atom has moved by half the skin."""
        walkers, skin = self.walkers, self._settings.skin_angstrom
        stale = moved_further(walkers.positions, walkers.references, walkers.offsets, 0.5 * skin)
        if not len(stale):  # the same tuple as before, so that an engine can see that nothing is new
            return
        lists = list(self._lists)
        for walker in stale.tolist():
            atoms = walkers.atoms(walker)
            walkers.references[atoms] = walkers.positions[atoms]
            self._images[atoms] = images = self._home_images(walker)
            cell = self._alone[walker].moved(walkers.references[atoms] - images)
            (lists[walker],) = self._engine.neighbours(cell, skin=skin)
        self._lists = tuple(lists)

    def _home_images(self, walker: int) -> NDArray[np.float64]:
        """Return ``[n, 3]`` the lattice vector (angstrom) to each atom's reference from its image inside the cell."""
        references = self.walkers.references[self.walkers.atoms(walker)]
        images: NDArray[np.float64] = np.floor(references @ self._inverses[walker]) @ self.walkers.lattices[walker]
        return images
