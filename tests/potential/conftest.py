"""Random cells and random networks: no number here is physics, but every relation between them must hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, EngineSettings, make_engine
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

# The GPU is among them where there is one.
ENGINES = [{'engine': 'numba'}, {'engine': 'torch'}]
ENGINES += [{'engine': 'torch', 'device': 'cuda'}] * torch.cuda.is_available()


def random_cell(n_atoms: int, *, seed: int, volume: float = 17.0, shear: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and lattice of a sheared cell, ``volume`` angstrom^3 an atom, no two atoms within 1.7 A."""
    generator = np.random.default_rng([seed, n_atoms])
    edge = (n_atoms * volume) ** (1 / 3)
    lattice = np.diag(generator.uniform(0.9, 1.1, 3)) + shear * np.tril(generator.uniform(-1, 1, (3, 3)), -1)
    lattice *= edge / np.cbrt(np.linalg.det(lattice))
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3) @ lattice
    placed = np.zeros((0, 3))
    while len(placed) < n_atoms:
        point = generator.random(3) @ lattice
        distances = np.linalg.norm(placed[:, None] + images - point, axis=-1)
        if (distances > 1.7).all():
            placed = np.vstack([placed, point])
    return placed, lattice


def random_ensemble(model: ModelSettings, *, seed: int = 5) -> Ensemble:
    """Return an ensemble of random weights."""
    generator = np.random.default_rng(seed)
    sizes, members = model.layer_sizes, model.n_members
    weights = [generator.normal(size=(members, n_out, n_in)) * n_in**-0.5 for n_in, n_out in itertools.pairwise(sizes)]
    biases = [generator.normal(size=(members, n_out)) * 0.1 for n_out in sizes[1:]]
    return Ensemble(model, tuple(weights), tuple(biases), -2.5)


@pytest.fixture(scope='session')
def ensemble() -> Ensemble:
    """Three members on the descriptor of ANI-Al, whose small networks make finite differences cheap."""
    return random_ensemble(ModelSettings(hidden_layers=(12, 10), n_members=3))


@pytest.fixture(scope='session', params=ENGINES, ids=lambda options: '-'.join(options.values()))
def engine_options(request: pytest.FixtureRequest) -> dict[str, str]:
    return request.param


@pytest.fixture(scope='session')
def engine(ensemble: Ensemble, engine_options: dict[str, str]) -> Engine:
    """Each of the engines, in double precision."""
    return make_engine(ensemble, EngineSettings(**engine_options, dtype='float64'))


@pytest.fixture(scope='session')
def cells() -> Cells:
    """A batch with cells far smaller than the cutoff, of one atom even, and one that is not so small."""
    return Cells.from_lists(*zip(*[random_cell(n_atoms, seed=1) for n_atoms in (1, 3, 8, 20)], strict=True), species=13)


@pytest.fixture
def make_cell() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return random_cell


@pytest.fixture
def make_ensemble() -> Callable[..., Ensemble]:
    return random_ensemble


@pytest.fixture
def slope() -> Callable[..., np.ndarray]:
    """Return the derivative of a function at 0 by central differences, accurate to the fourth power of the step."""

    def derivative(function: Callable[[float], np.ndarray], *, step: float) -> np.ndarray:
        near = function(step) - function(-step)
        far = function(2 * step) - function(-2 * step)
        return (8 * near - far) / (12 * step)

    return derivative
