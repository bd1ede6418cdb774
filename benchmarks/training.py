"""Measure the time of a training epoch of all networks, with the package and with torchani's textbook loop.

The package computes descriptors and their Jacobians once and then trains all members together. The textbook loop trains
one network after the other, cell by cell: forces by autograd with their graph kept, and a backward pass through them,
in batches of the same size from the same cells. It is measured on part of an epoch and scaled up, since all of its
steps are alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import rivals
import systems

from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.emt_labels import emt_labels
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainer import train_ensemble

FORCE_WEIGHT: Final = 0.25
BATCH_SIZE: Final = 8


@dataclass
class Epochs:
    """Times of the package's epochs, with other measurements between them.

    Before each step, the training asks whether it should stop; the clock is read there. The time of ``between`` does
    not count.

    :param n_steps: number of steps in an epoch.
    :param between: function called after each epoch.
    """

    n_steps: int
    between: Callable[[], None]

    def __post_init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.prepared_s = 0.0
        self.steps: list[float] = []
        self._calls = 0

    def prepared(self) -> None:
        """Record that the descriptors are done."""
        self.prepared_s = time.perf_counter() - self.started
        self.last = time.perf_counter()

    def before_a_step(self) -> bool:
        """Record the time of the previous step; return false, so that the training continues."""
        if not self.prepared_s:
            return False
        now = time.perf_counter()
        if self._calls:
            self.steps.append(now - self.last)
            # The first step includes the evaluation of the untrained members and belongs to no epoch.
            if len(self.steps) > 1 and (len(self.steps) - 1) % self.n_steps == 0:
                self.between()
        self._calls += 1
        self.last = time.perf_counter()
        return False

    @property
    def epochs(self) -> list[float]:
        """Seconds of each epoch, without evaluations."""
        steps = self.steps[1:]
        n_epochs = len(steps) // self.n_steps
        return [sum(steps[epoch * self.n_steps : (epoch + 1) * self.n_steps]) for epoch in range(n_epochs)]

    @property
    def evaluation_s(self) -> float:
        """Seconds of one evaluation of all configurations by all members."""
        return max(self.steps[0] - statistics.median(self.steps[1:]), 0.0)


def train(
    data: LabelledCells,
    model: ModelSettings,
    options: common.Options,
    settings: Mapping[str, Any],
    *,
    report: Callable[[str], None],
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """Run the package's training.

    :param settings: settings of the training, in addition to those that all measurements share.
    :param report: function called with each line on the progress.
    :param interrupted: function called before each step; if it returns true, the training stops.
    """
    chosen = {'force_weight': FORCE_WEIGHT, 'stress_weight': 0.0, 'memory_gib': 8.0, **settings}
    with TemporaryDirectory() as folder:
        train_ensemble(
            data,
            model=model,
            settings=TrainingSettings.parse(chosen),
            seed=1,
            initial=None,
            checkpoint=Path(folder) / 'checkpoint',
            interrupted=interrupted,
            report=report,
            engine=options.settings(),
        )


def compare(
    data: LabelledCells, ensemble: Ensemble, options: common.Options, *, n_epochs: int, members: int, batches: int
) -> common.Result:
    """Return rows and figures.

    :param n_epochs: number of epochs of the package.
    :param members: number of torchani's networks that are measured after each of these epochs.
    :param batches: number of batches for each of these networks.
    """
    loop = rivals.TorchaniTraining(ensemble, data, batch_size=BATCH_SIZE, force_weight=FORCE_WEIGHT)
    loop.run(members=1, batches=1)
    others: list[float] = []
    whole = len(data) * ensemble.n_members

    def between() -> None:
        amount, duration = loop.run(members=members, batches=batches)
        others.append(duration * whole / amount)
        common.progress(f'training: {len(others)} of {n_epochs} epochs')

    epochs = Epochs(-(-len(data) // BATCH_SIZE), between)
    train(
        data,
        ensemble.model,
        options,
        # More steps than the epochs have, because the first one belongs to no epoch.
        {'batch_size': BATCH_SIZE, 'max_steps': n_epochs * epochs.n_steps + 2, 'evaluation_interval': 1_000_000},
        report=lambda line: epochs.prepared() if line.startswith('descriptors done') else None,
        interrupted=epochs.before_a_step,
    )
    return result_of(epochs, others, measured_part=members * min(batches * BATCH_SIZE, len(data)) / whole)


def result_of(epochs: Epochs, others: list[float], *, measured_part: float) -> common.Result:
    """Return rows and figures from the measured times.

    :param others: seconds of an epoch of torchani, scaled up, for each epoch of the package.
    :param measured_part: fraction of torchani's epoch that was measured.
    """
    own, other = statistics.median(epochs.epochs), statistics.median(others)
    ratio = statistics.median(two / one for one, two in zip(epochs.epochs, others, strict=True))
    rows: list[dict[str, Any]] = [
        {'program': 'aiida-anial', 'epoch_s': own, 'measured_part': 1.0},
        {'program': 'torchani', 'epoch_s': other, 'ratio': ratio, 'measured_part': measured_part},
        {'program': 'aiida-anial, preparation (once)', 'epoch_s': epochs.prepared_s},
        {'program': 'aiida-anial, evaluation of all configurations', 'epoch_s': epochs.evaluation_s},
    ]
    figures = {
        'train_epoch_s': own,
        'train_epoch_ratio_torchani': ratio,
        'train_epoch_torchani_s': other,
        'train_preparation_s': epochs.prepared_s,
        'train_torchani_measured_part': measured_part,
    }
    return common.Result(rows, figures)


def measure(options: common.Options) -> common.Result:
    """Measure epochs on 200 cells of 39 atoms."""
    common.progress('training: labels')
    data = emt_labels(systems.training_cells())
    members, batches, n_epochs = (1, 2, 5) if options.short else (8, 5, 10)
    return compare(data, systems.random_ensemble(), options, n_epochs=n_epochs, members=members, batches=batches)
