"""Analytic potentials with the interface of an engine, and small tasks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Prediction
from aiida_anial.potential.neighbours import NeighbourList, joined, neighbour_lists
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds


@dataclass(eq=False)
class PairEngine:
    """Morse pairs with a cutoff smooth to the third derivative; members are multiples of one another."""

    scales: tuple[float, ...] = (1.0,)
    cutoff: float = 6.0
    depth: float = 0.25
    n_lists: int = 0
    last_seen: NDArray | None = None

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        self.n_lists += 1
        return neighbour_lists(cells, cutoff=self.cutoff + skin)

    def evaluate(self, cells, *, neighbours=None, forces=True, stress=False, member_forces=False) -> Prediction:
        neighbours = joined(neighbours or self.neighbours(cells, skin=0.0))
        self.last_seen = cells.positions
        vectors = neighbours.vectors(cells.positions)
        r = np.linalg.norm(vectors, axis=1)
        inside = r < self.cutoff
        x, w = np.exp(-1.2 * (r - 2.8)), np.where(inside, (1 - (r / self.cutoff) ** 2), 0.0)
        morse, d_morse = self.depth * (x**2 - 2 * x), self.depth * 1.2 * (2 * x - 2 * x**2)
        energy = morse * w**4
        slope = d_morse * w**4 - morse * 4 * w**3 * 2 * r / self.cutoff**2
        by_atom = np.bincount(neighbours.centre, energy / 2, minlength=len(cells.positions))
        energies = np.add.reduceat(by_atom, cells.offsets[:-1])
        pulls = (slope / r)[:, None] * vectors
        f = np.stack([np.bincount(neighbours.centre, pulls[:, k], minlength=len(by_atom)) for k in range(3)], axis=1)
        scales = np.array(self.scales)
        by_strain = pulls[:, :, None] * vectors[:, None, :] / 2
        of_cell = np.repeat(np.arange(len(cells)), cells.n_atoms)[neighbours.centre]
        virials = np.stack([by_strain[of_cell == cell].sum(axis=0) for cell in range(len(cells))])
        return Prediction(
            n_atoms=cells.n_atoms,
            energies=energies * scales.mean(),
            member_energies=scales[:, None] * energies,
            forces=f * scales.mean(),
            member_forces=scales[:, None, None] * f if member_forces else None,
            stresses=virials / cells.volumes[:, None, None] * scales.mean() if stress else None,
        )


@dataclass(eq=False)
class EinsteinEngine:
    """A spring ties every atom to its initial position; neighbour lists serve only for contacts."""

    sites: Cells
    stiffness: float
    cutoff: float = 3.0

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        return neighbour_lists(cells, cutoff=self.cutoff + skin)

    def evaluate(self, cells, *, neighbours=None, forces=True, stress=False, member_forces=False) -> Prediction:
        edges = np.repeat(np.diagonal(cells.lattices, axis1=1, axis2=2), cells.n_atoms, axis=0)
        moved = cells.positions - self.sites.positions
        moved -= np.rint(moved / edges) * edges
        squares = 0.5 * self.stiffness * (moved**2).sum(axis=1)
        energies = np.add.reduceat(squares, cells.offsets[:-1])
        return Prediction(cells.n_atoms, energies, energies[None], -self.stiffness * moved)


@dataclass(eq=False)
class Watched:
    """An engine that records which cells it listed and evaluated, identified by their numbers of atoms.

    :param skewed: relative error of the forces if those of the members are requested, too: engines may then compute
        the mean in another way, with other last digits.
    """

    engine: PairEngine
    skewed: float = 0.0
    listed: list[int] = field(default_factory=list)
    evaluated: list[tuple[int, ...]] = field(default_factory=list)
    with_members: list[tuple[int, ...]] = field(default_factory=list)

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        self.listed += cells.n_atoms.tolist()
        return self.engine.neighbours(cells, skin=skin)

    def evaluate(self, cells, *, member_forces=False, **wanted) -> Prediction:
        (self.with_members if member_forces else self.evaluated).append(tuple(cells.n_atoms.tolist()))
        prediction = self.engine.evaluate(cells, member_forces=member_forces, **wanted)
        return replace(prediction, forces=prediction.forces * (1 + member_forces * self.skewed))


@dataclass(eq=False)
class Spoiled:
    """An engine whose predictions for the cell of ``n_atoms`` atoms are changed from evaluation ``at`` on."""

    engine: PairEngine
    n_atoms: int
    at: int
    change: Callable[[Prediction, int, slice], Prediction]
    n_evaluations: int = 0

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        return self.engine.neighbours(cells, skin=skin)

    def evaluate(self, cells, **wanted) -> Prediction:
        prediction = self.engine.evaluate(cells, **wanted)
        self.n_evaluations += 1
        if self.n_evaluations <= self.at or self.n_atoms not in cells.n_atoms:
            return prediction
        cell = int(np.flatnonzero(cells.n_atoms == self.n_atoms)[0])
        return self.change(prediction, cell, slice(*cells.offsets[cell : cell + 2]))


def _nan_forces(prediction: Prediction, cell: int, atoms: slice) -> Prediction:
    forces = prediction.forces.copy()
    forces[atoms] = np.nan
    return replace(prediction, forces=forces)


def _huge_forces(prediction: Prediction, cell: int, atoms: slice) -> Prediction:
    forces = prediction.forces.copy()
    forces[atoms] = 1e30
    return replace(prediction, forces=forces)


def _nan_energy(prediction: Prediction, cell: int, atoms: slice) -> Prediction:
    energies = prediction.member_energies.copy()
    energies[-1, cell] = np.nan
    return replace(prediction, member_energies=energies, energies=energies.mean(axis=0))


SPOILERS = {'nan forces': _nan_forces, 'huge forces': _huge_forces, 'nan energy': _nan_energy}


def fcc(n: int, *, a: float = 4.05, jitter: float = 0.0, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Return positions and lattice of n x n x n cubes of FCC."""
    corners = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing='ij'), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = a * (corners + basis).reshape(-1, 3)
    return positions + jitter * np.random.default_rng(seed).standard_normal(positions.shape), np.eye(3) * n * a


