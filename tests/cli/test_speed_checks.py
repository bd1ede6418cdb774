"""What ``aiida-anial doctor`` says of machines on which campaigns are slow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from aiida import orm

from aiida_anial.cli import speed_checks
from aiida_anial.cli.installation import COMPUTER
from aiida_anial.cli.speed_checks import blas_fault

LINE = '\tlibblas.so.3 => {} (0x00007f63940cb000)\n'


@pytest.fixture
def linked(monkeypatch):
    """Return a function that lets programs be linked to a BLAS."""

    def link(text: str, status: int = 0) -> None:
        monkeypatch.setattr(
            speed_checks.subprocess, 'run', lambda *_, **__: subprocess.CompletedProcess([], status, text, '')
        )

    return link


@pytest.mark.parametrize(
    ('path', 'is_slow'),
    [
        ('/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0', True),
        ('/usr/lib/x86_64-linux-gnu/openblas-serial/libblas.so.3', False),
        ('/opt/intel/mkl/libblas.so', False),
    ],
)
def test_the_reference_blas_is_named_and_others_are_not(linked, path, is_slow):
    linked(LINE.format(path))
    fault = blas_fault(Path('/usr/bin/pw.x'))
    assert (fault is not None) == is_slow
    assert fault is None or path in fault


def test_a_link_to_an_optimised_blas_is_followed(linked, tmp_path):
    """Debian's ``libblas.so.3`` is a link that ``update-alternatives`` sets."""
    target = tmp_path / 'openblas-pthread' / 'libblas.so.3'
    target.parent.mkdir()
    target.touch()
    link = tmp_path / 'libblas.so.3'
    link.symlink_to(target)
    linked(LINE.format(link))
    assert blas_fault(Path('/usr/bin/pw.x')) is None


def test_nothing_is_said_of_scripts_and_static_programs(linked):
    linked('\tnot a dynamic executable\n', 1)
    assert blas_fault(Path('/opt/pw.sh')) is None


def test_a_single_worker_is_too_few_for_many_cores(computer):
    def names(n_workers, n_cores):
        return [check.name for check in speed_checks.speed_checks(n_workers, n_cores)]

    assert 'workers' not in names(1, 2)
    assert 'workers' in names(1, 16)
    assert 'workers' not in names(4, 16)
    assert 'workers' not in names(None, 16)


def test_a_long_interval_between_polls_is_named_with_its_remedy(invoke, pw_code, monkeypatch):
    computer = orm.load_computer(COMPUTER)
    before = computer.get_minimum_job_poll_interval()
    computer.set_minimum_job_poll_interval(30.0)
    try:
        (check,) = [one for one in speed_checks.speed_checks(None, 2) if one.name == 'polling']
        assert check.is_slow
        assert check.passed
        assert 'every 30 s' in check.finding
        monkeypatch.setattr('aiida_anial.cli.checks.checks', lambda: iter([check]))
        result = invoke('doctor')
    finally:
        computer.set_minimum_job_poll_interval(before)
    # What is slow does not make the installation unhealthy.
    assert result.exit_code == 0, result.output
    assert 'slow' in result.output
    assert 'faster: run `aiida-anial setup`' in result.output
