"""Measure what a fault costs a campaign: each trial causes a fault, and evaluates the campaign after its end.

A trial runs one campaign from its submission to its end::

    with laboratory.trial('the worker is killed', 'labelling') as trial:
        job = trial.wait_for('labelling')
        trial.kill(*laboratory.shell.workers())
        laboratory.shell.verdi('daemon', 'restart')
        trial.restored()

At the end of the block, the trial waits for the end of the campaign, compares it with a reference without faults,
checks that nothing was lost or computed twice, and appends a row to the results, also if the trial failed.
Several faults may hit one campaign; each trial waits for the recovery before the next one starts::

    with laboratory.campaign() as trials:
        for phase in ('labelling', 'training'):
            with trials.trial('the worker is killed', phase) as trial:
                ...

The runs are counted independently of AiiDA: the codes of the laboratory are scripts that run the real programs and
record the end of every run in a ledger.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from support.campaigns import CAMPAIGN, PHASES, Campaign, Eye, Outcome, Process, programs_in
from support.shell import BIN, Shell

__all__ = ('CAMPAIGN', 'PHASES', 'Laboratory', 'Process', 'Row', 'Trial', 'Trials', 'make_laboratory', 'programs_in')

RESULTS = 'ANIAL_FAULTS_RESULTS'

_COUNTED = """#!/bin/sh
# Run the real program, and record its end in the ledger. If a test left a script `damage`, run that once before.
"{program}" "$@"
status=$? outcome=$?
if [ "$status" = 0 ] && mv "{damage}" "{damage}.done" 2>/dev/null; then
    sh "{damage}.done"
    outcome=damaged
