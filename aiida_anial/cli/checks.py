"""What a campaign needs from the machine and the profile."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from aiida import orm
from aiida.common.exceptions import AiidaException, ConfigurationError
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_manager
from aiida.manage.configuration import get_config
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.cli.installation import COMPUTER, PW_CODE, WORKER_CODE
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = ('Check', 'checks')

_SETUP = 'run `aiida-anial setup`'


@dataclass(frozen=True)
class Check:
    """One thing that a campaign needs.

    :param finding: what was found.
    :param remedy: what to do where it is missing.
    """

    name: str
    passed: bool
    finding: str
    remedy: str = ''


def checks() -> Iterator[Check]:
    """Check everything, one after the other."""
    yield _profile()
    yield _daemon()
    yield _computer()
    yield _code(f'{PW_CODE}@{COMPUTER}', 'quantumespresso.pw')
    yield _code(f'{WORKER_CODE}@{COMPUTER}', 'anial.train')
    yield _worker()
    yield _pseudo_family()
    yield _disk()


def _profile() -> Check:
    profile = get_manager().get_profile()
    assert profile is not None
    broker = profile.process_control_backend
    finding = f'{profile.name}, storage {profile.storage_backend}, broker {broker}'
    return Check('profile', broker is not None, finding, f'{_SETUP} with a profile that has a broker')


def _daemon() -> Check:
    remedy = 'run `verdi daemon start`'
    try:
        running = get_daemon_client().is_daemon_running
    except ConfigurationError as exception:
        return Check('daemon', False, str(exception), remedy)
    return Check('daemon', running, 'running' if running else 'not running', remedy)


def _computer() -> Check:
    remedy = f'{_SETUP}, or `verdi computer test {COMPUTER}`'
    try:
        computer = orm.load_computer(COMPUTER)
        with computer.get_transport() as transport:
            transport.whoami()
    except (AiidaException, OSError) as exception:
        return Check('computer', False, f'{COMPUTER} cannot be used: {exception}', remedy)
    return Check('computer', True, f'{computer.label}, {computer.transport_type}, {computer.scheduler_type}')


def _code(label: str, plugin: str) -> Check:
    try:
        code = orm.load_code(label)
    except AiidaException:
        return Check('code', False, f'there is no {label}', f'{_SETUP}, or `verdi code create core.code.installed`')
    remedy = f'make the executable be there, or make another code for {plugin!r}'
    try:
        code.validate_filepath_executable()
    except AiidaException as exception:
        return Check('code', False, f'{label} cannot run: {exception}', remedy)
    return Check('code', True, f'{label}, {code.filepath_executable}')


def _worker() -> Check:
    """Run the worker: it must be able to import what it needs."""
    name = f'{WORKER_CODE}@{COMPUTER}'
    try:
        path = str(orm.load_code(name).filepath_executable)
        result = subprocess.run([path, '--version'], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (AiidaException, OSError, subprocess.SubprocessError) as exception:
        return Check('worker', False, f'`anial-worker --version` failed: {exception}', 'install aiida-anial there')
    return Check('worker', True, result.stdout.strip())


def _pseudo_family() -> Check:
    labels = orm.QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True)
    finding = ', '.join(sorted(labels)) or 'none is installed'
    return Check('pseudopotentials', PSEUDO_FAMILY in labels, finding, _SETUP)


def _disk() -> Check:
    free = shutil.disk_usage(get_config().dirpath).free / 1024**3
    return Check('disk', free > 1, f'{free:.0f} GiB free', 'make room: at least 1 GiB is needed')
