"""Training and dynamics that are timed on the spot."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import Thresholds
from aiida_anial.training.emt_labels import emt_labels
from aiida_anial.training.trainers import trainer_of

__all__ = ('engine_trial',)

_STEPS: Final = 60
# No rule may stop a trajectory, whatever a potential of a few steps does.
_NEVER: Final = Thresholds(energy_ev_per_sqrt_atom=1e9)


class _Clock:
    """Notes when each step begins, in place of a question whether to stop."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def __call__(self) -> bool:
        self.moments.append(time.perf_counter())
        return False

    @property
    def step_s(self) -> float:
        return statistics.median(np.diff(self.moments).tolist())


def engine_trial(inputs: CampaignInputs, cells: Cells) -> tuple[float, float]:
    """Train on EMT's labels of ``cells`` for some steps, let them move, and return what a step takes.

    :return: seconds of a step of the dynamics for each atom, and of a step of the training.
    """
    training, moving = _Clock(), _Clock()
    settings = inputs.training.retrain.model_copy(update={'max_steps': _STEPS, 'evaluation_interval': _STEPS})
    threads = inputs.training.threads or inputs.engine.threads
    with TemporaryDirectory() as folder:
        common: dict[str, Any] = {'checkpoint': Path(folder) / 'checkpoint', 'report': _ignore}
        result = trainer_of(inputs.model.kind)(
            emt_labels(cells),
            model=inputs.model,
            settings=settings,
            seed=1,
            initial=None,
            interrupted=training,
            engine=inputs.engine.model_copy(update={'threads': threads}),
            **common,
        )
        dynamics = inputs.sampling.dynamics.model_copy(update={'min_contact_angstrom': 0.0, 'min_time_ps': 0.0})
        length_ps = _STEPS * dynamics.time_step_fs / 1000
        schedule = Schedule(t_start_k=300.0, t_end_k=300.0, t_mod_k=0.0, t_0_ps=10.0, t_max_ps=length_ps)
        task = SamplingTask(cells, (schedule,) * len(cells), dynamics, _NEVER, 1)
        engine = make_engine(result.ensemble, inputs.engine)
        sample(task, engine=engine, fingerprint='', interrupted=moving, **common)
    return moving.step_s / len(cells.positions), training.step_s


def _ignore(_: str) -> None: ...
