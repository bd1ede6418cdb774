"""What is missing is said before anything is stored."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_anial.cli import preflight
from aiida_anial.cli.code_checks import code_check, computer_check
from aiida_anial.common.errors import AnialError
from tests.cli.test_bad_inputs import assert_refused

EMT = {'label': {'labeller': 'emt'}}


@pytest.fixture
def make_computer():
    """Return a function that stores a computer, by default one that is not configured."""

    def make(label, *, transport='core.local', configured=False):
        computer = orm.Computer(
            label=label, hostname='localhost', workdir='/tmp', transport_type=transport, scheduler_type='core.direct'
        ).store()
        if configured:
            computer.configure()
        return computer

    return make


@pytest.fixture
def make_code(computer):
    """Return a function that stores a code; by default it runs on the computer of all tests."""

    def make(label, path='/usr/bin/pw.x', *, on=computer, plugin='quantumespresso.pw', **values):
        return orm.InstalledCode(
            label=label, computer=on, filepath_executable=str(path), default_calc_job_plugin=plugin, **values
        ).store()

    return make


def script(folder, text):
    path = folder / 'program'
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return path


def test_a_computer_that_is_not_configured_is_named_with_the_command_to_do_it(make_computer):
    check = computer_check(make_computer('raw'))
    assert check.passed is False
    assert check.finding == 'raw is not configured'
    assert check.remedy == 'run `verdi computer configure core.local raw`'


def test_a_disabled_computer(make_computer):
    computer = make_computer('asleep', configured=True)
    user = orm.User.collection.get_default()
    computer.get_authinfo(user).enabled = False
    check = computer_check(computer)
    assert check.passed is False
    assert 'verdi computer enable asleep' in check.remedy


@pytest.mark.parametrize(
    ('text', 'passed', 'finding'),
    [
        ('echo "anial-worker, version 7.1"', True, '7.1'),
        ('exit 0', False, 'nothing'),
        ('echo "no such library" >&2; exit 127', False, 'no such library'),
    ],
)
def test_a_program_is_asked_what_it_is(make_code, tmp_path, text, passed, finding):
    check = code_check(make_code(f'asked_{finding.split()[0]}', script(tmp_path, text), plugin='anial.train'))
    assert check.passed is passed
    assert finding in check.finding


def test_a_program_of_another_kind_or_environment_must_only_exist(make_code, tmp_path):
    there, gone = script(tmp_path, 'exit 0'), tmp_path / 'gone'
    assert code_check(make_code('else', there, plugin=None)).passed
    assert code_check(make_code('modules', there, prepend_text='module load qe')).passed
    assert code_check(make_code('missing', gone, prepend_text='module load qe')).passed is False


@pytest.mark.parametrize('dry', [True, False])
@pytest.mark.parametrize('case', ['unconfigured', 'missing', 'wrong program'])
def test_a_code_that_cannot_run_is_refused(invoke, write, installed, make_code, make_computer, count_nodes, dry, case):
    label = f'{case.split()[0]}_{dry}'
    if case == 'unconfigured':
        expected, code = 'not configured', make_code(label, on=make_computer(f'raw_{dry}'))
    elif case == 'missing':
        expected, code = '/no/such/pw.x', make_code(label, '/no/such/pw.x')
    else:
        expected, code = '/bin/true', make_code(label, '/bin/true')
    before = count_nodes()
    result = invoke('submit', '--protocol', 'demo', '--pw-code', code.full_label, *(['--dry-run'] if dry else []))
    assert result.exit_code == 1
    assert expected in result.stderr
    assert result.stderr.count('Error:') == 1
    assert count_nodes() == before


def test_a_dry_run_names_a_code_that_does_not_exist(invoke, write, installed):
    result = invoke('submit', '--protocol', 'demo', '--pw-code', 'nonsense', '--dry-run')
    assert result.exit_code == 1
    assert "--pw-code: there is no code 'nonsense'" in result.stderr


def test_without_a_daemon_nothing_is_submitted_but_a_dry_run_is_fine(invoke, write, installed, count_nodes):
    before, path = count_nodes(), write(EMT)
    assert_refused(invoke('submit', path, '--protocol', 'demo'), 'daemon')
    assert count_nodes() == before
    result = invoke('submit', path, '--protocol', 'demo', '--dry-run')
    assert result.exit_code == 0
    assert 'Not yet: daemon: ' in result.stderr


@pytest.mark.parametrize(
    ('workers', 'message'),
    [(0, 'workers: the daemon has 0; run `verdi daemon incr`'), (None, 'the daemon does not answer'), (9, None)],
)
def test_a_daemon_needs_a_worker(aiida_profile, monkeypatch, workers, message):
    monkeypatch.setattr(preflight, 'daemon_check', lambda: preflight.Check('daemon', True, 'running'))
    monkeypatch.setattr(preflight, 'n_workers', lambda: workers)
    if message is None:
        preflight.check_machine()
    else:
        with pytest.raises(AnialError, match=message):
            preflight.check_machine()
