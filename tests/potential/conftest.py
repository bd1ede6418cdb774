"""Random cells and random networks: their numbers mean nothing, but all relations between them must hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.potentials import random_cell, random_ensemble

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, make_engine
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import EngineSettings, ModelSettings

# The GPU is tested if there is one.
ENGINES = [{'engine': 'numba'}, {'engine': 'torch'}]
ENGINES += [{'engine': 'torch', 'device': 'cuda'}] * torch.cuda.is_available()


@pytest.fixture(scope='session')
def ensemble() -> Ensemble:
    """Three members on the descriptor of ANI-Al, with networks small enough for many finite differences."""
    return random_ensemble(ModelSettings(hidden_layers=(12, 10), n_members=3))


@pytest.fixture(scope='session', params=ENGINES, ids=lambda options: '-'.join(options.values()))
def engine_options(request: pytest.FixtureRequest) -> dict[str, str]:
    return request.param


@pytest.fixture(scope='session')
def engine(ensemble: Ensemble, engine_options: dict[str, str]) -> Engine:
    """Each engine, in double precision."""
    return make_engine(ensemble, EngineSettings(**engine_options, dtype='float64'))


@pytest.fixture(scope='session')
def cells() -> Cells:
    """A batch of cells from one atom, far smaller than the cutoff, to twenty."""
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
