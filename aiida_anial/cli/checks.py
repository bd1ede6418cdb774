"""All checks of `aiida-anial doctor`: profile, servers, daemon, machine, computer, codes, pseudopotentials."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator

from aiida import orm
from aiida.common.exceptions import AiidaException, ConfigurationError
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_manager
from aiida.manage.configuration import Profile
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.cli.installation import COMPUTER, PW_CODE, WORKER_CODE
from aiida_anial.cli.machine_checks import Check, machine_checks, n_workers
from aiida_anial.cli.production import BROKERS, STORAGES
from aiida_anial.cli.server_checks import (
    BROKER_SERVER,
    SERVER,
    broker_checks,
    database_checks,
    process_check,
    recovery_check,
)
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = ('checks',)

_SETUP = 'run `aiida-anial setup`'


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
    yield _daemon()
    yield from machine_checks(profile)
    # The remaining checks need the database, whose absence has been reported.
    if SERVER in missing:
        return
    if profile.process_control_backend in BROKERS and BROKER_SERVER not in missing and n_workers():
        yield process_check()
    yield _computer()
    yield _code(PW_CODE, [], r'Program PWSCF (v\.\S+)')
    yield _code(WORKER_CODE, ['--version'], r'version (\S+)')
    yield _pseudo_family()


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


def _code(label: str, arguments: list[str], version: str) -> Check:
    """Run the executable of a code, to see that it exists and finds its libraries.

    :param version: regular expression for its output, with the version as a group.
    """
    name = f'{label}@{COMPUTER}'
    try:
        path = str(orm.load_code(name).filepath_executable)
    except AiidaException:
        return Check('code', False, f'there is no {name}', f'{_SETUP}, or `verdi code create core.code.installed`')
    remedy = f'install what {path} needs, or `verdi code delete {name}` and {_SETUP}'
    try:
        # pw.x finds no input here, and writes a file to say so.
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(  # noqa: S603 - a list, no shell
                [path, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
    except (OSError, subprocess.SubprocessError) as exception:
        return Check('code', False, f'{name} cannot run: {exception}', remedy)
    found = re.search(version, result.stdout)
    if found is None:
        return Check('code', False, f'{name}, {path}, prints no version: {result.stderr.strip()[-200:]}', remedy)
    return Check('code', True, f'{name}, {path}, {found[1]}')


def _pseudo_family() -> Check:
    labels = orm.QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True)
    finding = ', '.join(sorted(labels)) or 'none is installed'
    return Check('pseudopotentials', PSEUDO_FAMILY in labels, finding, _SETUP)
