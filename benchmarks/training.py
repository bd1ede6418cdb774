"""How long an epoch of training takes for all networks, and how long torchani's textbook loop takes for the same.

The package computes descriptors and their Jacobians once and then trains all members together. The textbook trains one
network after the other: forces by autograd with their graph kept, and the loss backward through them, on the same
batches of the same cells. The loop is measured on a part of an epoch and scaled up to a whole one: its steps are alike.

Run it from the repository root::

    python benchmarks/training.py --short --json /tmp/training.json
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import rivals
import systems

from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainer import train_ensemble

QUESTION: Final = 'How many seconds does an epoch of training take for 8 networks?'
FORCE_WEIGHT: Final = 0.25
BATCH_SIZE: Final = 8
FORMS: Final = {False: 'torchani, cell by cell', True: 'torchani, batches on kept lists'}
# Of sixteen blocks of configurations, a member trains on so many.
TRAINED_BLOCKS: Final = 13


@dataclass
class Epochs:
    """Times of the package's epochs, with something else to be measured between them.

    The training asks before each step whether it shall stop, which is where the clock is read; what ``between`` takes
    does not count.

    :param n_steps: of an epoch.
    :param between: called after each epoch.
    """

    n_steps: int
    between: Callable[[], None]

    def __post_init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.prepared_s = 0.0
        self.steps: list[float] = []
        self._calls = 0

    def prepared(self) -> None:
        """Note that the descriptors are done."""
        self.prepared_s = time.perf_counter() - self.started
        self.last = time.perf_counter()

    def before_a_step(self) -> bool:
        """Note the time of the step before."""
        if not self.prepared_s:
            return False
        now = time.perf_counter()
        if self._calls:
            self.steps.append(now - self.last)
            # The first step has the evaluation of the untrained members in it.
            if len(self.steps) > 1 and (len(self.steps) - 1) % self.n_steps == 0:
                self.between()
        self._calls += 1
        self.last = time.perf_counter()
        return False

    @property
    def epochs(self) -> list[float]:
        """Seconds of each epoch, evaluations left out."""
        steps = self.steps[1:]
        n_epochs = len(steps) // self.n_steps
        return [sum(steps[epoch * self.n_steps : (epoch + 1) * self.n_steps]) for epoch in range(n_epochs)]

    @property
    def evaluation_s(self) -> float:
        """Seconds of one evaluation of all configurations by all members."""
        return max(self.steps[0] - statistics.median(self.steps[1:]), 0.0)


def train(data: LabelledCells, ensemble: Ensemble, *, n_epochs: int, options: common.Options, epochs: Epochs) -> None:
    """Run the package's training, with ``epochs`` as its clock."""
    settings = TrainingSettings(
        # One more for the step that has the first evaluation in it.
        max_steps=n_epochs * epochs.n_steps + 2,
        batch_size=BATCH_SIZE,
        force_weight=FORCE_WEIGHT,
        stress_weight=0.0,
        evaluation_interval=1_000_000,
        memory_gib=8.0,
    )

    def report(line: str) -> None:
        if line.startswith('descriptors done'):
            epochs.prepared()

    with TemporaryDirectory() as folder:
        train_ensemble(
            data,
            model=ensemble.model,
            settings=settings,
            seed=1,
            initial=None,
            checkpoint=Path(folder) / 'checkpoint',
            interrupted=epochs.before_a_step,
            report=report,
            engine=options.settings(options.engines[0]),
        )


def compare(
    data: LabelledCells, ensemble: Ensemble, options: common.Options, *, n_epochs: int, members: int, batches: int
) -> common.Result:
    """Return the table.

    :param n_epochs: of the package.
    :param members: how many networks of torchani are measured after each of these epochs,
    :param batches: and on how many batches.
    """
    loops = {
        batched: rivals.TorchaniTraining(
            ensemble, data, batch_size=BATCH_SIZE, force_weight=FORCE_WEIGHT, batched=batched
        )
        for batched in FORMS
    }
    parts: dict[bool, list[float]] = {batched: [] for batched in FORMS}
    whole = float(len(data) * ensemble.n_members)

    def between() -> None:
        for batched, loop in loops.items():
            amount, duration = loop.run(members=members, batches=batches)
            parts[batched].append(duration * whole / amount)
        common.progress(f'training: {len(parts[True])} of {n_epochs} epochs')

    for loop in loops.values():
        loop.run(members=1, batches=1)
    epochs = Epochs(-(-len(data) // BATCH_SIZE), between)
    train(data, ensemble, n_epochs=n_epochs, options=options, epochs=epochs)
    return report(epochs, parts, data=data, measured_part=members * min(batches * BATCH_SIZE, len(data)) / whole)


def report(
    epochs: Epochs, parts: dict[bool, list[float]], *, data: LabelledCells, measured_part: float
) -> common.Result:
    """Return rows, figures and notes."""
    own = statistics.median(epochs.epochs)
    rows: list[dict[str, Any]] = [{'program': 'aiida-anial', 'epoch_s': own, 'ratio': 1.0, 'measured_part': 1.0}]
    ratios = {}
    for batched, times in parts.items():
        ratios[batched] = statistics.median(other / one for one, other in zip(epochs.epochs, times, strict=True))
        row = {'program': FORMS[batched], 'epoch_s': statistics.median(times), 'ratio': ratios[batched]}
        rows.append({**row, 'measured_part': measured_part})
    once = {'preparation (once)': epochs.prepared_s, 'evaluation of all configurations': epochs.evaluation_s}
    rows += [{'program': f'aiida-anial, {name}', 'epoch_s': duration} for name, duration in once.items()]
    figures = {
        'train_epoch_s': own,
        'train_epoch_ratio_torchani': ratios[False],
        'train_epoch_ratio_torchani_batched': ratios[True],
        'train_epoch_ratio_torchani_own_blocks': ratios[False] * TRAINED_BLOCKS / 16,
        'train_epoch_torchani_s': statistics.median(parts[False]),
        'train_preparation_s': epochs.prepared_s,
        'train_torchani_measured_part': measured_part,
    }
    notes = [
        f'{len(data)} random cells with {len(data.cells.positions)} atoms, batches of {BATCH_SIZE}; labels by EMT.',
        'An epoch: each network sees each configuration once, energies and forces; medians, taken in turn.',
        f'torchani: {measured_part:.1%} of an epoch was measured after each of the package, and scaled up linearly.',
        'Both see all cells. Of these, a member of the package counts 13 of 16 in its loss: a loop that left out the '
        f'others would need {TRAINED_BLOCKS / 16:.0%} of the time (train_epoch_ratio_torchani_own_blocks).',
    ]
    return common.Result(QUESTION, rows, figures, notes)


def measure(options: common.Options) -> common.Result:
    """Measure 200 cells of 39 atoms."""
    common.progress('training: labels')
    data = systems.emt_labels(systems.training_cells())
    members, batches, n_epochs = (1, 2, 5) if options.short else (8, 5, 10)
    return compare(data, systems.random_ensemble(), options, n_epochs=n_epochs, members=members, batches=batches)


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
