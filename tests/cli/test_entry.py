"""The program itself: where AiiDA has no profile, or no folder, and what no command expects."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from aiida_anial.cli import root
from tests.cli.test_bad_inputs import assert_refused

_PROGRAM = 'import sys; from aiida_anial.cli.entry import main; sys.argv[0] = "aiida-anial"; main()'


@pytest.fixture
def program(tmp_path):
    """Return a function that runs the program in an environment without a profile."""

    def run(*arguments, path=tmp_path, **environment):
        given = {**os.environ, 'AIIDA_PATH': str(path), **environment}
        command = [sys.executable, '-c', _PROGRAM, *arguments]
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    'command', [('doctor',), ('status', '1'), ('submit',), ('query', 'labels'), ('import-model', '.'), ('limit',)]
)
def test_without_a_profile_one_sentence_says_where_it_was_looked_for_and_how_to_make_one(program, tmp_path, command):
    result = program(*command)
    assert result.returncode == 1
    assert result.stdout == ''
    assert result.stderr == (
        f'Error: -p: there is no profile in {tmp_path}/.aiida (see AIIDA_PATH); create one with `aiida-anial setup`.\n'
    )
    assert list(tmp_path.iterdir()) == []


def test_help_leaves_nothing_behind_either(program, tmp_path):
    assert program('--help').returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_of_before_stays(program, tmp_path):
    (tmp_path / '.aiida').mkdir()
    program('doctor')
    assert (tmp_path / '.aiida').is_dir()


@pytest.mark.parametrize('path', ['/proc/nowhere', '/dev/null'])
def test_a_folder_that_cannot_be_made(program, path):
    result = program('doctor', path=path)
    assert result.returncode == 1
    assert result.stderr.startswith('Error: AIIDA_PATH: ')
    assert result.stderr.count('\n') == 1


def test_a_profile_that_does_not_exist_comes_with_those_that_do(invoke, aiida_profile):
    assert_refused(invoke('status', '-p', 'gone', '1'), "-p: there is no profile 'gone' in ")
    assert aiida_profile.name in invoke('status', '-p', 'gone', '1').output


def broken(exception):
    """Return a command that raises an exception."""

    @click.command('doctor')
    def command():
        raise exception

    return command


@pytest.mark.parametrize(
    ('exception', 'expected'),
    [
        (KeyError('x'), "unexpected KeyError: 'x'; please report it with what is in "),
        (OSError(28, 'No space left on device', 'out.extxyz'), 'out.extxyz: No space left on device.'),
        (UnicodeEncodeError('ascii', 'a\u00e5', 1, 2, 'no'), "cannot show '\\xe5'; set PYTHONIOENCODING=utf-8"),
        (RecursionError('deep'), 'unexpected RecursionError: deep'),
    ],
)
def test_no_traceback_reaches_a_user(invoke, monkeypatch, tmp_path, exception, expected):
    monkeypatch.setattr(root.tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setattr(root._Group, 'get_command', lambda *_: broken(exception))
    result = invoke('doctor')
    assert_refused(result, expected)
    logs = list(tmp_path.iterdir())
    assert len(logs) == expected.startswith('unexpected')
    for log in logs:
        assert str(log) in result.output
        assert 'Traceback' in log.read_text()
