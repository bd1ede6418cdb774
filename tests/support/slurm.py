"""Query the jobs of the private Slurm, and control them as its administrator."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ('Slurm', 'SlurmJob')


@dataclass(frozen=True)
class SlurmJob:
    """A pending or running job."""

    id: str
    state: str
    comment: str
    folder: Path

    def says(self, name: str) -> str:
        """Return the current content of a file of the job; empty if it does not exist yet."""
        path = self.folder / name
        return path.read_text() if path.exists() else ''


@dataclass(frozen=True)
class Slurm:
    """The private Slurm whose configuration is in ``folder``."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that Slurm's commands need."""
        return {'SLURM_CONF': str(self.folder / 'slurm.conf')}

    def run(self, *command: str) -> str:
        """Run a command of Slurm, and return its standard output."""
        result = subprocess.run(
            command, env={**os.environ, **self.variables}, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def jobs(self, comment: str | None = None) -> list[SlurmJob]:
        """Return the pending and running jobs.

        :param comment: return only jobs with this comment.
        """
        lines = self.run('squeue', '-h', '-o', '%i|%T|%k|%Z').splitlines()
        jobs = [SlurmJob(*line.split('|')[:3], Path(line.split('|')[3])) for line in lines]
        return [job for job in jobs if comment in (None, job.comment)]

    def wait(
        self, comment: str, ready: Callable[[SlurmJob], bool], *, without: Collection[str] = (), limit_s: float = 240
    ) -> SlurmJob:
        """Wait until a job with this comment is ready, and return it.

        :param ready: condition on the job.
        :param without: ids of jobs to ignore.
        """
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for job in self.jobs(comment):
                if job.id not in without and ready(job):
                    return job
            time.sleep(0.1)
        raise AssertionError(f'no job {comment} was ready within {limit_s:.0f} s')

    def sleep(self, job: SlurmJob, seconds: float) -> None:
        """Suspend a job for some seconds, while the clock of its time limit continues."""
        self.run('scontrol', 'suspend', job.id)
        time.sleep(seconds)
        self.run('scontrol', 'resume', job.id)

    def completed(self) -> dict[str, dict[str, str]]:
        """Return Slurm's records of the jobs that have ended, by their ids."""
        path = self.folder / 'state' / 'completed.log'
        jobs = [dict(re.findall(r'(\w+)=(\S*)', line)) for line in path.read_text().splitlines()]
        return {job['JobId']: job for job in jobs}
