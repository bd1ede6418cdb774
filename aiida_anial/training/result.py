"""What a training gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.training.curves import LearningCurves
from aiida_anial.training.errors import ConfigurationErrors

__all__ = ('TrainingResult',)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained ensemble and how it came about.

    :param ensemble: each member in its best state.
    :param learning_curves: its learning curves.
    :param errors: errors of the final ensemble on every configuration.
    :param summary: numbers for people and queries.
    """

    ensemble: Ensemble
    learning_curves: LearningCurves
    errors: ConfigurationErrors
    summary: dict[str, Any]

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """``step`` ``[n_evaluations]`` and the curves ``[M, n_evaluations]`` by name; units in ``curves.CURVES``."""
        return self.learning_curves.arrays()
