"""``aiida-anial doctor`` finds what the machine lacks."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from aiida.manage import get_manager
from aiida.manage.configuration import get_config

from aiida_anial.cli import checks as doctor


@pytest.fixture
def found(aiida_profile):
    """Return a function that checks the machine and returns the checks by name."""
    return lambda: {check.name: check for check in doctor.machine_checks(get_manager().get_profile())}


def test_a_machine_that_has_what_it_needs(found):
    checks = found()
    assert {'configuration', 'open files', 'disk'} <= set(checks)
    assert checks['configuration'].passed
    assert checks['disk'].passed


def test_a_configuration_that_others_can_read(found):
    path = Path(get_config().filepath)
    path.chmod(0o644)
    try:
        check = found()['configuration']
    finally:
        path.chmod(0o600)
    assert check.passed is False
    assert check.remedy == f'run `chmod 600 {path}`'


@pytest.mark.parametrize(('limit', 'passed'), [(999, False), (1000, True)])
def test_a_limit_of_open_files(found, limit, passed):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        check = found()['open files']
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert check.passed is passed
    assert 'ulimit -n 1000' in check.remedy


@pytest.mark.parametrize(('workers', 'passed', 'remedy'), [(0, False, 'incr'), (2, True, ''), (5, False, 'decr 3')])
def test_workers_are_counted_against_the_cores(found, monkeypatch, workers, passed, remedy):
    monkeypatch.setattr(doctor, 'n_workers', lambda: workers)
    monkeypatch.setattr(doctor, 'n_cores', lambda: 2)
    check = found()['workers']
    assert check.passed is passed
    assert remedy in check.remedy


def test_a_daemon_that_does_not_answer(found, monkeypatch):
    monkeypatch.setattr(doctor, '_daemon_pid', lambda: 2**22 + 1)
    check = found()['workers']
    assert check.passed is False
    assert 'does not answer' in check.finding


def test_a_disk_that_is_full(found, monkeypatch):
    monkeypatch.setattr(doctor.shutil, 'disk_usage', lambda _: type('Usage', (), {'free': 1e8}))
    check = found()['disk']
    assert check.passed is False
    assert 'free some space' in check.remedy
