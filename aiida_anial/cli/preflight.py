"""What must be in place before a process is submitted, so that nothing is stored or paid for in vain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida import orm
from aiida.manage import get_manager
from aiida.manage.configuration import Profile

from aiida_anial.cli.checks import daemon_check, disk_checks, n_workers
from aiida_anial.cli.code_checks import code_check, computer_check
from aiida_anial.cli.production import BROKERS
from aiida_anial.cli.server_checks import Check
from aiida_anial.common.errors import AnialError, one_line

__all__ = ('check_codes', 'check_disk', 'check_machine', 'check_ready', 'codes_in')


def check_ready(codes: Iterable[orm.AbstractCode]) -> None:
    """Check that a process with these codes can be submitted, and will run.

    :raises AnialError: if it would not.
    """
    check_codes(codes)
    check_machine()


def check_codes(codes: Iterable[orm.AbstractCode]) -> None:
    """Check that the computers of codes can be used, and that their programs are what they should be.

    :raises AnialError: if one is not.
    """
    _require(_of_codes({code.uuid: code for code in codes}.values()))


def check_machine() -> None:
    """Check that a process that is submitted now will run: a broker, a daemon with workers, and free disk space.

    :raises AnialError: if it would not.
    """
    if _profile().process_control_backend in BROKERS:
        # A server that is gone says so in its own words.
        get_manager().get_communicator()
    _require((daemon_check(), _worker_check()))
    check_disk()


def check_disk() -> None:
    """Check that there is disk space for what is stored.

    :raises AnialError: if there is hardly any.
    """
    _require(disk_checks(_profile()))


def _profile() -> Profile:
    profile = get_manager().get_profile()
    assert profile is not None
    return profile


def codes_in(inputs: Mapping[str, Any]) -> Iterator[orm.AbstractCode]:
    """Yield all codes in the nested inputs of a process."""
    for value in inputs.values():
        if isinstance(value, orm.AbstractCode):
            yield value
        elif isinstance(value, Mapping):
            yield from codes_in(value)


def _of_codes(codes: Iterable[orm.AbstractCode]) -> Iterator[Check]:
    seen: set[str] = set()
    for code in codes:
        computer = code.computer
        if computer is not None and computer.uuid not in seen:
            seen.add(computer.uuid)
            yield computer_check(computer)
        yield code_check(code)


def _worker_check() -> Check:
    """Check that the daemon has a worker; too many of them are slow, but no obstacle."""
    workers = n_workers()
    if workers is None:
        return Check('workers', False, 'the daemon does not answer', 'run `verdi daemon restart`')
    return Check('workers', workers > 0, f'the daemon has {workers}', 'run `verdi daemon incr`')


def _require(checks: Iterable[Check]) -> None:
    """Raise an error for the first check that failed."""
    for check in checks:
        if check.passed is False:
            raise AnialError(one_line(f'{check.name}: {check.finding}; {check.remedy}.'))
