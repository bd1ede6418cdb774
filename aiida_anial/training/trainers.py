"""What trains a kind of potential, and how it is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.settings import EngineSettings, of_kind
from aiida_anial.training.result import TrainingResult
from aiida_anial.training.settings import TrainingSettings

__all__ = ('TRAINERS', 'Trainer', 'trainer_of')

TRAINERS = {'ani': 'aiida_anial.training.trainer:train_ensemble'}
"""For each ``model.kind`` the :class:`Trainer`; imported in a job only, so it may load torch."""


class Trainer(Protocol):
    """Makes a potential of one kind from labels."""

    def __call__(
        self,
        data: LabelledCells,
        *,
        model: Any,
        settings: TrainingSettings,
        seed: int,
        initial: Any,
        checkpoint: Path,
        interrupted: Callable[[], bool],
        report: Callable[[str], None],
        engine: EngineSettings | None = None,
    ) -> TrainingResult:
        """Return a potential trained on ``data``, best made by ``TrainingResult.of``.

        The result is a function of the arguments (and of the number of threads, by rounding): an interrupted training
        that continues from its checkpoint ends in the same bits as one that was not interrupted.

        :param data: labelled configurations.
        :param model: settings of the kind's own class.
        :param settings: how to train; those that mean nothing to the kind are ignored.
        :param seed: of every random number.
        :param initial: potential of the same settings to start from, or None to start afresh.
        :param checkpoint: file to continue from if it exists, and to write to; left in place.
        :param interrupted: asked before each step whether to stop.
        :param report: takes lines on the progress.
        :param engine: precision and device of the training, and the engine that computes the final errors.
        :raises TrainingInterrupted: when ``interrupted`` said so; the checkpoint, if there is one, is whole.
        :raises TrainingFailed: if the potential did not train.
        :raises AnialError: if there is too little to train on, or the initial potential or the checkpoint does not fit.
        """
        ...


def trainer_of(kind: str) -> Trainer:
    """Return what trains potentials of ``kind``.

    :raises SettingsError: if nothing does.
    """
    trainer: Trainer = of_kind(TRAINERS, kind)
    return trainer
