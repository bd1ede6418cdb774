"""The changing part of a training, and its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors
from aiida_anial.training.optimiser import Adam
from aiida_anial.training.trainers import CURVES, LearningCurves

__all__ = ('TrainingState',)

_KIND = 'training_checkpoint'
_SCHEMA_VERSION = 1


@dataclass
class TrainingState:
    """The state of a training between two optimiser steps.

    A training is a sequence of rounds. The first round trains all members; each further one trains, from step 0, those
    that diverged in the round before. Batches follow from seed, round and step, so no random generator is stored.

    :param parameters: ``[M, P]`` parameters of all members.
    :param adam: the optimiser.
    :param best_parameters: ``[M, P]`` parameters of each member at its best evaluation.
    :param best_score: ``[M]`` selection loss there in eV^2, infinite before the first evaluation.
    :param best_step: ``[M]`` step of that evaluation.
    :param active: ``[M]`` whether the member is being trained.
    :param diverged: ``[M]`` whether it has diverged in this round.
    :param attempts: ``[M]`` number of times that the member has been restarted from another seed.
    :param stalled: ``[M]`` number of evaluations since the best one.
    :param waited: ``[M]`` number of evaluations since the best one or the last halving of the learning rate.
    :param halvings: ``[M]`` number of times that the learning rate has been halved.
    :param curves: learning curves.
    :param step: steps taken in this round.
    :param round: number of this round, from 0.
    """

    parameters: Tensor
    adam: Adam
    best_parameters: Tensor
    best_score: NDArray[np.float64]
    best_step: NDArray[np.int64]
    active: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    attempts: NDArray[np.int64]
    stalled: NDArray[np.int64]
    waited: NDArray[np.int64]
    halvings: NDArray[np.int64]
    curves: LearningCurves
    step: int = 0
    round: int = 0

    @classmethod
    def start(cls, parameters: Tensor, evaluation_steps: NDArray[np.int64]) -> Self:
        """Return the state before the first step, from the initial parameters ``[M, P]``."""
        n_members = len(parameters)
        counters: dict[str, Any] = {name: np.zeros(n_members, dtype=np.int64) for name in _COUNTERS}
        return cls(
            parameters=parameters,
            adam=Adam.zeros_like(parameters),
            best_parameters=parameters.clone(),
            best_score=np.full(n_members, np.inf),
            active=np.ones(n_members, dtype=np.bool_),
            diverged=np.zeros(n_members, dtype=np.bool_),
            curves=LearningCurves.empty(n_members, evaluation_steps),
            **counters,
        )

    def keep_best(self, scores: NDArray[np.float64]) -> None:
        """Store the parameters of the active members whose score is their best so far.

        :param scores: ``[M]`` selection loss of the current parameters, eV^2.
        """
        better = self.active & (scores < self.best_score)
        index = torch.tensor(better, device=self.parameters.device)
        self.best_parameters[index] = self.parameters[index]
        self.best_score[better] = scores[better]
        self.best_step[better] = self.step
        for counter in (self.stalled, self.waited):
            counter[self.active] += 1
            counter[better] = 0

    def begin_round(self, members: NDArray[np.int64], parameters: Tensor) -> None:
        """Begin a round that trains ``members`` anew from ``parameters`` ``[len(members), P]``."""
        index = torch.tensor(members, device=self.parameters.device)
        self.parameters[index] = parameters
        self.best_parameters[index] = parameters
        self.adam.forget(index)
        self.best_score[members] = np.inf
        for name in ('best_step', 'stalled', 'waited', 'halvings'):
            getattr(self, name)[members] = 0
        for curve in self.curves.values.values():
            curve[members] = np.nan
        self.attempts[members] += 1
        self.active[:] = False
        self.active[members] = True
        self.diverged[:] = False
        self.step = 0
        self.round += 1

    def write(self, path: Path, *, fingerprint: str) -> None:
        """Write the checkpoint atomically: even after a kill, the file is complete.

        :param fingerprint: identifies the training that the state belongs to.
        """
        arrays = {f'curves.{name}': array for name, array in self.curves.arrays().items()}
        arrays |= {name: getattr(self, name) for name in (*_COUNTERS, *_FLAGS, 'best_score')}
        tensors = {name: getattr(self, name) for name in ('parameters', 'best_parameters')}
        tensors |= {f'adam.{name}': getattr(self.adam, name) for name in ('first', 'second', 'counts')}
        arrays |= {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
        metadata = {'fingerprint': fingerprint, 'step': self.step, 'round': self.round}
        write_tensors(path, TensorFile(_KIND, _SCHEMA_VERSION, metadata, arrays))

    @classmethod
    def read(cls, path: Path, *, fingerprint: str, device: str) -> Self:
        """Return the state in the checkpoint ``path``.

        :raises FileFormatError: if the file is not a checkpoint, or belongs to a training with other data, settings or
            seed.
        """
        content = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION)
        if content.metadata['fingerprint'] != fingerprint:
            raise FileFormatError(
                f'{path}: is the checkpoint of a training with other data, settings or seed; remove it to start afresh.'
            )
        arrays = content.arrays
        tensors = {name: torch.from_numpy(arrays[name].copy()).to(device) for name in _TENSORS}
        return cls(
            parameters=tensors['parameters'],
            best_parameters=tensors['best_parameters'],
            adam=Adam(tensors['adam.first'], tensors['adam.second'], tensors['adam.counts']),
            curves=LearningCurves(arrays['curves.step'], {name: arrays[f'curves.{name}'].copy() for name in CURVES}),
            step=int(content.metadata['step']),
            round=int(content.metadata['round']),
            **{name: arrays[name].copy() for name in (*_COUNTERS, *_FLAGS, 'best_score')},
        )


_TENSORS = ('parameters', 'best_parameters', 'adam.first', 'adam.second', 'adam.counts')
_COUNTERS = ('best_step', 'attempts', 'stalled', 'waited', 'halvings')
_FLAGS = ('active', 'diverged')
