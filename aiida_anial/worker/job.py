"""Common to all commands of ``anial-worker``: input and output files, the record of the machine, the time limit."""

from __future__ import annotations

import json
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeVar

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray
from pydantic import Field

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.settings import Settings

__all__ = ('Job', 'JobInputs', 'JobInterrupted', 'Status', 'check_species', 'machine_record', 'read_shards')

_CPU_INFO = Path('/proc/cpuinfo')

# Sets of vector instructions on which the path through compiled code and BLAS depends.
_VECTORS = ('avx', 'avx2', 'fma', 'avx512f', 'avx512_fp16', 'amx_tile', 'asimd', 'sve', 'sve2')

_LIBRARIES = ('numpy', 'numba', 'torch')


def machine_record() -> dict[str, Any]:
    """Return the processors (``cpu``, ``instructions``, ``gpu``), ``threads``, and ``versions`` of loaded libraries.

    Two jobs with equal records and equal inputs give the same bits. The record contains neither a host name nor a time.
    """
    entries = _cpu_info()
    flags = (entries.get('flags') or entries.get('Features') or '').split()
    threads = os.environ.get('OMP_NUM_THREADS', '')
    return {
        'cpu': entries.get('model name') or platform.processor() or platform.machine(),
        'instructions': [platform.machine(), *(name for name in _VECTORS if name in flags)],
        'gpu': _gpu(),
        'threads': int(threads) if threads.isdecimal() else None,
        'versions': {
            'python': platform.python_version(),
            **{name: str(sys.modules[name].__version__) for name in _LIBRARIES if name in sys.modules},
        },
    }


def _cpu_info() -> dict[str, str]:
    """Return the entries of Linux about the first core; empty on other systems."""
    if not _CPU_INFO.is_file():
        return {}
    first = _CPU_INFO.read_text(encoding='utf-8').split('\n\n', maxsplit=1)[0]
    pairs = (line.partition(':') for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gpu() -> str | None:
    """Return the name of the GPU if torch has used one, or None."""
    torch: Any = sys.modules.get('torch')
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())


def read_shards(directory: Path) -> LabelledCells:
    """Return the configurations of all files in ``shards/``, in the order of the file names.

    :raises FileFormatError: if there are no files, or one is not a dataset.
    """
    paths = sorted((directory / 'shards').glob('*.safetensors'))
    if not paths:
        raise FileFormatError(f'{directory / "shards"}: there is no dataset (*.safetensors).')
    return LabelledCells.concatenate([LabelledCells.read(path) for path in paths]).unique()


def check_species(species: NDArray[np.integer], *, known: Collection[str]) -> None:
    """Refuse atoms of elements that a potential does not describe.

    :param species: atomic numbers.
    :param known: symbols of the elements of the potential.
    :raises AnialError: if there is an atom of another element.
    """
    others = sorted({chemical_symbols[number] for number in species} - set(known))
    if others:
        raise AnialError(f'cells: they contain {", ".join(others)}, but the potential knows only {", ".join(known)}.')


INPUT_FILE = 'input.json'
OUTPUT_FILE = 'output.json'

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

InputsT = TypeVar('InputsT', bound='JobInputs')


class JobInterrupted(Exception):  # noqa: N818 - not an error: the job continues from its checkpoint
    """A command stopped because ``Job.interrupted`` asked it to, after writing its checkpoint.

    :param message: one sentence that says how far the command got.
    :param summary: content of ``summary`` in ``output.json``.
    """

    def __init__(self, message: str, summary: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.summary = summary or {}


class JobInputs(Settings):
    """The keys that ``input.json`` of every command may contain; each command adds its own keys in a subclass.

    :param max_wallclock_seconds: time limit of the scheduler, from the start of the process; null for no limit.
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

    :param directory: folder with the files of the job.
    :param inputs: content of ``input.json``, not yet validated; see ``parse``.
    :param max_wallclock_seconds: time limit, counted from ``started``; None for no limit.
    :param started: ``clock()`` at the start of the process.
    :param clock: function that returns a time in s from a fixed origin.
    """

    directory: Path
    inputs: Mapping[str, Any]
    max_wallclock_seconds: int | None = None
    started: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic
    _signalled: bool = field(default=False, init=False)

    @classmethod
    def read(cls, directory: Path, *, started: float | None = None) -> Job:
        """Return the job whose ``input.json`` is in ``directory``.

        :raises FileFormatError: if the file is missing or not a JSON object.
        :raises SettingsError: if its ``max_wallclock_seconds`` is not a positive whole number or null.
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

        :raises SettingsError: if a key is unknown, missing or has a wrong value; one sentence that names the key.
        """
        return model.parse(self.inputs, where=INPUT_FILE)

    def path(self, name: str) -> Path:
        """Return the path of the file ``name`` of the job."""
        return self.directory / name

    def report(self, text: str) -> None:
        """Print a line on the progress without buffering."""
        print(text, flush=True)

    def interrupted(self) -> bool:
        """Return whether to write a checkpoint and stop, because of a signal or because the time is nearly over."""
        return self._signalled or self.seconds_left() <= 0

    def seconds_left(self) -> float:
        """Return the time in s until the command must stop.

        It leaves a margin for the checkpoint: 5 % of the time limit, at least 10 s, but at most half of the limit.
        """
        if self.max_wallclock_seconds is None:
            return math.inf
        limit = float(self.max_wallclock_seconds)
        margin = min(max(10.0, 0.05 * limit), 0.5 * limit)
        return self.started + limit - margin - self.clock()

    @contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Turn SIGTERM and SIGINT into requests for an orderly stop, which ``interrupted`` reports."""

        def remember(_number: int, _frame: FrameType | None) -> None:
            self._signalled = True

        previous = {number: signal.signal(number, remember) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def finish(self, status: Status, *, message: str, summary: Mapping[str, Any]) -> None:
        """Write ``output.json`` with the record of the machine; a reader never sees an incomplete file.

        NumPy's numbers become plain ones, and numbers that are not finite become null, because JSON has neither.
        """
        machine = machine_record()
        content = {'status': status, 'message': message, 'summary': _plain(summary), 'machine': machine}
        path = self.path(OUTPUT_FILE)
        temporary = path.with_name(path.name + '.part')
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + '\n', encoding='utf-8')
        temporary.replace(path)


def _plain(value: Any) -> Any:
    """Return ``value`` converted to types of JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
