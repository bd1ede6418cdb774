"""Stretches of dynamics that go on after an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors

__all__ = ('DynamicsInterrupted', 'DynamicsRunner')

_KIND: Final = 'dynamics_checkpoint'
_SCHEMA_VERSION: Final = 1
_BETWEEN_CHECKPOINTS_S: Final = 120.0
_N_REPORTS: Final = 10

Arrays = dict[str, NDArray[Any]]
# Where a stretch goes on, beside what was observed.
_STEP, _POSITIONS, _MOMENTA, _CELL = _STATE = ('state.step', 'state.positions', 'state.momenta', 'state.cell')


class DynamicsInterrupted(Exception):  # noqa: N818 - not an error: the dynamics goes on from its checkpoint
    """A dynamics was asked to stop; its checkpoint has been written."""


@dataclass(eq=False)
class DynamicsRunner:
    """Runs stretches of dynamics and keeps what they gave, so that none is run twice.

    A stretch that was interrupted goes on from its positions, momenta and cell; its thermostat and its barostat start
    at rest. What is done is known by name, so each stretch needs a name of its own.

    :param report: called with a line on the progress.
    :param checkpoint: file to go on from if it exists, written every two minutes and on interruption; None for none.
    :param fingerprint: identifies all inputs; a checkpoint with another one is refused.
    :param interrupted: asked often; if it returns true, the checkpoint is written and the dynamics ends.
    """

    report: Callable[[str], None] = lambda _: None
    checkpoint: Path | None = None
    fingerprint: str = ''
    interrupted: Callable[[], bool] = lambda: False
    _done: dict[str, Arrays] = field(default_factory=dict, init=False)
    _written: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        """Read the checkpoint if there is one.

        :raises AnialError: if it belongs to a dynamics with other inputs, or is no checkpoint.
        """
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        content = read_tensors(self.checkpoint, kind=_KIND, schema_version=_SCHEMA_VERSION)
        if content.metadata.get('fingerprint') != self.fingerprint:
            raise AnialError(f'{self.checkpoint}: belongs to a dynamics with other inputs; remove it to start again.')
        for name, array in content.arrays.items():
            stretch, _, part = name.rpartition('/')
            self._done.setdefault(stretch, {})[part] = array

    def once(self, name: str, make: Callable[[], Mapping[str, Any]]) -> Arrays:
        """Return the arrays that ``make`` returned under this name, before or now; a number is an array of one.

        :raises DynamicsInterrupted: if asked to stop after that.
        """
        if name not in self._done:
            self._done[name] = {part: np.atleast_1d(value) for part, value in make().items()}
            self._save()
            self._stop_if_asked(name)
        return self._done[name]

    def stretch(
        self,
        name: str,
        atoms: Atoms,
        integrator: Callable[[Atoms], Any],
        *,
        time_ps: float,
        time_step_fs: float,
        interval_fs: float,
        observe: Callable[[Atoms], Mapping[str, Any]] = lambda _: {},
    ) -> Arrays:
        """Move ``atoms`` to the end of a stretch, and return what was observed, ``[T, ...]`` by name.

        :param integrator: returns the dynamics of ASE, of this time step.
        :param interval_fs: time between observations; the first is after it.
        :param observe: returns arrays of the same shapes at every observation.
        :raises DynamicsInterrupted: if asked to stop before the end.
        """
        interval = max(round(interval_fs / time_step_fs), 1)
        n_steps = max(round(1000 * time_ps / time_step_fs / interval), 1) * interval
        done = self._done.get(name, {})
        step, samples = int(done[_STEP][0]) if done else 0, _unstacked(done)
        if done:
            atoms.set_cell(done[_CELL])
            atoms.set_positions(done[_POSITIONS])
            atoms.set_momenta(done[_MOMENTA])
        dynamics = integrator(atoms) if step < n_steps else None
        while dynamics is not None and step < n_steps:
            dynamics.run(interval)
            step += interval
            for part, value in observe(atoms).items():
                samples.setdefault(part, []).append(np.asarray(value))
            if step * _N_REPORTS // n_steps > (step - interval) * _N_REPORTS // n_steps:
                self.report(f'{name}: {step * time_step_fs / 1000:.1f} of {n_steps * time_step_fs / 1000:g} ps')
            is_due = step == n_steps or time.monotonic() - self._written > _BETWEEN_CHECKPOINTS_S
            if is_due or self.interrupted():
                self._done[name] = _state(atoms, step) | {part: np.stack(values) for part, values in samples.items()}
                self._save()
                self._stop_if_asked(name)
        return {part: array for part, array in self._done[name].items() if part not in _STATE}

    def _save(self) -> None:
        """Write the checkpoint."""
        self._written = time.monotonic()
        if self.checkpoint is not None:
            arrays = {f'{name}/{part}': array for name, done in self._done.items() for part, array in done.items()}
            content = TensorFile(_KIND, _SCHEMA_VERSION, {'fingerprint': self.fingerprint}, arrays)
            write_tensors(self.checkpoint, content)

    def _stop_if_asked(self, name: str) -> None:
        if self.interrupted():
            raise DynamicsInterrupted(f'stopped in or after {name}')


def _state(atoms: Atoms, step: int) -> Arrays:
    """Return that from which a stretch goes on."""
    return {
        _STEP: np.array([step]),
        _POSITIONS: atoms.get_positions(),
        _MOMENTA: atoms.get_momenta(),
        _CELL: atoms.cell.array.copy(),
    }


def _unstacked(done: Arrays) -> dict[str, list[NDArray[Any]]]:
    """Return the observations so far."""
    return {part: list(array) for part, array in done.items() if part not in _STATE}
