"""Codes whose workers are interrupted."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

# Runs the worker, and asks it to stop (as a scheduler does) when a line of its output holds one of the words.
INTERRUPTING_WORKER = """#!{python}
import subprocess, sys
process = subprocess.Popen([{worker!r}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
for line in process.stdout:
    print(line, end='', flush=True)
    if any(word in line for word in {words!r}):
        process.terminate()
sys.exit(process.wait())
"""


@pytest.fixture(scope='session')
def interrupting_worker(tmp_path_factory, worker_code, computer) -> Callable[..., Any]:
    """Return a function that makes a code of a worker that is interrupted after certain lines of its output."""

    def make(label: str, *words: str) -> orm.InstalledCode:
        script = Path(tmp_path_factory.mktemp('codes')) / label
        worker = str(worker_code.filepath_executable)
        script.write_text(INTERRUPTING_WORKER.format(python=sys.executable, worker=worker, words=words))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=str(script),
            default_calc_job_plugin='anial.train',
            with_mpi=False,
        ).store()

    return make
