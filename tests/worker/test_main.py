"""The program ``anial-worker``: help, status and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from aiida_anial.worker import evaluate, main
from aiida_anial.worker.job import JobInterrupted

COMMANDS = ('train', 'sample', 'evaluate', 'validate')


@pytest.fixture
def call():
    """Return a function that runs the program and returns exit code, output.json and the standard error."""

    def invoke(*arguments):
        result = CliRunner().invoke(main.main, [str(argument) for argument in arguments])
        output = arguments[-1] / 'output.json'
        return result.exit_code, json.loads(output.read_text()), result.stderr

    return invoke


@pytest.fixture(autouse=True)
def same_environment(monkeypatch):
    """Keep the environment variables, which the program changes in its process, here that of all tests."""
    monkeypatch.setattr(os, 'environ', os.environ.copy())
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        monkeypatch.setenv(name, '1')


@pytest.mark.parametrize('command', [None, *COMMANDS])
def test_help(command):
    result = CliRunner().invoke(main.main, [command, '--help'] if command else ['--help'])
    assert result.exit_code == 0
    for word in COMMANDS if command is None else ('input.json', 'output.json', 'reads:', 'writes:'):
        assert word in result.output


def test_finished(call, make_job):
    code, output, stderr = call('evaluate', make_job(labeller={'kind': 'emt'}))
    assert (code, stderr) == (0, '')
    assert output.pop('machine')['threads'] == 1
    assert output == {'status': 'finished', 'message': 'evaluate finished.', 'summary': {'rejected': {}}}


@pytest.mark.parametrize('command', COMMANDS)
def test_unknown_key_fails_in_one_sentence(call, make_job, command):
    schedule = {'t_start_k': 1, 't_end_k': 1, 't_mod_k': 0, 't_0_ps': 1, 't_max_ps': 1}
    required = {
        'train': {'seed': 1},
        'sample': {'seed': 1, 'schedules': [schedule], 'thresholds': {'energy_ev_per_sqrt_atom': 1}},
        'evaluate': {'labeller': {'kind': 'emt'}},
        'validate': {},
    }
    code, output, stderr = call(command, make_job(**required[command], sead=1))
    assert code == 1
    assert output['status'] == 'failed'
    assert 'unknown key' in output['message']
    assert stderr.strip() == output['message']
    assert '\n' not in output['message']


def test_missing_input(call, tmp_path):
    code, output, _ = call('sample', tmp_path)
    assert (code, output['summary']) == (1, {'error': 'FileFormatError'})
    assert 'input.json: cannot be read (No such file or directory)' in output['message']


def test_bug_is_told_in_one_sentence_and_logged_in_full(call, make_job, monkeypatch):
    monkeypatch.setattr(evaluate, 'run', lambda job: 1 / 0)
    code, output, stderr = call('evaluate', make_job(labeller={'kind': 'emt'}))
    assert (code, output['status'], output['summary']) == (1, 'failed', {'error': 'ZeroDivisionError'})
    assert output['message'] == 'evaluate stopped on an unexpected ZeroDivisionError: division by zero'
    assert 'Traceback' in stderr


def test_interrupted(call, make_job, monkeypatch):
    def interrupt(job):
        raise JobInterrupted('half way.', {'done': 1})

    monkeypatch.setattr(evaluate, 'run', interrupt)
    code, output, _ = call('evaluate', make_job(labeller={'kind': 'emt'}))
    assert code == 0
    assert set(output) == {'status', 'message', 'summary', 'machine'}
    assert (output['status'], output['message'], output['summary']) == ('interrupted', 'half way.', {'done': 1})


@pytest.mark.parametrize('command', ['evaluate', 'sample', 'property'])
def test_only_a_training_loads_torch(command):
    """Importing torch takes seconds, and there are many of the other jobs, some of them short."""
    code = f'import sys, aiida_anial.worker.{command}; assert "torch" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True, timeout=120)