fi
# An anial-worker that stopped on request has not completed its run.
grep -q '"status": "interrupted"' output.json 2>/dev/null && outcome=interrupted
echo "$outcome $(date +%s.%N) $PWD" >> "{ledger}"
exit "$status"
"""


@dataclass
class Row:
    """The cost of one fault.

    :param fault: description of the fault.
    :param phase: phase of the campaign that it hit.
    :param profile: AiiDA profile.
    :param lost: number of labels and other results of the reference that the campaign lacks.
    :param paid_twice: number of completed runs of pw.x and anial-worker whose work had been completed before.
    :param recovered: whether the campaign had the same results as the reference.
    :param seconds: time in s from the last action of the test until the work that was hit was done or, if no particular
        job was hit, until the next process started or finished.
    :param paused: whether the campaign waited for `verdi process play`.
    """

    fault: str
    phase: str
    profile: str
    lost: int | None = None
    paid_twice: int | None = None
    recovered: bool = False
    seconds: float | None = None
    paused: bool = False

    def append(self) -> None:
        """Append the row as a line of JSON to the file named by the environment variable, if it is set."""
        if path := os.environ.get(RESULTS):
            with Path(path).open('a') as stream:
                stream.write(json.dumps(asdict(self)) + '\n')


@dataclass
class Trial(Campaign):
    """A campaign and one fault that hits it."""

    row: Row = field(kw_only=True)
    laboratory: Laboratory = field(kw_only=True)
    _restored: float | None = None
    _before: dict[int, str] = field(default_factory=dict)
    _work: str | None = None
    _seconds: float | None = None

    def restored(self, hit: Process | None = None) -> None:
        """Start the clock of the recovery; the test calls this after its last action.

        :param hit: job whose work must be done for the recovery; by default, any progress counts.
        """
        with suppress(ConnectionError):
            self._before = {process.pk: process.state for process in self.look()}
        self._restored, self._work = time.monotonic(), hit.work if hit else None

    def wait_paused(self, *, limit_s: float = 600.0) -> Process:
        """Wait until a process has paused, record this in the row, and return the process."""
        paused = super().wait_paused(limit_s=limit_s)
        self.row.paused = True
        return paused

    def note(self, processes: list[Process]) -> None:
        """Record the time of the first progress after ``restored``."""
        if self._restored is None or self._seconds is not None:
            return
        if self._work is not None:
            progress = any(process.work == self._work and process.is_ok for process in processes)
        else:
            progress = any(
                process.pk not in self._before or (process.is_ok and self._before[process.pk] != 'finished')
                for process in processes
            )
        if progress:
            self._seconds = time.monotonic() - self._restored

    def wait_recovered(self) -> None:
        """Wait for the recovery, and record its time in the row."""
        assert self._restored is not None, 'the test must call `restored` after its last action'
        self.wait(lambda _: self._seconds is not None)
        self.row.seconds = round(self._seconds, 1)


@dataclass
class Trials:
    """One campaign and the trials to which it is put."""

    laboratory: Laboratory
    campaign: Campaign
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def trial(self, fault: str, phase: str) -> Iterator[Trial]:
        """Let the block cause a fault, and wait for the recovery."""
        shell = self.laboratory.shell
        row = Row(fault, phase, shell.profile)
        self.rows.append(row)
        campaign = self.campaign
        before = campaign.paid_twice()
        trial = Trial(campaign.pk, shell, campaign.eye, campaign.ledger, row=row, laboratory=self.laboratory)
        yield trial
        trial.wait_recovered()
        row.paid_twice = trial.paid_twice() - before
        assert row.paid_twice == 0, trial.story()

    def reckon(self, *, may_differ: bool) -> None:
        """Wait for the end of the campaign, and compare it with the reference.

        :param may_differ: whether the ensemble may differ from that of the reference.
        """
        reference = self.laboratory.reference
        self.campaign.wait_end()
        outcome = self.campaign.outcome()
        lost = len(set(reference.energies) - set(outcome.energies)) + len(reference.done - outcome.done)
        late = self.campaign.paid_twice() - sum(row.paid_twice for row in self.rows)
        for row in self.rows:
            row.lost, row.paid_twice = lost, row.paid_twice + late
        assert lost == 0, f'{set(reference.energies) - set(outcome.energies)}, {reference.done - outcome.done}'
        assert late == 0, self.campaign.story()
        assert len(outcome.energies) == len(reference.energies)
        for work, energy in reference.energies.items():
            assert math.isclose(outcome.energies[work], energy, abs_tol=1e-4), work
        assert may_differ or outcome.ensemble == reference.ensemble, 'the ensemble differs from that of the reference'
        for row in self.rows:
            row.recovered = True


@dataclass
class Laboratory:
    """A profile in which campaigns are put to trial, one after the other.

    :param shell: commands for the profile, which has the codes of ``make_laboratory`` and a running daemon.
    :param overrides: overrides of the campaign.
    :param ledger: file in which the codes record the end of every run.
    :param damage: path of a script that the next run executes in its work directory before its end is recorded.
    :param reference: results of a campaign without faults; computed when it is first needed.
    """

    shell: Shell
    overrides: dict[str, Any]
    ledger: Path
    damage: Path
    eye: Eye
    reference: Outcome | None = None
    submitting: subprocess.Popen[str] | None = None

    @contextmanager
    def trial(self, fault: str, phase: str, *, may_differ: bool = False) -> Iterator[Trial]:
        """Submit a campaign, let the block cause a fault, and evaluate the campaign at its end.

        :param may_differ: whether the ensemble may differ from that of the reference.
        """
        with self.campaign(may_differ=may_differ) as trials, trials.trial(fault, phase) as trial:
            yield trial

    @contextmanager
    def campaign(self, *, may_differ: bool = False) -> Iterator[Trials]:
        """Submit a campaign, let the block cause several faults, and evaluate the campaign at its end."""
        if self.reference is None:
            self.reference = self.run_reference()
        self.damage.unlink(missing_ok=True)
        trials = Trials(self, self.submit())
        try:
            yield trials
            trials.reckon(may_differ=may_differ)
        except BaseException:
            self.clear_away(trials.campaign)
            raise
        finally:
            for row in trials.rows:
                row.append()

    def workers(self) -> list[int]:
        """Return the process ids of the daemon workers, from the operating system, which is faster than ``verdi``."""
        (path,) = (self.shell.home / '.aiida' / 'daemon').glob(f'circus-{self.shell.profile}.pid')
        children = psutil.Process(int(path.read_text())).children()
        return [child.pid for child in children if child.cmdline()[-2:] == ['daemon', 'worker']]

    def run_reference(self) -> Outcome:
        """Run the campaign without faults, and return its results."""
        campaign = self.submit()
        campaign.wait_end()
        outcome = campaign.outcome()
        assert outcome.energies
        assert campaign.paid_twice() == 0
        return outcome

    def submit(self) -> Campaign:
        """Submit the campaign, and return as soon as its pk is printed; the daemon has started it by then."""
        path = self.shell.home / 'overrides.yaml'
        path.write_text(yaml.safe_dump(self.overrides))
        command = [BIN / 'aiida-anial', 'submit', '-p', self.shell.profile, '--pk-only', path, '--protocol', 'demo']
        environment = {**os.environ, 'AIIDA_PATH': str(self.shell.home)}
        with (self.shell.home / 'submit.log').open('a') as log:
            self.submitting = subprocess.Popen(
                command, cwd=self.shell.home, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        pk = int(self.submitting.stdout.readline())
        return Campaign(pk, self.shell, self.eye, self.ledger)

    def clear_away(self, campaign: Campaign) -> None:
        """End all programs and processes of a failed campaign, so that they do not disturb the next one."""
        with suppress(Exception):
            for process in campaign.look():
                if process.folder and not process.has_ended:
                    campaign.kill(*programs_in(process.where))
        with suppress(Exception):
            self.shell.verdi('daemon', 'restart')
            self.shell.verdi('process', 'kill', '--timeout', 30, campaign.pk, check=False)


def make_laboratory(shell: Shell, overrides: dict[str, Any], *, pw: Path) -> tuple[Laboratory, list[Any]]:
    """Return a laboratory whose profile does not exist yet, and the options of ``aiida-anial setup`` for its codes."""
    ledger, damage = shell.home / 'ledger', shell.home / 'damage'
    options: list[Any] = []
    for option, name, program in (('--pw', 'counted-pw', pw), ('--worker', 'counted-worker', BIN / 'anial-worker')):
        script = shell.home / name
        script.write_text(_COUNTED.format(program=program, ledger=ledger, damage=damage))
        script.chmod(0o755)
        options += [option, script]
    return Laboratory(shell, overrides, ledger, damage, Eye(shell)), options
