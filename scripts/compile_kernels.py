"""Compile the numba kernels before the tests, one process for each precision.

Numba caches compiled code on disk, but processes that start at the same time find nothing there, and each compiles the
kernels for itself. That takes minutes if they share a few cores.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import numpy as np

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings, ModelSettings
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainer import train_ensemble

_N_CELLS: Final = 16
_EDGE_ANGSTROM: Final = 4.05
_DISPLACEMENT_ANGSTROM: Final = 0.05
_FCC: Final = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def labelled_cells() -> LabelledCells:
    """Return FCC cells of four atoms with small displacements; their labels are zero."""
    generator = np.random.default_rng(1)
    shape = (_N_CELLS, *_FCC.shape)
    positions = _EDGE_ANGSTROM * _FCC + _DISPLACEMENT_ANGSTROM * generator.standard_normal(shape)
    cells = Cells.from_lists(list(positions), [_EDGE_ANGSTROM * np.eye(3)] * _N_CELLS, species=13)
    return LabelledCells(
        cells=cells,
        energies=np.zeros(_N_CELLS),
        forces=np.zeros_like(cells.positions),
        stresses=np.zeros((_N_CELLS, 3, 3)),
        uuids=tuple(str(UUID(int=index)) for index in range(_N_CELLS)),
        iterations=np.zeros(_N_CELLS, dtype=np.int64),
        origins=('random',) * _N_CELLS,
    )


def compile_kernels(dtype: str) -> None:
    """Train for two steps and run two time steps, which calls every kernel."""
    engine, data = EngineSettings.parse({'dtype': dtype}), labelled_cells()
    with TemporaryDirectory() as folder:
        potential = _train(data, engine, Path(folder))
        _sample(data.cells, potential, engine, Path(folder))


def _train(data: LabelledCells, engine: EngineSettings, folder: Path) -> Potential:
    return train_ensemble(
        data,
        model=ModelSettings(hidden_layers=(8, 8), n_members=2),
        settings=TrainingSettings(max_steps=2, batch_size=8),
        seed=1,
        initial=None,
        checkpoint=folder / 'training.safetensors',
        interrupted=lambda: False,
        report=lambda _: None,
        engine=engine,
    ).ensemble


def _sample(cells: Cells, potential: Potential, engine: EngineSettings, folder: Path) -> None:
    settings = SamplingSettings(min_time_ps=0)
    schedule = Schedule(t_start_k=300, t_end_k=300, t_mod_k=0, t_0_ps=1, t_max_ps=2 * settings.time_step_fs / 1000)
    thresholds = Thresholds(energy_ev_per_sqrt_atom=1e6, force_mean_ev_per_angstrom=1e6)
    sample(
        SamplingTask(cells, (schedule,) * len(cells), settings, thresholds, seed=1),
        engine=make_engine(potential, engine),
        checkpoint=folder / 'sampling.safetensors',
        fingerprint='',
        interrupted=lambda: False,
        report=lambda _: None,
    )


if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(2) as pool:
        pool.map(compile_kernels, ('float32', 'float64'))
