"""Settings of a training, and the exceptions that end it."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aiida_anial.common.errors import AnialError
from aiida_anial.common.settings import NonNegative, Positive, Settings

__all__ = ('TrainingFailed', 'TrainingInterrupted', 'TrainingSettings')

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class TrainingSettings(Settings):
    """How the members of an ensemble are trained; all of them in one stacked computation.

    The defaults suit some tens of small cells and random initial weights; starting from an earlier ensemble, a learning
    rate of 2e-3 forgets less. Errors of the virial are larger numbers than those of forces (a cell of 15 atoms under
    20 GPa has 30 eV on the diagonal): a stress weight above a hundredth of the force weight begins to harm the forces.

    :param max_steps: optimiser steps; one step takes one batch.
    :param batch_size: configurations in a batch. All members share the batches; each counts only the configurations of
        its own training blocks.
    :param learning_rate: learning rate of Adam at the first step.
    :param final_learning_rate: learning rate at the end of the schedule.
    :param schedule: ``cosine`` falls from ``learning_rate`` to ``final_learning_rate`` over ``max_steps``;
        ``plateau``, the schedule of the paper, halves the learning rate of a member that has not improved for
        ``plateau_evaluations``, and stops the member once the rate would fall below ``final_learning_rate``.
    :param plateau_evaluations: evaluations without improvement after which ``plateau`` halves the learning rate.
    :param force_weight: l0^2 of Eq. 1, in angstrom^2: weight of the squared force errors.
    :param stress_weight: weight of the squared errors of the virial (volume times stress, eV); 0 leaves stress out.
    :param final_stress_weight: the weight that ``stress_weight`` changes to in the course of ``max_steps``, along half
        a period of a cosine; None keeps it. Forces are learned first and faster if the stress does not count yet.
    :param force_scale_ev_per_angstrom: the loss of a configuration counts 1 / (1 + (f / scale)^2) times, f being the
        root mean square of its force components: configurations far from equilibrium, whose errors are the largest,
        would otherwise decide what the networks learn. None, as in the paper: all count alike.
    :param evaluation_interval: steps between two evaluations of all configurations. The default is 50 or two epochs,
        whichever is longer, so that evaluations take at most a sixth of the time.
    :param early_stopping_evaluations: evaluations without improvement after which a member stops; 0 means never.
    :param memory_gib: memory for descriptor Jacobians in GiB; those that do not fit are recomputed in every batch.
    :param max_restarts: how often a diverged member is trained again from another seed.
    :param max_diverged_fraction: the training fails at once when more than this fraction of the members diverge.
    :param checkpoint_interval_s: least wall-clock seconds between two checkpoints.
    """

    max_steps: Count = 1000
    batch_size: Count = 16
    learning_rate: Annotated[Positive, Field(le=1)] = 5e-3
    final_learning_rate: Positive = 1e-5
    schedule: Literal['cosine', 'plateau'] = 'cosine'
    plateau_evaluations: Count = 100
    force_weight: NonNegative = 4.0
    stress_weight: NonNegative = 0.01
    final_stress_weight: NonNegative | None = None
    force_scale_ev_per_angstrom: Positive | None = None
    evaluation_interval: Count | None = None
    early_stopping_evaluations: Annotated[int, Field(ge=0)] = 0
    memory_gib: NonNegative = 2.0
    max_restarts: Annotated[int, Field(ge=0)] = 2
    max_diverged_fraction: Fraction = 0.5
    checkpoint_interval_s: NonNegative = 60.0

    def stress_weight_at(self, step: int) -> float:
        """Return the weight of the virial at optimiser step ``step``, counted from 0."""
        if self.final_stress_weight is None:
            return self.stress_weight
        share = math.sin(math.pi / 2 * min(step / self.max_steps, 1.0)) ** 2
        return (1 - share) * self.stress_weight + share * self.final_stress_weight

    @model_validator(mode='after')
    def _rates_fall(self) -> Self:
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f'final_learning_rate {self.final_learning_rate:g} is above learning_rate {self.learning_rate:g}'
            )
        return self


class TrainingFailed(AnialError):  # noqa: N818 - an outcome of the method, not a programming error
    """Too many members diverged, or one diverged in all of its attempts."""


class TrainingInterrupted(Exception):  # noqa: N818 - not an error: the training continues from its checkpoint
    """The training was asked to stop; its checkpoint has been written."""
