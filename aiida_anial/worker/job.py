"""The directory of a job: what goes in, when to stop, what comes out."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.settings import Settings
from aiida_anial.worker.machine import machine_record

__all__ = ('Job', 'JobInputs', 'JobInterrupted', 'Status')

INPUT_FILE = 'input.json'
OUTPUT_FILE = 'output.json'

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

InputsT = TypeVar('InputsT', bound='JobInputs')


class JobInterrupted(Exception):  # noqa: N818 - not an error: the job goes on from its checkpoint
    """A command stopped because ``Job.interrupted`` asked it to, after having written its checkpoint.

    :param message: one sentence: how far it came.
    :param summary: what ``output.json`` shall hold.
    """

    def __init__(self, message: str, summary: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.summary = summary or {}


class JobInputs(Settings):
    """What ``input.json`` of every command may hold; each command adds its own keys in a subclass.

    :param max_wallclock_seconds: time the scheduler gives the job, from the start of the process; null: no limit.
    """

    max_wallclock_seconds: Annotated[int, Field(ge=1)] | None = None


class Status(StrEnum):
    """The values of ``status`` in ``output.json``."""

    FINISHED = 'finished'
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'


@dataclass(eq=False)
class Job:
    """A job that runs in ``directory``.

    :param directory: where the files of the job are.
    :param inputs: content of ``input.json``, not yet validated; see ``parse``.
    :param max_wallclock_seconds: time that the job has from ``started`` on; None: no limit.
    :param started: ``clock()`` at the start of the process.
    :param clock: seconds from any origin.
    """

    directory: Path
    inputs: Mapping[str, Any]
    max_wallclock_seconds: int | None = None
    started: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic
    _signalled: bool = field(default=False, init=False)

    @classmethod
    def read(cls, directory: Path, *, started: float | None = None) -> Job:
        """Return the job whose ``input.json`` lies in ``directory``.

        :raises FileFormatError: if it is missing or not a JSON object.
        :raises SettingsError: if ``max_wallclock_seconds`` in it is not a positive whole number or null.
        """
        path = directory / INPUT_FILE
        try:
            inputs = json.loads(path.read_text(encoding='utf-8'))
        except OSError as exception:
            raise FileFormatError(f'{path}: cannot be read ({exception.strerror}).') from exception
        except ValueError as exception:
            raise FileFormatError(f'{path}: not JSON ({exception}).') from exception
        if not isinstance(inputs, dict):
            raise FileFormatError(f'{path}: not a JSON object.')
        limits = {key: inputs[key] for key in JobInputs.model_fields if key in inputs}
        limit = JobInputs.parse(limits, where=INPUT_FILE).max_wallclock_seconds
        return cls(directory, inputs, limit, time.monotonic() if started is None else started)

    def parse(self, model: type[InputsT]) -> InputsT:
        """Return the validated content of ``input.json``.

        :raises SettingsError: one sentence that names the key, if one is unknown, missing or impossible.
        """
        return model.parse(self.inputs, where=INPUT_FILE)

    def path(self, name: str) -> Path:
        """Return the path of the file ``name`` of the job."""
        return self.directory / name

    def report(self, text: str) -> None:
        """Print a line on the progress, at once."""
        print(text, flush=True)

    def interrupted(self) -> bool:
        """Whether to write a checkpoint and stop: a signal came, or the time is nearly over."""
        return self._signalled or self.seconds_left() <= 0

    def seconds_left(self) -> float:
        """Return the seconds until the command must stop.

        A margin before the end is kept for the checkpoint: 5 % of the time and at least 10 s, but never more than half.
        """
        if self.max_wallclock_seconds is None:
            return math.inf
        limit = float(self.max_wallclock_seconds)
        margin = min(max(10.0, 0.05 * limit), 0.5 * limit)
        return self.started + limit - margin - self.clock()

    @contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask for an orderly stop instead of ending the process."""

        def remember(_number: int, _frame: FrameType | None) -> None:
            self._signalled = True

        previous = {number: signal.signal(number, remember) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def finish(self, status: Status, *, message: str, summary: Mapping[str, Any]) -> None:
        """Write ``output.json``, with the machine that it ran on; a reader never sees half of it.

        Numbers of NumPy become plain ones, and what is not finite becomes null, for JSON knows neither.
        """
        machine = machine_record()
        content = {'status': status, 'message': message, 'summary': _plain(summary), 'machine': machine}
        path = self.path(OUTPUT_FILE)
        temporary = path.with_name(path.name + '.part')
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + '\n', encoding='utf-8')
        temporary.replace(path)


def _plain(value: Any) -> Any:
    """Return ``value`` made of what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
