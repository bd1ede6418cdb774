"""Training of potentials of kind ``ani``: all members of an ensemble in one stacked computation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import EngineSettings, ModelSettings
from aiida_anial.training.loss import Evaluation, add_loss_gradients, evaluate, mean_over, selection_mask
from aiida_anial.training.optimiser import batch_indices, learning_rates
from aiida_anial.training.parameters import to_ensemble
from aiida_anial.training.problem import Problem
from aiida_anial.training.settings import TrainingFailed, TrainingInterrupted, TrainingSettings
from aiida_anial.training.splits import Role
from aiida_anial.training.state import TrainingState
from aiida_anial.training.trainers import TrainingResult, evaluation_steps

__all__ = ('train_ensemble',)


def train_ensemble(
    data: LabelledCells,
    *,
    model: ModelSettings,
    settings: TrainingSettings,
    seed: int,
    initial: Ensemble | None,
    checkpoint: Path,
    interrupted: Callable[[], bool],
    report: Callable[[str], None],
    engine: EngineSettings | None = None,
) -> TrainingResult:
    """Return an ensemble trained on ``data``; see :class:`~aiida_anial.training.trainers.Trainer`.

    :raises TrainingInterrupted: if ``interrupted`` returned true; before the first step, no checkpoint is written.
    :raises TrainingFailed: if too many members diverged, or one diverged in all of its attempts.
    :raises AnialError: if there are too few configurations, or the initial ensemble or the checkpoint does not fit.
    """
    engine = engine or EngineSettings()
    n_cells, n_atoms = len(data), len(data.cells.positions)

    def check(index: int) -> None:
        if interrupted():
            raise TrainingInterrupted(f'stopped before the first step, at descriptors of cell {index} of {n_cells}.')

    report(f'training {model.n_members} members on {n_cells} configurations with {n_atoms} atoms')
    problem = Problem.prepare(
        data, model=model, settings=settings, seed=seed, initial=initial, engine=engine, check=check
    )
    report(f'descriptors done; self energy {problem.self_energy:.6f} eV/atom')
    trainer = _Trainer(problem, checkpoint=checkpoint, interrupted=interrupted, report=report, device=engine.device)
    state = trainer.run()
    ensemble = to_ensemble(state.best_parameters, model, self_energy=problem.self_energy)
    summary = {'self_energy_ev': problem.self_energy, 'members': _members(state, seed)}
    return TrainingResult.of(ensemble, state.curves.reached(), data, engine=engine, summary=summary)


def _members(state: TrainingState, seed: int) -> list[dict[str, Any]]:
    """Return, for each member, its seed, its attempts and its best evaluation."""
    return [
        {
            'seed': [seed, member, int(attempt)],
            'attempts': int(attempt) + 1,
            'best_step': int(state.best_step[member]),
            'best_selection_loss_ev2': float(state.best_score[member]),
        }
        for member, attempt in enumerate(state.attempts)
    ]


class _Trainer:
    """Runs a training from its checkpoint, or from the start, to its end."""

    def __init__(
        self,
        problem: Problem,
        *,
        checkpoint: Path,
        interrupted: Callable[[], bool],
        report: Callable[[str], None],
        device: str,
    ) -> None:
        self._problem, self._settings = problem, problem.settings
        self._checkpoint, self._interrupted, self._report = checkpoint, interrupted, report
        self._train = torch.tensor(problem.roles == Role.TRAIN, device=device)
        self._weights = torch.as_tensor(problem.weights, dtype=problem.targets.features.dtype, device=device)
        self._selection = selection_mask(problem.roles)
        self._evaluation_steps = evaluation_steps(self._settings, len(problem.targets))
        self._state = self._first_state(device)

    def _first_state(self, device: str) -> TrainingState:
        """Return the state in the checkpoint, or that of a new training."""
        if self._checkpoint.exists():
            state = TrainingState.read(self._checkpoint, fingerprint=self._problem.fingerprint, device=device)
            self._report(f'continuing from step {state.step} of {self._settings.max_steps}')
            return state
        members = np.arange(self._problem.model.n_members)
        return TrainingState.start(self._problem.initial_parameters(members, attempt=0), self._evaluation_steps)

    def run(self) -> TrainingState:
        """Train until the end and return the final state."""
        self._run_round()
        while self._state.diverged.any():
            self._begin_next_round()
            self._run_round()
        return self._state

    def _begin_next_round(self) -> None:
        """Restart the diverged members from new random weights.

        :raises TrainingFailed: if the settings do not allow another attempt.
        """
        members = np.flatnonzero(self._state.diverged)
        n_members = len(self._state.diverged)
        advice = 'lower training.learning_rate or look for unphysical labels'
        if len(members) > self._settings.max_diverged_fraction * n_members:
            raise TrainingFailed(f'training: {len(members)} of {n_members} members diverged; {advice}.')
        if self._state.round >= self._settings.max_restarts:
            raise TrainingFailed(
                f'training: member {members[0]} diverged in all of its {self._state.round + 1} attempts; {advice}.'
            )
        attempt = self._state.round + 1
        self._report(f'members {", ".join(map(str, members))} diverged: attempt {attempt + 1} with other weights')
        self._state.begin_round(members, self._problem.initial_parameters(members, attempt=attempt))

    def _run_round(self) -> None:
        """Train the active members until the last step, or until all of them have stopped."""
        state, settings = self._state, self._settings
        written = time.monotonic()
        while True:
            if self._interrupted():
                state.write(self._checkpoint, fingerprint=self._problem.fingerprint)
                raise TrainingInterrupted(f'stopped at step {state.step} of {settings.max_steps}; checkpoint written.')
            if time.monotonic() - written > settings.checkpoint_interval_s:
                state.write(self._checkpoint, fingerprint=self._problem.fingerprint)
                written = time.monotonic()
            if state.step in self._evaluation_steps:
                self._evaluate()
            if state.step >= settings.max_steps or not state.active.any():
                return
            self._step()

    def _step(self) -> None:
        """Take one optimiser step with all active members."""
        state, settings = self._state, self._settings
        indices = batch_indices(
            len(self._problem.targets),
            settings.batch_size,
            seed=self._problem.seed,
            attempt=state.round,
            step=state.step,
        )
        gradients = self._gradients(indices)
        # A sum is finite only if all of its terms are; checking the sum is faster.
        finite = torch.isfinite(gradients.sum(dim=1))
        if not finite.all():
            gradients[~finite] = 0
            self._drop(np.flatnonzero(~finite.cpu().numpy()))
        # A member that trains on none of these configurations does not move.
        rates = learning_rates(settings, state.step, state.halvings) * state.active
        moving = self._train[:, indices].any(dim=1)
        state.adam.step(state.parameters, gradients, torch.as_tensor(rates, device=gradients.device) * moving)
        state.step += 1

    def _gradients(self, indices: NDArray[np.int64]) -> Tensor:
        """Return the gradients ``[M, P]`` of the members' losses on a batch, zero for members that are not active."""
        state = self._state
        if state.active.all():
            return self._loss_gradients(state.parameters, self._train, indices)
        active = torch.tensor(state.active, device=state.parameters.device)
        gradients = torch.zeros_like(state.parameters)
        gradients[active] = self._loss_gradients(state.parameters[active], self._train[active], indices)
        return gradients

    def _loss_gradients(self, parameters: Tensor, trained: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return the gradients of the mean weighted loss over the configurations of a batch that each member trains on.

        :param parameters: ``[M, P]`` parameters of the members.
        :param trained: ``[M, C]`` whether a member trains on a configuration.
        """
        counted = trained[:, indices]
        shares = counted * self._weights[indices] / counted.sum(dim=1, keepdim=True).clamp(min=1)
        gradients = torch.zeros_like(parameters)
        for part, batch in self._problem.targets.batches(indices.tolist()):
            add_loss_gradients(
                parameters,
                batch,
                self._problem.model,
                shares=shares[:, part],
                force_weight=self._settings.force_weight,
                stress_weight=self._settings.stress_weight_at(self._state.step),
                out=gradients,
            )
        return gradients

    def _drop(self, members: NDArray[np.int64]) -> None:
        """Remove diverged members from this round."""
        self._state.diverged[members] = True
        self._state.active[members] = False

    def _evaluate(self) -> None:
        """Evaluate all members, store the best states, drop diverged members, and stop or slow down stalled ones."""
        state, settings = self._state, self._settings
        evaluation = evaluate(
            state.parameters,
            self._problem.targets,
            self._problem.model,
            force_weight=settings.force_weight,
            stress_weight=settings.stress_weight_at(settings.max_steps),
        )
        loss = evaluation.loss * self._problem.weights
        train_loss = mean_over(loss, self._problem.roles == Role.TRAIN)
        scores = mean_over(loss, self._selection)
        self._record(evaluation, train_loss, scores)
        sound = np.isfinite(scores) & (train_loss <= self._problem.loss_bound)
        self._drop(np.flatnonzero(state.active & ~sound))
        state.keep_best(scores)
        self._slow_down_or_stop()

    def _record(self, evaluation: Evaluation, train_loss: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Add an evaluation to the learning curves of the active members and report it."""
        state, problem = self._state, self._problem
        values = {'train_loss': train_loss, 'selection_loss': scores}
        values['learning_rate'] = learning_rates(self._settings, state.step, state.halvings)
        for role in (Role.TRAIN, Role.VALIDATION):
            mask, name = problem.roles == role, role.name.lower()
            values[f'{name}_energy_rmse'] = evaluation.energy_rmse(mask, problem.n_atoms)
            values[f'{name}_force_rmse'] = evaluation.force_rmse(mask, problem.n_atoms)
        position = int(np.searchsorted(self._evaluation_steps, state.step))
        for name, curve in state.curves.values.items():
            curve[state.active, position] = values[name][state.active]
        self._report(_progress(state, values, self._settings.max_steps))

    def _slow_down_or_stop(self) -> None:
        """Stop the members that have not improved for some time, or halve their learning rates."""
        state, settings = self._state, self._settings
        if settings.early_stopping_evaluations:
            state.active &= state.stalled < settings.early_stopping_evaluations
        if settings.schedule == 'plateau':
            waiting = state.active & (state.waited >= settings.plateau_evaluations)
            state.halvings[waiting] += 1
            state.waited[waiting] = 0
            # With a margin for rounding, because halving may not give exactly the final rate.
            rates = settings.learning_rate * 0.5**state.halvings
            state.active &= rates > (1 - 1e-9) * settings.final_learning_rate


def _progress(state: TrainingState, values: dict[str, NDArray[np.float64]], max_steps: int) -> str:
    """Return a line with the median errors of the active members."""
    parts = []
    for name in ('train', 'validation'):
        energy, force = values[f'{name}_energy_rmse'][state.active], values[f'{name}_force_rmse'][state.active]
        if np.isfinite(energy).any():
            parts.append(f'{name} {np.nanmedian(energy):.1f} meV/atom {np.nanmedian(force):.3f} eV/A')
    return f'step {state.step} of {max_steps}: ' + ', '.join(parts or ['no member has finite errors'])
