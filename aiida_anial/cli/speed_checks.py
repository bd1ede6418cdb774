"""Checks of ``aiida-anial doctor`` that find what makes campaigns slow without stopping them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aiida import orm
from aiida.common.exceptions import AiidaException

from aiida_anial.cli.installation import COMPUTER, PW_CODE
from aiida_anial.cli.server_checks import Check

__all__ = ('blas_fault', 'speed_checks')

# A job of seconds should not wait longer than this to be seen.
_LONGEST_POLL_S: Final = 5.0
# A worker of the daemon keeps about two programs busy, and needs a core for part of the time.
_CORES_PER_WORKER: Final = 4
_OPTIMISED: Final = ('openblas', 'mkl', 'blis', 'atlas', 'flexiblas')


def speed_checks(n_workers: int | None, n_cores: int) -> Iterator[Check]:
    """Yield one check for everything that makes campaigns slow here; none if nothing does.

    :param n_workers: workers of the daemon; None if it does not run.
    """
    if n_workers == 1 and n_cores > _CORES_PER_WORKER:
        yield _slow(
            'workers', f'one for {n_cores} cores', f'run `verdi daemon incr {n_cores // _CORES_PER_WORKER - 1 or 1}`'
        )
    try:
        computer = orm.load_computer(COMPUTER)
        executable = Path(str(orm.load_code(f'{PW_CODE}@{COMPUTER}').filepath_executable))
        safe_interval = float(computer.get_configuration().get('safe_interval', 0))
    except AiidaException:
        return
    interval = max(computer.get_minimum_job_poll_interval(), safe_interval)
    if interval > _LONGEST_POLL_S:
        finding = f'jobs on {COMPUTER} are looked at every {interval:g} s'
        yield _slow('polling', finding, 'run `aiida-anial setup`, which sets a shorter interval')
    if (fault := blas_fault(executable)) is not None:
        yield _slow('BLAS', fault, 'install OpenBLAS, on Debian with `apt install libopenblas0-serial`')


def blas_fault(executable: Path) -> str | None:
    """Return what is wrong with the BLAS of a program: that it is the reference implementation; None if it is not.

    Of a program that is statically linked, or a script, nothing can be said.
    """
    ldd = shutil.which('ldd')
    if ldd is None:
        return None
    try:
        result = subprocess.run(  # noqa: S603 - a list, no shell
            [ldd, str(executable)], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'libblas\S* => (\S+)', result.stdout)
    if found is None:
        return None
    path = Path(found[1]).resolve()
    if any(name in str(path).lower() for name in _OPTIMISED):
        return None
    return f'{executable} uses the reference implementation, {path}, with which it takes several times as long'


def _slow(name: str, finding: str, remedy: str) -> Check:
    return Check(name, True, finding, remedy, is_slow=True)
