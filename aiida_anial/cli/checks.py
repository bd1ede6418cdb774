"""The checks of ``aiida-anial doctor`` in their order, and those of the machine and of what AiiDA stores."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from aiida import orm
from aiida.common.exceptions import AiidaException, ConfigurationError
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config, get_config_option
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.cli.code_checks import code_check, computer_check
from aiida_anial.cli.installation import COMPUTER, LMP_CODE, PW_CODE, WORKER_CODE
from aiida_anial.cli.production import BROKERS, STORAGES
from aiida_anial.cli.server_checks import (
    BROKER_SERVER,
    SERVER,
    Check,
    broker_checks,
    database_checks,
    process_check,
    recovery_check,
)
from aiida_anial.cli.speed_checks import speed_checks
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = ('checks', 'daemon_check', 'disk_checks', 'machine_checks', 'n_cores', 'n_workers')

_SETUP: Final = 'run `aiida-anial setup`'
_LEAST_GIB: Final = 1
# Open files per process that a daemon worker runs: sockets, and files being uploaded or retrieved.
_FILES_PER_SLOT: Final = 5


def checks() -> Iterator[Check]:
    """Run all checks in order."""
    profile = get_manager().get_profile()
    assert profile is not None
    yield _profile(profile)
    missing: set[str] = set()
    for check in _servers(profile):
        if check.passed is False:
            missing.add(check.name)
        yield check
    yield daemon_check()
    yield from machine_checks(profile)
    # The remaining checks need the database, whose absence has been reported.
    if SERVER in missing:
        return
    if profile.process_control_backend in BROKERS and BROKER_SERVER not in missing and n_workers():
        yield process_check()
    yield _computer()
    yield _code(PW_CODE)
    yield _code(WORKER_CODE)
    # Only dynamics in LAMMPS need it.
    if _has_code(LMP_CODE):
        yield _code(LMP_CODE)
    yield _pseudo_family()
    yield from speed_checks(n_workers(), n_cores())


def _servers(profile: Profile) -> Iterator[Check]:
    """Check the servers that the profile uses."""
    if profile.storage_backend in STORAGES:
        yield from database_checks(profile.storage_config, n_workers() or 1)
    if profile.process_control_backend in BROKERS:
        yield from broker_checks(profile.process_control_config)
    if profile.storage_backend in STORAGES and profile.process_control_backend in BROKERS:
        yield recovery_check(profile)


def _profile(profile: Profile) -> Check:
    broker = profile.process_control_backend
    finding = f'{profile.name}, storage {profile.storage_backend}, broker {broker}'
    return Check('profile', broker is not None, finding, f'{_SETUP} with a profile that has a broker')


def daemon_check() -> Check:
    """Check that the daemon runs."""
    remedy = 'run `verdi daemon start`'
    try:
        running = get_daemon_client().is_daemon_running
    except ConfigurationError as exception:
        return Check('daemon', False, str(exception), remedy)
    return Check('daemon', running, 'running' if running else 'not running', remedy)


def machine_checks(profile: Profile) -> Iterator[Check]:
    """Check the machine on which the daemon of a profile runs."""
    yield _configuration()
    yield from _workers()
    yield _open_files()
    yield from disk_checks(profile)


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
    """Check the number of daemon workers against the cores, and whether the daemon answers."""
    pid, workers, cores = _daemon_pid(), n_workers(), n_cores()
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


def n_cores() -> int:
    """Return the number of cores that this process may use."""
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


def disk_checks(profile: Profile) -> Iterator[Check]:
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


def _computer() -> Check:
    try:
        return computer_check(orm.load_computer(COMPUTER))
    except AiidaException:
        return Check('computer', False, f'there is no {COMPUTER}', _SETUP)


def _code(label: str) -> Check:
    name = f'{label}@{COMPUTER}'
    try:
        return code_check(orm.load_code(name))
    except AiidaException:
        return Check('code', False, f'there is no {name}', f'{_SETUP}, or `verdi code create core.code.installed`')


def _has_code(label: str) -> bool:
    query = orm.QueryBuilder().append(orm.Computer, filters={'label': COMPUTER}, tag='computer')
    return query.append(orm.InstalledCode, filters={'label': label}, with_computer='computer').count() > 0


def _pseudo_family() -> Check:
    labels = orm.QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True)
    finding = ', '.join(sorted(labels)) or 'none is installed'
    return Check('pseudopotentials', PSEUDO_FAMILY in labels, finding, _SETUP)