def constant(temperature: float, *, t_max_ps: float) -> Schedule:
    """Return the schedule of one temperature."""
    return Schedule(t_start_k=temperature, t_end_k=temperature, t_mod_k=0, t_0_ps=10, t_max_ps=t_max_ps)


@pytest.fixture
def engines() -> SimpleNamespace:
    """The engines above, which test modules cannot import from here."""
    return SimpleNamespace(
        PairEngine=PairEngine, EinsteinEngine=EinsteinEngine, Watched=Watched, Spoiled=Spoiled, spoilers=SPOILERS
    )


@pytest.fixture
def crystals() -> SimpleNamespace:
    """Cells and schedules."""
    return SimpleNamespace(fcc=fcc, constant=constant)


@pytest.fixture
def small_cells() -> Cells:
    """Three jittered crystals of 3, 4 and 32 atoms; the smaller ones are shorter than the cutoff."""
    four, lattice = fcc(1, jitter=0.1)
    many, large = fcc(2, jitter=0.1, seed=1)
    return Cells.from_lists([four[:3], four, many], [lattice, lattice, large], species=13)


@pytest.fixture
def run(tmp_path):
    """Return a function that samples on an engine without interruption."""

    def call(
        cells, engine, *, schedules=None, t_max_ps=0.1, temperature=300.0, energy=1e9, seed=3, known=None, **settings
    ):
        others = {key: settings.pop(key) for key in tuple(settings) if key in Thresholds.model_fields}
        schedules = schedules or [constant(temperature, t_max_ps=t_max_ps)] * len(cells)
        task = SamplingTask(
            cells,
            tuple(schedules),
            SamplingSettings(**({'min_time_ps': 0.0, 'frame_interval': 10} | settings)),
            Thresholds(energy_ev_per_sqrt_atom=energy, **others),
            seed,
        )
        return sample(
            task,
            engine=engine,
            checkpoint=tmp_path / 'none.safetensors',
            fingerprint='',
            interrupted=lambda: False,
            report=lambda _: None,
            novelty=None if known is None else Novelty(known),
        )

    return call
