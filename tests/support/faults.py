"""What a fault costs a campaign: it is caused in a trial, which reckons when the campaign has ended.

A trial runs one campaign from its submission to its end::

    with laboratory.trial('the worker is killed', 'labelling') as trial:
        job = trial.wait_for('labelling')
        trial.kill(*laboratory.shell.workers())
        laboratory.shell.verdi('daemon', 'restart')
        trial.restored()

When the block ends, the trial waits for the end of the campaign, compares it with a reference without faults, checks
that nothing was lost and nothing paid twice, and appends a row to the results; a block that fails leaves its row too.
Several faults may hit one campaign, each waited out before the next one::

    with laboratory.campaign() as trials:
        for phase in ('labelling', 'training'):
            with trials.trial('the worker is killed', phase) as trial:
                ...

What was paid is not asked of AiiDA: the codes of the laboratory are the real programs, run by a script that notes in a
ledger when each of them came to its end.
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
# Runs the real program, and notes its end in the ledger. What a test has left in `damage` is done once, before that.
"{program}" "$@"
status=$? outcome=$?
if [ "$status" = 0 ] && mv "{damage}" "{damage}.done" 2>/dev/null; then
    sh "{damage}.done"
    outcome=damaged
fi
# A worker that stopped because it was asked to has not come to its end.
grep -q '"status": "interrupted"' output.json 2>/dev/null && outcome=interrupted
echo "$outcome $(date +%s.%N) $PWD" >> "{ledger}"
exit "$status"
"""


@dataclass
class Row:
    """What a fault has cost.

    :param fault: what was done.
    :param phase: in the middle of what.
    :param profile: of AiiDA.
    :param lost: labels, and results of other calculations, of the reference that the campaign has not.
    :param paid_twice: runs of pw.x and anial-worker that came to their end although the same work had been done.
    :param recovered: whether the campaign came to the same end as the reference.
    :param seconds: from the moment when nothing more was done about the fault until the work it hit was done, or, where
        it hit no job in particular, until the next process began or finished.
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
        """Append the row, a line of JSON, to the file that the environment names."""
        if path := os.environ.get(RESULTS):
            with Path(path).open('a') as stream:
                stream.write(json.dumps(asdict(self)) + '\n')


@dataclass
class Trial(Campaign):
    """A campaign, and one thing that is done to it."""

    row: Row = field(kw_only=True)
    laboratory: Laboratory = field(kw_only=True)
    _restored: float | None = None
    _before: dict[int, str] = field(default_factory=dict)
    _work: str | None = None
    _seconds: float | None = None

    def restored(self, hit: Process | None = None) -> None:
        """Say that nothing more will be done about the fault: the clock runs from now on.

        :param hit: the job whose work has to be done for the recovery; if not given, any progress will do.
        """
        with suppress(ConnectionError):
            self._before = {process.pk: process.state for process in self.look()}
        self._restored, self._work = time.monotonic(), hit.work if hit else None

    def wait_paused(self, *, limit_s: float = 600.0) -> Process:
        """Return the first process that has paused, and note that one has."""
        paused = super().wait_paused(limit_s=limit_s)
        self.row.paused = True
        return paused

    def note(self, processes: list[Process]) -> None:
        """Note the first progress since the fault was over."""
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
        """Wait until what was hit has been done."""
        assert self._restored is not None, 'the test has not said when it had done with the fault'
        self.wait(lambda _: self._seconds is not None)
        self.row.seconds = round(self._seconds, 1)


@dataclass
class Trials:
    """The trials of one campaign."""

    laboratory: Laboratory
    campaign: Campaign
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def trial(self, fault: str, phase: str) -> Iterator[Trial]:
        """Let the block do something to the campaign, and wait until that is made good."""
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
        """Wait for the end of the campaign, and compare it with the reference."""
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
        assert may_differ or outcome.ensemble == reference.ensemble, 'the networks have other bits'
        for row in self.rows:
            row.recovered = True


@dataclass
class Laboratory:
    """A profile whose campaigns are put to trial, one after the other.

    :param shell: with the profile set up on the codes of ``make_laboratory``, and a daemon that runs.
    :param overrides: of the campaign.
    :param ledger: where the codes note their ends.
    :param damage: a script that the next program to end runs in its work directory before it says so.
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
        """Submit a campaign, let the block do something to it, and reckon at its end.

        :param may_differ: whether the ensemble may have other bits than the reference's.
        """
        with self.campaign(may_differ=may_differ) as trials, trials.trial(fault, phase) as trial:
            yield trial

    @contextmanager
    def campaign(self, *, may_differ: bool = False) -> Iterator[Trials]:
        """Submit a campaign, let the block do several things to it, and reckon at its end."""
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
        """Return the process ids of the daemon's workers, as fast as the operating system tells them."""
        (path,) = (self.shell.home / '.aiida' / 'daemon').glob(f'circus-{self.shell.profile}.pid')
        children = psutil.Process(int(path.read_text())).children()
        return [child.pid for child in children if child.cmdline()[-2:] == ['daemon', 'worker']]

    def run_reference(self) -> Outcome:
        """Run the campaign without a fault."""
        campaign = self.submit()
        campaign.wait_end()
        outcome = campaign.outcome()
        assert outcome.energies
        assert campaign.paid_twice() == 0
        return outcome

    def submit(self) -> Campaign:
        """Submit the campaign, and return as soon as its pk is known: the daemon has begun by then."""
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
        """Leave nothing of a campaign that failed to the next one."""
        with suppress(Exception):
            for process in campaign.look():
                if process.folder and not process.has_ended:
                    campaign.kill(*programs_in(process.where))
        with suppress(Exception):
            self.shell.verdi('daemon', 'restart')
            self.shell.verdi('process', 'kill', '--timeout', 30, campaign.pk, check=False)


def make_laboratory(shell: Shell, overrides: dict[str, Any], *, pw: Path) -> tuple[Laboratory, list[Any]]:
    """Return a laboratory whose profile is not there yet, and what to hand to ``aiida-anial setup`` for its codes."""
    ledger, damage = shell.home / 'ledger', shell.home / 'damage'
    options: list[Any] = []
    for option, name, program in (('--pw', 'counted-pw', pw), ('--worker', 'counted-worker', BIN / 'anial-worker')):
        script = shell.home / name
        script.write_text(_COUNTED.format(program=program, ledger=ledger, damage=damage))
        script.chmod(0o755)
        options += [option, script]
    return Laboratory(shell, overrides, ledger, damage, Eye(shell)), options
