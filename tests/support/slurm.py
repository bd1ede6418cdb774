"""What the Slurm of the services says of its jobs, and what its administrator does to them."""

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
    """A job that waits or runs."""

    id: str
    state: str
    comment: str
    folder: Path

    def says(self, name: str) -> str:
        """Return what a file of the job holds by now."""
        path = self.folder / name
        return path.read_text() if path.exists() else ''


@dataclass(frozen=True)
class Slurm:
    """The Slurm in a folder."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """What its commands need of the environment."""
        return {'SLURM_CONF': str(self.folder / 'slurm.conf')}

    def run(self, *command: str) -> str:
        """Return what one of its commands prints."""
        result = subprocess.run(
            command, env={**os.environ, **self.variables}, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def jobs(self, comment: str | None = None) -> list[SlurmJob]:
        """Return the jobs that wait or run, with this comment if one is given."""
        lines = self.run('squeue', '-h', '-o', '%i|%T|%k|%Z').splitlines()
        jobs = [SlurmJob(*line.split('|')[:3], Path(line.split('|')[3])) for line in lines]
        return [job for job in jobs if comment in (None, job.comment)]

    def wait(
        self, comment: str, ready: Callable[[SlurmJob], bool], *, without: Collection[str] = (), limit_s: float = 240
    ) -> SlurmJob:
        """Return a job with this comment once it is ready.

        :param without: ids of jobs that are meant no more.
        """
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for job in self.jobs(comment):
                if job.id not in without and ready(job):
                    return job
            time.sleep(0.1)
        raise AssertionError(f'no job {comment} was ready within {limit_s:.0f} s')

    def sleep(self, job: SlurmJob, seconds: float) -> None:
        """Let a job do nothing, while its clock goes on."""
        self.run('scontrol', 'suspend', job.id)
        time.sleep(seconds)
        self.run('scontrol', 'resume', job.id)

    def completed(self) -> dict[str, dict[str, str]]:
        """Return what is written down of the jobs that have ended, by their ids."""
        path = self.folder / 'state' / 'completed.log'
        jobs = [dict(re.findall(r'(\w+)=(\S*)', line)) for line in path.read_text().splitlines()]
        return {job['JobId']: job for job in jobs}
