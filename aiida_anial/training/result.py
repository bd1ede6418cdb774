"""What a training gives: the potential, learning curves and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.training.errors import ConfigurationErrors, configuration_errors, summarise, summarise_roles
from aiida_anial.training.settings import TrainingSettings

__all__ = ('CURVES', 'LearningCurves', 'TrainingResult', 'evaluation_steps')

CURVES = {
    'train_energy_rmse': 'meV/atom',
    'validation_energy_rmse': 'meV/atom',
    'train_force_rmse': 'eV/angstrom',
    'validation_force_rmse': 'eV/angstrom',
    'train_loss': 'eV^2',
    'selection_loss': 'eV^2',
    'learning_rate': '1',
}
_USUAL_INTERVAL = 50
_KIND = 'learning_curves'
_SCHEMA_VERSION = 1


def evaluation_steps(settings: TrainingSettings, n_configurations: int) -> NDArray[np.int64]:
    """Return the steps at which all configurations are evaluated: 0, each interval, and the last."""
    two_epochs = -(-2 * n_configurations // settings.batch_size)
    interval = settings.evaluation_interval or max(_USUAL_INTERVAL, two_epochs)
    return np.unique(np.append(np.arange(0, settings.max_steps, interval), settings.max_steps)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Curves of M members at n evaluations.

    :param steps: ``[n]`` optimiser steps taken before the evaluation.
    :param values: for each name in ``CURVES`` ``[M, n]`` in the unit given there; NaN where a member has no such
        configurations or had stopped.
    """

    steps: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]

    @classmethod
    def empty(cls, n_members: int, steps: NDArray[np.int64]) -> Self:
        """Return curves before the first evaluation."""
        return cls(steps, {name: np.full((n_members, len(steps)), np.nan) for name in CURVES})

    def reached(self) -> Self:
        """Return the curves up to the last evaluation of any member, for all may have stopped before the last step."""
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
    """A trained potential and how it came about.

    :param ensemble: the potential, each member in its best state.
    :param learning_curves: its learning curves.
    :param errors: errors of the potential on every configuration.
    :param summary: numbers for people and queries.
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
        """Return the result of a training, with the errors that the potential has when an engine evaluates it.

        :param potential: what was trained.
        :param curves: learning curves up to the last evaluation.
        :param data: all labels.
        :param engine: evaluates the potential.
        :param summary: what the trainer adds to the summary of the errors.
        """
        errors = configuration_errors(potential, data, make_engine(potential, engine))
        return cls(potential, curves, errors, {**summarise(errors), **summarise_roles(errors), **summary})

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``step`` ``[n_evaluations]`` and the curves ``[M, n_evaluations]`` by name; units in ``CURVES``."""
        return self.learning_curves.arrays()
