"""When a server stops and comes back, daemon workers continue, and the doctor reports processes that were lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROFILE = 'production'


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.parametrize(('server', 'end'), [('postgresql', 'stop'), ('rabbitmq', 'kill')])
def test_a_daemon_continues_by_itself_after_its_server_was_away(services, shell, daemon, make_label, server, end):
    make_label()
    before = shell.workers()
    if end == 'kill':
        services.kill(server)
    else:
        services.run('stop', server)
    services.run('start', server)
    make_label()
    assert set(shell.workers()).isdisjoint(before)
    assert 'this daemon worker ends' in (shell.home / '.aiida/daemon/log' / f'aiida-{PROFILE}.log').read_text()


@pytest.mark.faults
@pytest.mark.services
def test_a_daemon_stops_and_starts_while_a_server_is_away(services, shell, daemon, make_label):
    make_label()
    services.run('stop', 'postgresql')
    shell.verdi('daemon', 'stop')
    services.run('stop', 'rabbitmq')
    services.run('start', 'postgresql')
    shell.verdi('daemon', 'start')
    services.run('start', 'rabbitmq')
    make_label()


@pytest.mark.faults
@pytest.mark.services
def test_a_process_that_no_daemon_worker_was_asked_to_run_is_reported_and_repaired(shell, daemon, ended):
    lost = shell.ask(Path(__file__).with_name('lose_label.py'))
    assert lost['finding'] == f'no daemon worker has {lost["pk"]}'
    assert 'ok       processes: every active process has a daemon worker' in shell.anial('doctor')
    shell.verdi('daemon', 'stop')
    shell.verdi('process', 'repair', '--force')
    shell.verdi('daemon', 'start')
    ended(lost['pk'])


@pytest.mark.services
def test_a_profile_with_aiidas_own_plugins_is_reported_and_updated(shell):
    ours = shell.config
    path = shell.home / '.aiida' / 'config.json'
    changed = shell.config
    changed['profiles'][PROFILE]['storage']['backend'] = 'core.psql_dos'
    changed['profiles'][PROFILE]['process_control']['backend'] = 'core.rabbitmq'
    path.write_text(json.dumps(changed))
    printed = shell.anial('doctor', check=False)
    assert re.search(
        r'missing  recovery: daemon workers do not survive .*\n +fix: .*setup --production -p production', printed
    )
    assert f'profile {PROFILE}: changed' in shell.run('aiida-anial', 'setup', '-p', PROFILE).stdout
    assert shell.config == ours


@pytest.mark.services
def test_a_command_that_loses_its_server_says_so_in_one_sentence(services, shell, tmp_path):
    printed = shell.verdi('run', Path(__file__).with_name('break_connection.py'))
    assert re.fullmatch(r'PostgreSQL went away: terminating connection .*; run this again .*', printed.splitlines()[-1])
    services.run('stop', 'rabbitmq')
    overrides = tmp_path / 'overrides.yaml'
    overrides.touch()
    result = shell.run('aiida-anial', 'submit', '-p', PROFILE, overrides, check=False)
    services.run('start', 'rabbitmq')
    assert result.returncode == 1
    assert re.fullmatch(r'Error: RabbitMQ does not answer: .* refused; start it, .*\n', result.stderr)


WORKER = """
import click
import psycopg
import sqlalchemy
from aiida_anial.runtime.storage import _end_if_gone

engine = sqlalchemy.create_engine('sqlite://')
engine.dialect.loaded_dbapi.Error = psycopg.Error

def fail(*_):
    raise psycopg.errors.{error}('as the test wants it')

sqlalchemy.event.listen(engine, 'do_execute', fail)
sqlalchemy.event.listen(engine, 'handle_error', _end_if_gone)
try:
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text('SELECT 1'))
except Exception:
    print('went on')
"""


@pytest.mark.parametrize(
    ('error', 'ends'),
    [
        ('OperationalError', True),
        ('AdminShutdown', True),
        ('DeadlockDetected', True),
        ('DiskFull', False),
        ('UniqueViolation', False),
    ],
)
def test_a_daemon_worker_ends_at_temporary_errors_of_the_database_only(error, ends):
    result = subprocess.run(
        [sys.executable, '-c', WORKER.format(error=error)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, 'went on' in result.stdout) == ((75, False) if ends else (0, True)), result.stderr
