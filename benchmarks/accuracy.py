"""Measure the time from labelled cells to an energy error of 3 meV/atom on unseen cells.

The teacher, which labels the cells, is ASE's EMT. If the environment variable ``ANIAL_PUBLISHED_MODEL`` names the
folder of the published ANI-Al, the teacher is ANI-Al, which is harder to learn and takes ten times as many steps. The
time includes the descriptors. An error counts as reached when the energy error of the median member on its validation
configurations is that low. torchani's time is that of its textbook loop for the same number of steps, measured on a few
batches and scaled up. The short form stops after half of the steps, with a larger error.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import common
import rivals
import systems
import training

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.settings import EngineSettings, ModelSettings
from aiida_anial.training.emt_labels import emt_labels

TARGETS_MEV: Final = (20.0, 10.0, 5.0, 3.0)
NAMED_MEV: Final = 3.0
N_CELLS: Final = 200
BATCH_SIZE: Final = 4
SETTINGS: Final = {'batch_size': BATCH_SIZE, 'learning_rate': 3e-3, 'final_learning_rate': 1e-5}
MAX_STEPS: Final = {'EMT': 3000, 'ANI-Al': 30_000}
# Number of evaluations in a training. Each takes about as long as a tenth of an epoch.
EVALUATIONS: Final = 60
# Number of torchani's batches that are timed, after one for warm-up.
RIVAL_BATCHES: Final = 5
PROGRESS: Final = re.compile(r'step (\d+) of .*validation ([\d.]+) meV/atom ([\d.]+) eV/A')


@dataclass
class Course:
    """Errors in the course of a training, read from its progress report.

    :param points: for each evaluation, seconds since the start, step, and median errors of energy (meV/atom) and force
        (eV/angstrom) on the validation configurations.
    """

    points: list[tuple[float, int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start = time.perf_counter()

    def __call__(self, line: str) -> None:
        """Add a point if ``line`` of the report contains errors."""
        found = PROGRESS.match(line)
        if found:
            seconds = time.perf_counter() - self._start
            self.points.append((seconds, int(found[1]), float(found[2]), float(found[3])))

    def reached(self, target_mev: float) -> tuple[float, int] | None:
        """Return seconds and step of the first energy error of at most ``target_mev`` meV/atom, if there is one."""
        return next(((seconds, step) for seconds, step, error, _ in self.points if error <= target_mev), None)


def labels(cells: Cells) -> tuple[str, LabelledCells]:
    """Return the name of the teacher, and ``cells`` with its labels."""
    folder = os.environ.get('ANIAL_PUBLISHED_MODEL')
    data = emt_labels(cells)
    if not folder:
        return 'EMT', data
    engine = make_engine(read_neurochem(Path(folder)), EngineSettings(dtype='float64'))
    prediction = engine.evaluate(cells, stress=True)
    assert prediction.forces is not None
    assert prediction.stresses is not None
    taught = LabelledCells(
        cells, prediction.energies, prediction.forces, prediction.stresses, data.uuids, data.iterations, data.origins
    )
    return 'ANI-Al', taught


def torchani_step_s(data: LabelledCells, model: ModelSettings, *, batches: int) -> float:
    """Return the seconds that torchani takes for one step of all members, cell by cell.

    :param batches: number of batches to time.
    """
    ensemble = systems.random_ensemble(model)
    loop = rivals.TorchaniTraining(ensemble, data, batch_size=BATCH_SIZE, force_weight=training.FORCE_WEIGHT)
    loop.run(members=1, batches=1)
    times = [loop.run(members=1, batches=1)[1] for _ in range(batches)]
    return statistics.median(times) * model.n_members


def compare(cells: Cells, model: ModelSettings, options: common.Options, *, part: float = 1.0) -> common.Result:
    """Return rows and figures of a training on ``cells``.

    :param part: fraction of the number of steps that the teacher requires.
    """
    teacher, data = labels(cells)
    max_steps = max(round(part * MAX_STEPS[teacher]), 1)
    common.progress(f'accuracy: {max_steps} steps on labels of {teacher}')
    step_s = torchani_step_s(data, model, batches=RIVAL_BATCHES)
    course = Course()
    settings = {**SETTINGS, 'max_steps': max_steps, 'evaluation_interval': max(max_steps // EVALUATIONS, 1)}
    training.train(data, model, options, settings, report=course)
    rows: list[dict[str, Any]] = []
    for target in TARGETS_MEV:
        found = course.reached(target)
        row: dict[str, Any] = {'error_mev_per_atom': target, 'reached': 'no' if found is None else 'yes'}
        if found is not None:
            row |= {'seconds': found[0], 'steps': found[1], 'torchani_scaled_s': found[1] * step_s}
        rows.append(row)
    best = min(course.points, key=lambda point: point[2])
    rows.append({'error_mev_per_atom': best[2], 'reached': 'best', 'seconds': best[0], 'steps': best[1]})
    named = course.reached(NAMED_MEV)
    figures: dict[str, Any] = {
        'accuracy_teacher': teacher,
        'time_to_3mev_s': None if named is None else named[0],
        'time_to_3mev_torchani_s': None if named is None else named[1] * step_s,
        'accuracy_best_mev_per_atom': best[2],
        'accuracy_force_ev_per_angstrom': course.points[-1][3],
        'accuracy_training_s': course.points[-1][0],
    }
    return common.Result(rows, figures)


def measure(options: common.Options) -> common.Result:
    """Measure a training on 200 cells of 39 atoms."""
    return compare(systems.training_cells(N_CELLS), ModelSettings(), options, part=0.5 if options.short else 1.0)
