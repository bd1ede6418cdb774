"""The installation scripts on machines that lack something, simulated by fake commands on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_PYTHON = 'exit 127'
OLD_PYTHON = 'exit 1'
WITHOUT_ENSUREPIP = 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac'


@pytest.fixture
def machine(tmp_path):
    """Return a function that runs a script with only the given commands and those of the shell."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in ('sh', 'dirname', 'grep', 'env', 'cat', 'chmod', 'touch'):
        (folder / name).symlink_to(shutil.which(name))

    def run(script: str, *arguments: str, **commands: str):
        for name, body in commands.items():
            path = folder / name.replace('__', '-').replace('_', '.')
            path.write_text(f'#!/bin/sh\n{body}\n')
            path.chmod(0o755)
        environment = {'PATH': str(folder), 'FOLDER': str(folder), 'LOG': str(tmp_path / 'log')}
        return subprocess.run(
            [ROOT / 'scripts' / script, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    run.log = tmp_path / 'log'
    return run


APT = 'echo "$@" >>"$LOG"; [ "$1" = update ] || { echo exit >"$FOLDER/pw.x"; chmod +x "$FOLDER/pw.x"; }'


def test_an_existing_quantum_espresso_is_kept(machine):
    result = machine('install-qe.sh', pw_x='exit', ld1_x='exit', apt__get=APT)
    assert result.returncode == 0
    assert not machine.log.exists()
    assert 'warning' not in result.stdout


def test_missing_ld1_is_only_a_warning(machine):
    result = machine('install-qe.sh', pw_x='exit')
    assert result.returncode == 0
    assert 'ld1.x' in result.stdout


def test_quantum_espresso_is_installed_by_root(machine):
    result = machine('install-qe.sh', apt__get=APT, id='echo 0')
    assert result.returncode == 0, result.stderr
    update, install = machine.log.read_text().splitlines()
    assert update.startswith('update')
    assert install.endswith('--no-install-recommends quantum-espresso libopenblas0-serial')


def test_quantum_espresso_is_installed_through_sudo(machine):
    sudo = '[ "$1" = -n ] || exit 9; shift; exec "$@"'
    result = machine('install-qe.sh', apt__get=APT, id='echo 1000', sudo=sudo, true='exit')
    assert result.returncode == 0, result.stderr
    assert len(machine.log.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    'commands',
    [
        {},
        {'apt__get': APT, 'id': 'echo 1000'},
        {'apt__get': APT, 'id': 'echo 1000', 'sudo': 'exit 1'},
        {'apt__get': 'exit 100', 'id': 'echo 0'},
        {'apt__get': 'exit 0', 'id': 'echo 0'},
    ],
    ids=['no apt-get', 'not root', 'sudo asks for a password', 'apt-get fails', 'package without pw.x'],
)
def test_if_quantum_espresso_cannot_be_installed_one_sentence_says_so(machine, commands):
    result = machine('install-qe.sh', **commands)
    assert result.returncode == 1
    (message,) = result.stderr.splitlines()
    assert all(hint in message for hint in ('pw.x', 'quantum-espresso', 'conda-forge qe', 'qepy'))


@pytest.mark.parametrize('body', [NO_PYTHON, OLD_PYTHON], ids=['does not run', 'too old'])
def test_without_python_one_sentence_says_so(machine, tmp_path, body):
    result = machine('install-python.sh', str(tmp_path / 'venv'), python3=body)
    assert result.returncode == 1
    (message,) = result.stderr.splitlines()
    assert 'Python 3.11' in message


def test_without_ensurepip_one_sentence_says_so(machine, tmp_path):
    commands = {'python3.11': WITHOUT_ENSUREPIP, 'python3': OLD_PYTHON}
    result = machine('install-python.sh', str(tmp_path / 'venv'), **commands)
    assert result.returncode == 1
    (message,) = result.stderr.splitlines()
    assert 'python3.11-venv' in message


def test_torch_is_installed_first_and_by_itself(machine, tmp_path):
    pip = 'case "$*" in *"pip install"*|*" install "*) echo "$@" >>"$LOG";; esac; exit 0'
    venv = tmp_path / 'venv' / 'bin'
    venv.mkdir(parents=True)
    (venv / 'python').write_text(f'#!/bin/sh\n{pip}\n')
    (venv / 'python').chmod(0o755)
    result = machine('install-python.sh', str(venv.parent))
    assert result.returncode == 0, result.stderr
    first, second = machine.log.read_text().splitlines()
    assert first.split()[-1].startswith('torch==')
    assert second.split()[-1] == '.[dev,docs,metatomic,ovito]'
    assert all('--constraint constraints.txt' in line for line in (first, second))


def test_the_makefile_documents_every_target():
    if shutil.which('make') is None:
        pytest.skip('make is not installed')
    environment = {**os.environ, 'MAKEFLAGS': ''}
    shown = subprocess.run(
        ['make', 'help'], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    for target in ('install', 'demo', 'test', 'lint', 'docs', 'clean'):
        assert f'make {target} ' in shown
