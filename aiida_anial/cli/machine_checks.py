"""Checks of the machine for `aiida-anial doctor`: configuration file, daemon workers, open files, disks."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from aiida.common.exceptions import AiidaException
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage.configuration import Profile, get_config, get_config_option

__all__ = ('Check', 'machine_checks', 'n_workers')


@dataclass(frozen=True)
class Check:
    """The result of checking one thing that a campaign needs.

    :param passed: None if it cannot be checked from here.
    :param finding: what was found.
    :param remedy: how to fix it if it failed, or how to check it by hand if it cannot be checked from here.
    """

    name: str
    passed: bool | None
    finding: str
    remedy: str = ''


_LEAST_GIB: Final = 1
# Open files per process that a worker runs: sockets, and files being uploaded or retrieved.
_FILES_PER_SLOT: Final = 5


def machine_checks(profile: Profile) -> Iterator[Check]:
    """Check the machine on which the daemon of a profile runs."""
    yield _configuration()
    yield from _workers()
    yield _open_files()
    yield from _disks(profile)


def n_workers() -> int | None:
    """Return the number of daemon workers, or None if the daemon does not run or does not answer."""
    try:
        client = get_daemon_client()
        return len(client.get_worker_info()['info']) if client.is_daemon_running else None
    except (AiidaException, KeyError, TypeError):
        return None


def _configuration() -> Check:
    """Check that nobody else can read the configuration, which contains the passwords of the servers."""
    path = Path(get_config().filepath)
    mode = stat.S_IMODE(path.stat().st_mode)
    return Check('configuration', not mode & 0o077, f'{path}, mode {mode:04o}', f'run `chmod 600 {path}`')


def _workers() -> Iterator[Check]:
    """Check the workers of a running daemon."""
    pid, workers, cores = _daemon_pid(), n_workers(), _cores()
    if workers is not None:
        remedy = 'run `verdi daemon incr`' if workers < 1 else f'run `verdi daemon decr {workers - cores}`'
        yield Check('workers', 1 <= workers <= cores, f'{workers} on {cores} cores', remedy)
    elif pid is not None:
        yield Check('workers', False, f'the daemon, process {pid}, does not answer', 'run `verdi daemon restart`')


def _daemon_pid() -> int | None:
    try:
        return get_daemon_client().get_daemon_pid()
    except AiidaException:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _open_files() -> Check:
    """Check the limit of open files, which the daemon inherits from the shell in which it was started."""
    limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[0], 'here'
    if (pid := _daemon_pid()) is not None and hasattr(resource, 'prlimit'):
        with suppress(OSError):
            limit, whose = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0], 'of the daemon'
    needed = _FILES_PER_SLOT * int(get_config_option('daemon.worker_process_slots'))
    enough = limit == resource.RLIM_INFINITY or limit >= needed
    finding = f'{"unlimited" if limit == resource.RLIM_INFINITY else limit} {whose}'
    remedy = f'run `ulimit -n {needed}`, whose maximum is in /etc/security/limits.conf, and then `verdi daemon restart`'
    return Check('open files', enough, finding, remedy)


def _disks(profile: Profile) -> Iterator[Check]:
    """Check the free space on the disks of the configuration and of the repository, which may be the same disk."""
    folders = [Path(get_config().dirpath)]
    if 'repository_uri' in profile.storage_config:
        folders.append(Path(unquote(urlparse(profile.storage_config['repository_uri']).path)))
    seen = set()
    for folder in folders:
        if folder.exists() and (device := folder.stat().st_dev) not in seen:
            seen.add(device)
            free = shutil.disk_usage(folder).free / 1024**3
            remedy = f'free some space: at least {_LEAST_GIB} GiB is needed'
            yield Check('disk', free > _LEAST_GIB, f'{free:.0f} GiB free for {folder}', remedy)
