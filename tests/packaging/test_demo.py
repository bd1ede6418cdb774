"""The demo script: which commands it runs, and what it leaves behind."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'scripts' / 'demo.py'


@pytest.fixture
def demo(monkeypatch):
    """Return the script as a module, with commands that are recorded and succeed."""
    spec = importlib.util.spec_from_file_location('demo', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.noted = []
    module.failing = {'verdi -p demo daemon status'}
    module.processes = ''

    def succeeds(*arguments: str, quiet: bool = False) -> bool:
        line = ' '.join(arguments)
        module.noted.append(line)
        if line in module.failing:
            return False
        if line in getattr(module, 'interrupted', ()):
            raise KeyboardInterrupt
        return True

    def output(*arguments: str) -> str:
        module.noted.append(' '.join(arguments))
        return '11\n' if arguments[1] == 'submit' else module.processes

    monkeypatch.setattr(module, 'succeeds', succeeds)
    monkeypatch.setattr(module, 'output', output)
    monkeypatch.setattr(module.signal, 'signal', lambda *_: None)
    return module


START, STOP = 'verdi -p demo daemon start', 'verdi -p demo daemon stop'
WATCH = 'aiida-anial watch --lines -p demo 11'


def test_a_daemon_of_its_own_is_stopped(demo, capsys):
    assert demo.main() == 0
    assert demo.noted.index(START) < demo.noted.index(WATCH) < demo.noted.index(STOP)
    assert 'export AIIDA_PATH=' in capsys.readouterr().out


def test_a_daemon_that_was_running_is_left_running(demo):
    demo.failing = set()
    assert demo.main() == 0
    assert START not in demo.noted
    assert STOP not in demo.noted


@pytest.mark.parametrize('command', [START, 'aiida-anial doctor -p demo', WATCH])
def test_failure_is_the_exit_status_and_the_daemon_is_stopped(demo, command):
    demo.failing |= {command}
    assert demo.main() == 1
    assert demo.noted[-1] == STOP


def test_interruption_stops_the_daemon_and_says_how_to_resume(demo, capsys):
    demo.interrupted = {WATCH}
    assert demo.main() == 130
    assert demo.noted[-1] == STOP
    assert 'make demo' in capsys.readouterr().out


def test_an_unfinished_campaign_is_resumed(demo):
    demo.processes = '5    PwBaseWorkChain\n11    ActiveLearningWorkChain\n'
    assert demo.main() == 0
    assert WATCH in demo.noted
    assert not [line for line in demo.noted if ' submit ' in line]


@pytest.mark.parametrize(('seconds', 'text'), [(59.4, '59 s'), (59.6, '1 min 0 s'), (600.0, '10 min 0 s')])
def test_elapsed_time(demo, seconds, text):
    assert demo.elapsed(seconds) == text


def test_data_and_commands_are_those_of_the_checkout(demo):
    environment = demo.environment()
    assert environment['AIIDA_PATH'] == str(SCRIPT.parents[1])
    assert environment['PATH'].startswith(str(demo.BIN))
