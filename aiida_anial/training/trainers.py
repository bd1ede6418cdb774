"""Trainers make potentials from labels: their interface, their result, and the trainer of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings, of_kind
from aiida_anial.training.errors import ConfigurationErrors, configuration_errors, summarise, summarise_roles
from aiida_anial.training.settings import TrainingSettings

__all__ = (
    'CURVES',
    'TRAINERS',
    'LearningCurves',
    'Trainer',
    'TrainingResult',
    'evaluation_steps',
    'trainer_of',
)

TRAINERS = {'ani': 'aiida_anial.training.trainer:train_ensemble'}
"""For each ``model.kind`` the :class:`Trainer`; only jobs import it, so it may load torch."""

CURVES = {
    'train_energy_rmse': 'meV/atom',
    'validation_energy_rmse': 'meV/atom',
    'train_force_rmse': 'eV/angstrom',
    'validation_force_rmse': 'eV/angstrom',
    'train_loss': 'eV^2',
    'selection_loss': 'eV^2',
    'learning_rate': '1',
}
# Least steps between evaluations, unless the settings say otherwise.
_USUAL_INTERVAL = 50
_KIND = 'learning_curves'
_SCHEMA_VERSION = 1


def evaluation_steps(settings: TrainingSettings, n_configurations: int) -> NDArray[np.int64]:
    """Return the steps at which all configurations are evaluated: the first, the last, and at each interval."""
    two_epochs = -(-2 * n_configurations // settings.batch_size)
    interval = settings.evaluation_interval or max(_USUAL_INTERVAL, two_epochs)
    return np.unique(np.append(np.arange(0, settings.max_steps, interval), settings.max_steps)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Learning curves of M members at n evaluations.

    :param steps: ``[n]`` optimiser steps taken before each evaluation.
    :param values: for each name in ``CURVES``, ``[M, n]`` in the unit given there; NaN if a member has no such
        configurations or had stopped.
    """

    steps: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]

    @classmethod
    def empty(cls, n_members: int, steps: NDArray[np.int64]) -> Self:
        """Return the curves before the first evaluation, filled with NaN."""
        return cls(steps, {name: np.full((n_members, len(steps)), np.nan) for name in CURVES})

    def reached(self) -> Self:
        """Return the curves up to the last evaluation that any member reached before it stopped."""
        n_reached = int(np.isfinite(self.values['learning_rate']).any(axis=0).sum())
        return type(self)(self.steps[:n_reached], {name: curve[:, :n_reached] for name, curve in self.values.items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """Return ``step`` and all curves by name."""
        return {'step': self.steps, **self.values}

    def write(self, path: Path) -> None:
        """Write the curves to a safetensors file of kind ``learning_curves``."""
        write_tensors(path, TensorFile(_KIND, _SCHEMA_VERSION, {'units': CURVES}, self.arrays()))


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained potential, with learning curves and errors.

    :param ensemble: the potential, with each member in its best state.
    :param learning_curves: learning curves of the members.
    :param errors: errors of the potential on every configuration.
    :param summary: summary for users and queries.
    """

    ensemble: Potential
    learning_curves: LearningCurves
    errors: ConfigurationErrors
    summary: dict[str, Any]

    @classmethod
    def of(
        cls,
        potential: Potential,
        curves: LearningCurves,
        data: LabelledCells,
        *,
        engine: EngineSettings,
        summary: Mapping[str, Any],
    ) -> Self:
        """Return the result of a training, with errors computed by the engine that will evaluate the potential.

        :param potential: the trained potential.
        :param curves: learning curves up to the last evaluation.
        :param data: all labels.
        :param engine: settings of the engine.
        :param summary: entries that the trainer adds to the summary of the errors.
        """
        errors = configuration_errors(potential, data, make_engine(potential, engine))
        return cls(potential, curves, errors, {**summarise(errors), **summarise_roles(errors), **summary})

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``step`` ``[n]`` and the curves ``[M, n]`` by name, for n evaluations; units are in ``CURVES``."""
        return self.learning_curves.arrays()


class Trainer(Protocol):
    """Trains potentials of one kind."""

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
        """Return a potential trained on ``data``, in the result of ``TrainingResult.of``.

        The result depends only on the arguments (and, by rounding, on the number of threads): a training that is
        interrupted and continued from its checkpoint gives bitwise the same result as an uninterrupted one.

        :param data: labelled configurations.
        :param model: settings of the potential, of the class of its kind.
        :param settings: settings of the training; those that do not apply to the kind are ignored.
        :param seed: seed of all random numbers.
        :param initial: potential of the same settings to start from, or None.
        :param checkpoint: file to continue from if it exists, and to write checkpoints to; it is not removed.
        :param interrupted: called before each step; if it returns true, the training stops.
        :param report: called with lines on the progress.
        :param engine: precision and device of the training, and the engine that computes the final errors.
        :raises TrainingInterrupted: if ``interrupted`` returned true; the checkpoint, if there is one, is complete.
        :raises TrainingFailed: if the training failed.
        :raises AnialError: if there are too few configurations, or the initial potential or the checkpoint does not
            fit.
        """
        ...


def trainer_of(kind: str) -> Trainer:
    """Return the trainer of potentials of ``kind``.

    :raises SettingsError: if there is none.
    """
    trainer: Trainer = of_kind(TRAINERS, kind)
    return trainer
