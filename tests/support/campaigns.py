"""Observe a running campaign from outside, while a test interferes with it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.shell import BIN, Shell

__all__ = ('CAMPAIGN', 'ENGINES', 'PHASES', 'Campaign', 'Eye', 'Outcome', 'Process', 'programs_in')

LIMIT_S = 600.0

# Overrides of the tiny campaign of tests/conftest.py: real pw.x, and phases long enough for a fault to hit each.
CAMPAIGN: dict[str, Any] = {
    'campaign': {'n_initial_cells': 4, 'max_iterations': 1, 'n_trajectories': [2, 2], 'n_cycles': 1},
    # The cells are so dense that drawing them takes a moment.
    'cells': {'families': [{'edges_angstrom': [4.0, 4.4], 'n_atoms': [4, 4]}], 'min_distance_angstrom': 2.6},
    'schedules': {'t_max_ps': 35.0, 't_0_ps': [10.0, 30.0]},
    'sampling': {'dynamics': {'frame_interval': 1000}},
    # No trajectory stops before its end, so that every run has the same number of labels.
    'thresholds': {'mode': 'fixed', 'energy_ev_per_sqrt_atom': 1e6},
    'training': {
        'initial': {'max_steps': 1800, 'batch_size': 8, 'evaluation_interval': 10, 'checkpoint_interval_s': 1.0},
        'retrain': {'max_steps': 20, 'batch_size': 8, 'evaluation_interval': 10},
    },
    'label': {
        'labeller': 'qe',
        'limits': {'max_force_ev_per_angstrom': 1000.0, 'max_concurrent': 2, 'max_failed_fraction': 0.0},
        'qe': {
            'ecutwfc_ry': 16,
            'ecutrho_ry': 64,
            'kpoints_mesh': None,
            'kpoints_distance_per_angstrom': 0.45,
        },
    },
}

# By phase: the label of the process, and a part of the state that AiiDA records for the job.
PHASES: dict[str, tuple[str, str]] = {
    'random cells': ('generate_cells', ''),
    'uploading': ('PwCalculation', 'uploading'),
    'labelling': ('PwCalculation', 'withscheduler'),
    'retrieving': ('PwCalculation', 'retrieving'),
    'parsing': ('PwCalculation', 'parsing'),
    'training': ('TrainEnsembleCalculation', 'withscheduler'),
    'sampling': ('SampleCalculation', 'withscheduler'),
}
ENGINES = {
    'PwCalculation': 'pw.x',
    'TrainEnsembleCalculation': 'anial-worker',
    'SampleCalculation': 'anial-worker',
    'ValidateCalculation': 'anial-worker',
}
_ENDED = ('finished', 'excepted', 'killed')
# Restarts of a job, and the second attempt at a cell, are the same work.
_SAME_WORK = re.compile(r'(_again\w*)?(/iteration_\d+)?$')


@dataclass(frozen=True)
class Process:
    """The state of a process of a campaign at one moment."""

    pk: int
    uuid: str
    path: str
    label: str
    state: str
    exit_status: int | None
    exit_message: str | None
    step: str | None
    paused: bool | None
    status: str | None
    folder: str | None

    @property
    def has_ended(self) -> bool:
        """Whether the process is terminated."""
        return self.state in _ENDED

    @property
    def is_ok(self) -> bool:
        """Whether the process finished with exit status 0."""
        return self.state == 'finished' and self.exit_status == 0

    @property
    def work(self) -> str:
        """Name of the work, which all attempts at it share."""
        return f'{_SAME_WORK.sub("", self.path)} {self.label}'

    @property
    def where(self) -> Path:
        """Work directory of the process."""
        return Path(self.folder or '/nowhere')


@dataclass(frozen=True)
class Outcome:
    """The results of a campaign.

    :param energies: energies of the labels, by work.
    :param done: names of the works that finished with exit status 0.
    :param ensemble: digest of the final ensemble.
    :param seconds: time from the submission to the end, in s.
    """

    energies: Mapping[str, float]
    done: frozenset[str]
    ensemble: str
    seconds: float


@dataclass
class Eye:
    """Queries campaigns through one long-lived process, because every command of AiiDA takes seconds to start."""

    shell: Shell
    _process: subprocess.Popen[str] | None = None

    def ask(self, what: str, pk: int) -> Any:
        """Return the answer to a question, and restart the process if it has died, for example with its database.

        :raises ConnectionError: if there is no answer.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [BIN / 'verdi', '-p', self.shell.profile, 'run', Path(__file__).with_name('look.py')],
                cwd=self.shell.home,
                env={**os.environ, 'AIIDA_PATH': str(self.shell.home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(self.shell.home / 'look.log').open('a'),
                text=True,
            )
        try:
            self._process.stdin.write(f'{what} {pk}\n')
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as exception:
            self.close()
            raise ConnectionError(f'there is no answer about {pk}') from exception

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@dataclass
class Campaign:
    """One campaign.

    :param ledger: file in which the codes record the end of every run.
    """

    pk: int
    shell: Shell
    eye: Eye
    ledger: Path

    def look(self) -> list[Process]:
        """Return the processes of the campaign in order of creation, starting with the campaign itself."""
        processes = [Process(**values) for values in self.eye.ask('processes', self.pk)]
        self.note(processes)
        return processes

    def note(self, processes: list[Process]) -> None:
        """Take note of an observation; for subclasses."""

    def wait(
        self, condition: Callable[[list[Process]], Any], *, limit_s: float = LIMIT_S, interval_s: float = 0.2
    ) -> Any:
        """Wait until ``condition`` returns a true value for the processes, and return that value.

        A query without an answer is repeated. The test fails if the campaign ends before the condition is met.
        """
        end = time.monotonic() + limit_s
        while True:
            with suppress(ConnectionError):
                processes = self.look()
                if value := condition(processes):
                    return value
                assert not processes[0].has_ended, f'the campaign has ended: {processes[0]}: {self.story()}'
            assert time.monotonic() < end, f'the condition was not met within {limit_s:.0f} s: {self.story()}'
            time.sleep(interval_s)

    def wait_for(self, phase: str, *, after_s: float = 0.0, limit_s: float = LIMIT_S) -> Process:
        """Wait until a process is in a phase of ``PHASES``, with its program running if it has one, and return it.

        :param after_s: minimum time for which the process must have been observed in this phase, in s.
        """
        label, step = PHASES[phase]
        since: dict[int, float] = {}

        def is_in_it(processes: list[Process]) -> Process | None:
            for process in processes:
                if process.label != label or process.has_ended or step not in (process.step or ''):
                    continue
                if step == 'withscheduler' and not programs_in(process.where, ENGINES[label]):
                    continue
                if time.monotonic() - since.setdefault(process.pk, time.monotonic()) >= after_s:
                    return process
            return None

        # Short phases need frequent queries.
        return self.wait(is_in_it, limit_s=limit_s, interval_s=0.1 if step == 'withscheduler' else 0.01)

    def wait_end(self, *, limit_s: float = LIMIT_S) -> Process:
        """Wait until the campaign has ended, and return it; the test fails if a process pauses in the meantime."""
        seen: dict[int, float] = {}

        def has_ended(processes: list[Process]) -> Process | None:
            for process in processes:
                if process.paused and not process.has_ended:
                    # A process that was resumed a moment ago may still be marked as paused.
                    waited = time.monotonic() - seen.setdefault(process.pk, time.monotonic())
                    assert waited < 60, f'{process} has paused: {self.story()}'
            return processes[0] if processes[0].has_ended else None

        return self.wait(has_ended, limit_s=limit_s)

    def wait_paused(self, *, limit_s: float = LIMIT_S) -> Process:
        """Wait until a process has paused, and return it."""
        return self.wait(
            lambda found: next((one for one in found if one.paused and not one.has_ended), None), limit_s=limit_s
        )

    @staticmethod
    def kill(*pids: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to processes, ignoring those that have ended."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def outcome(self) -> Outcome:
        """Return the results of the campaign, which must have succeeded."""
        processes = self.look()
        assert processes[0].is_ok, f'{processes[0]}: {self.story()}'
        found = self.eye.ask('result', self.pk)
        works = {process.uuid: process.work for process in processes}
        energies = {works.get(uuid, uuid): energy for uuid, energy in found['energies'].items()}
        done = frozenset(process.work for process in processes if process.label in ENGINES and process.is_ok)
        return Outcome(energies, done, found['ensemble'], found['seconds'])

    def paid_twice(self) -> int:
        """Return the number of runs that completed although the same work had been completed before."""
        works = {process.folder: process.work for process in self.look() if process.folder}
        ledger = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        ended = Counter(works[folder] for line in ledger if (folder := _completed(line)) in works)
        return sum(number - 1 for number in ended.values())

    def story(self) -> str:
        """Return the report of the campaign, for messages."""
        return self.shell.verdi('process', 'report', self.pk, check=False)


def programs_in(folder: Path, name: str | None = None) -> list[int]:
    """Return the ids of the system processes whose working directory is ``folder``.

    :param name: name of the program; None for any.
    """
    found = []
    for link in Path('/proc').glob('[0-9]*/cwd'):
        with suppress(OSError):
            if link.readlink() == folder and name in (None, (link.parent / 'comm').read_text().strip()):
                found.append(int(link.parent.name))
    return found


def _completed(line: str) -> str | None:
    """Return the work directory in a line of the ledger if the run completed, or None."""
    outcome, _, folder = line.split(maxsplit=2)
    return folder if outcome == '0' else None
