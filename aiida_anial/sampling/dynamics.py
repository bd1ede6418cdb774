"""Langevin dynamics of many independent trajectories, integrated together.

BAOAB splitting (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34; J. Chem. Phys. 138, 174102 (2013)): half a
kick (B), half a drift (A), the exact Ornstein-Uhlenbeck step of the whole time step (O), half a drift, half a kick.
Without friction it is velocity Verlet.

Cells change at checks, and the atoms move with them: by the strain of the schedule, and, if there is a pressure P, by
the strain -rate (sigma + P - n k T / V) dt, the steepest descent of the enthalpy.

A trajectory is bitwise the same in any batch, provided that the results of the engine are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from typing import Final

import numpy as np
from ase import units
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, Prediction
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.sampling.batch import TrajectoryBatch, masses_of
from aiida_anial.sampling.loops import closest_contact, move, moved_further, square_sums
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.sampling.settings import SamplingSettings

__all__ = ('Dynamics',)

# Strain of a cell per ps and GPa of stress: with a modulus of 75 GPa, the cell follows within 0.13 ps, some periods of
# its atoms' vibrations.
_CELL_RATE_PER_GPA_PS: Final = 0.1
# Largest strain between two checks, in case of a large stress.
_MAX_CELL_STRAIN: Final = 0.02


class Dynamics:
    """Integrates trajectories on the mean energy of an ensemble.

    Each trajectory has its own neighbour list, renewed when one of its atoms has moved by half the skin.

    :param batch: state of the trajectories; ``forces`` must be those at ``positions``, see ``evaluate``.
    :param schedules: schedules of all trajectories of the task.
    :param engine: evaluates the ensemble.
    :param settings: time step, friction and skin.
    :param lists: neighbour list of each trajectory at its references; computed if left out.
    """

    def __init__(
        self,
        batch: TrajectoryBatch,
        *,
        schedules: Sequence[Schedule],
        engine: Engine,
        settings: SamplingSettings,
        lists: tuple[NeighbourList, ...] | None = None,
    ) -> None:
        self.batch = batch
        self._schedules = schedules
        self._engine = engine
        self._settings = settings
        self._masses = masses_of(batch.species)
        self._kicks = 0.5 * settings.time_step_fs / self._masses
        self._damping = math.exp(-settings.friction_per_fs * settings.time_step_fs)
        of_rows = [schedules[index] for index in batch.indices.tolist()]
        self._changing = [row for row, schedule in enumerate(of_rows) if schedule.changes_cell]
        self._relaxed = [row for row, schedule in enumerate(of_rows) if schedule.pressure_gpa is not None]
        self._noise = np.zeros_like(batch.velocities)
        self._noise_of = [self._noise[batch.atoms(trajectory)] for trajectory in range(len(batch))]
        cells = Cells(batch.references, batch.lattices, batch.offsets, batch.species)
        self._alone = [cells.select([trajectory]) for trajectory in range(len(cells))]
        self._inverses = np.linalg.inv(batch.lattices)
        self._images = np.zeros_like(batch.positions)
        for trajectory in range(len(batch)):
            self._images[batch.atoms(trajectory)] = self._home_images(trajectory)
        if lists is None:
            lists = engine.neighbours(cells.moved(batch.references - self._images), skin=settings.skin_angstrom)
        self._lists = lists
        # The engine gets wrapped positions, because it may use float32 and atoms diffuse far in a long trajectory.
        self._cells = cells.moved(batch.positions - self._images)

    def select(self, keep: NDArray[np.bool_]) -> Dynamics:
        """Return the dynamics of the trajectories where ``keep`` ``[T]`` is true."""
        return self._of(self.batch.select(keep), tuple(compress(self._lists, keep)))

    def joined(self, others: Dynamics) -> Dynamics:
        """Return the dynamics of these trajectories and, after them, ``others``."""
        return self._of(self.batch.joined(others.batch), self._lists + others._lists)

    def _of(self, batch: TrajectoryBatch, lists: tuple[NeighbourList, ...]) -> Dynamics:
        return Dynamics(batch, schedules=self._schedules, engine=self._engine, settings=self._settings, lists=lists)

    def times_ps(self, *, offset: float = 0.0) -> list[float]:
        """Return the time ``[T]`` of each trajectory in ps, ``offset`` time steps from now."""
        return [(step + offset) * self._settings.time_step_fs / 1000.0 for step in self.batch.steps.tolist()]

    def target_temperatures(self, *, offset: float = 0.0) -> NDArray[np.float64]:
        """Return the target temperatures ``[T]`` in K, ``offset`` time steps from now."""
        numbers, times = self.batch.indices.tolist(), self.times_ps(offset=offset)
        return np.array([self._schedules[n].temperature(time) for n, time in zip(numbers, times, strict=True)])

    def temperatures(self) -> NDArray[np.float64]:
        """Return the kinetic temperatures ``[T]`` in K, 2 E_kin / (3 n k): all degrees of freedom count."""
        # Masses relative to the first atom are exactly 1 in a pure element, so multiplying by them does not round.
        first = self._masses[self.batch.offsets[:-1]]
        ratios = self._masses / np.repeat(first, self._cells.n_atoms)
        squares = square_sums(self.batch.velocities, ratios, self.batch.offsets)
        temperatures: NDArray[np.float64] = squares * (first / (3 * units.kB)) / self._cells.n_atoms
        return temperatures

    def closest_contacts(self) -> list[float]:
        """Return the distance ``[T]`` of the closest two atoms of each trajectory in angstrom, images included."""
        return [
            closest_contact(positions, pairs) for (positions, _), pairs in zip(self._cells, self._lists, strict=True)
        ]

    def novelties(self, measure: Novelty) -> NDArray[np.float64]:
        """Return the novelty ``[T]`` of each trajectory at the positions that were evaluated last."""
        reach = min((pairs.cutoff for pairs in self._lists), default=0.0) - self._settings.skin_angstrom
        return measure.of(self._cells, self._lists if reach >= measure.cutoff_angstrom else None)

    def step(self, *, member_forces: bool) -> Prediction:
        """Advance all trajectories by one time step and return the prediction at the new positions.

        :param member_forces: whether to compute the forces of each member.
        """
        batch, half = self.batch, 0.5 * self._settings.time_step_fs
        widths = self._draw_noise()
        move(
            batch.positions,
            batch.velocities,
            batch.forces,
            self._noise,
            widths,
            self._kicks,
            half,
            self._damping,
        )
        batch.steps += 1
        if self._changing and batch.steps[0] % self._settings.check_interval == 0:
            self._deform()
        self._renew_lists()
        prediction = self.evaluate(member_forces=member_forces)
        batch.velocities += self._kicks[:, None] * batch.forces
        return prediction

    def evaluate(self, *, member_forces: bool) -> Prediction:
        """Return the prediction at the current positions, and store its forces in the batch."""
        self._cells = self._cells.moved(self.batch.positions - self._images)
        prediction = self._engine.evaluate(self._cells, neighbours=self._lists, member_forces=member_forces)
        assert prediction.forces is not None
        self.batch.forces = prediction.forces
        return prediction

    def _draw_noise(self) -> NDArray[np.float64]:
        """Draw the noise of each trajectory from its own generator; return its widths ``[N]`` in angstrom/fs."""
        batch = self.batch
        if self._damping == 1:
            return np.zeros(len(self._masses))
        for generator, noise in zip(batch.generators, self._noise_of, strict=True):
            generator.standard_normal(out=noise)
        # The noise acts at the middle of the time step.
        temperatures = np.repeat(self.target_temperatures(offset=0.5), self._cells.n_atoms)
        widths: NDArray[np.float64] = np.sqrt((1.0 - self._damping**2) * units.kB / self._masses * temperatures)
        return widths

    def _renew_lists(self) -> None:
        """Renew the neighbour lists of the trajectories in which an atom has moved by half the skin."""
        batch, skin = self.batch, self._settings.skin_angstrom
        stale = moved_further(batch.positions, batch.references, batch.offsets, 0.5 * skin)
        if not len(stale):  # engines recognise the same tuple, and reuse what they derived from it
            return
        lists = list(self._lists)
        for trajectory in stale.tolist():
            lists[trajectory] = self._listed(trajectory)
        self._lists = tuple(lists)

    def _deform(self) -> None:
        """Change the cells as their schedules say, and move the atoms with them."""
        batch, settings = self.batch, self._settings
        times = self.times_ps()
        interval_ps = settings.check_interval * settings.time_step_fs / 1000
        relaxations = self._relaxations(interval_ps)
        batch.lattices, lists = batch.lattices.copy(), list(self._lists)
        for trajectory in self._changing:
            schedule, time_ps = self._schedules[int(batch.indices[trajectory])], times[trajectory]
            change = np.linalg.solve(schedule.deformation(time_ps - interval_ps), schedule.deformation(time_ps))
            change = change @ relaxations.get(trajectory, np.eye(3))
            atoms = batch.atoms(trajectory)
            batch.lattices[trajectory] = batch.lattices[trajectory] @ change
            batch.positions[atoms] = batch.positions[atoms] @ change
            self._inverses[trajectory] = np.linalg.inv(batch.lattices[trajectory])
            self._alone[trajectory] = replace(self._alone[trajectory], lattices=batch.lattices[[trajectory]])
            lists[trajectory] = self._listed(trajectory)
        self._lists = tuple(lists)
        self._cells = replace(self._cells, lattices=batch.lattices)

    def _relaxations(self, interval_ps: float) -> dict[int, NDArray[np.float64]]:
        """Return, for the trajectories with a pressure, the deformation ``[3, 3]`` of the cell in a time interval."""
        if not self._relaxed:
            return {}
        batch, rows = self.batch, self._relaxed
        self._renew_lists()
        cells = self._cells.moved(batch.positions - self._images).select(rows)
        found = self._engine.evaluate(cells, neighbours=tuple(self._lists[row] for row in rows), stress=True)
        assert found.stresses is not None
        kinetic = units.kB * self.temperatures()[rows] * cells.n_atoms / cells.volumes / units.GPa
        pressures = np.array([self._schedules[int(batch.indices[row])].pressure_gpa for row in rows]) - kinetic
        excess = found.stresses / units.GPa + pressures[:, None, None] * np.eye(3)
        strains = np.clip(-_CELL_RATE_PER_GPA_PS * interval_ps * excess, -_MAX_CELL_STRAIN, _MAX_CELL_STRAIN)
        return dict(zip(rows, np.eye(3) + strains, strict=True))

    def _listed(self, trajectory: int) -> NeighbourList:
        """Return the neighbour list of a trajectory at its current positions, which become its references."""
        batch = self.batch
        atoms = batch.atoms(trajectory)
        batch.references[atoms] = batch.positions[atoms]
        self._images[atoms] = images = self._home_images(trajectory)
        cell = self._alone[trajectory].moved(batch.references[atoms] - images)
        (found,) = self._engine.neighbours(cell, skin=self._settings.skin_angstrom)
        return found

    def _home_images(self, trajectory: int) -> NDArray[np.float64]:
        """Return the lattice vectors ``[n, 3]`` from the images inside the cell to the references, in angstrom."""
        references = self.batch.references[self.batch.atoms(trajectory)]
        images: NDArray[np.float64] = (
            np.floor(references @ self._inverses[trajectory]) @ self.batch.lattices[trajectory]
        )
        return images
