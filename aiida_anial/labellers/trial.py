"""Jobs that are timed on the spot, in a temporary folder: nothing of them is stored."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.engine import run_get_node

from aiida_anial.common.errors import AnialError

__all__ = ('TRIAL_LIMIT_S', 'Trial', 'check_is_here', 'dry_run', 'is_here', 'run_script')

TRIAL_LIMIT_S: Final = 300
"""Seconds after which a job that is timed is stopped."""


@dataclass(frozen=True)
class Trial:
    """What labels cost.

    :param seconds: wall time of the labeller's program for a cell of the mean cost.
    :param memory_mib: memory of one program for the largest cell that was tried; None if it is not known.
    :param n_cells: how many cells were tried.
    :param engine_s: CPU seconds that AiiDA takes for each label; None if it is not known.
    """

    seconds: float
    memory_mib: float | None
    n_cells: int
    engine_s: float | None


def is_here(code: orm.AbstractCode) -> bool:
    """Return whether jobs of a code run on this machine, without a scheduler."""
    computer = code.computer
    return computer is not None and (computer.transport_type, computer.scheduler_type) == ('core.local', 'core.direct')


def check_is_here(code: orm.AbstractCode) -> None:
    """Check that jobs of a code run on this machine.

    :raises AnialError: if they do not.
    """
    if not is_here(code):
        raise AnialError(
            f'--label-seconds: {code.full_label} does not run on this machine, so no label can be timed here; give the '
            'seconds that one takes there.'
        )


def dry_run(builder: Any, scratch: Path) -> Path:
    """Write the files of a job as AiiDA would, and return their folder under ``scratch``."""
    builder.metadata = {**builder.metadata, 'dry_run': True, 'store_provenance': False}
    with chdir(scratch):
        _, node = run_get_node(builder)
    return Path(node.dry_run_info['folder'])


def run_script(folder: Path) -> float:
    """Run the script of a job, and return the seconds.

    :raises AnialError: if it takes too long; it is ended then, with everything that it started.
    """
    begin = time.perf_counter()
    # A session of its own, so that the program can be ended with the shell that runs it.
    script = subprocess.Popen(
        ['/bin/bash', '_aiidasubmit.sh'],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        script.wait(TRIAL_LIMIT_S)
    except subprocess.TimeoutExpired as exception:
        raise AnialError(
            f'--label-seconds: a label did not end in the {TRIAL_LIMIT_S} s of a trial; give the seconds that it takes.'
        ) from exception
    finally:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)
            script.wait()
    return time.perf_counter() - begin
