"""PostgreSQL and RabbitMQ stop during a campaign of the production profile, and the whole machine is rebooted."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import CAMPAIGN, Laboratory, Trial, make_laboratory, programs_in
from support.services import Services, temporary_services
from support.shell import Shell

pytestmark = [pytest.mark.faults, pytest.mark.services]

PROFILE = 'production'
MINUTE = 60.0
BOTH = ('postgresql', 'rabbitmq')


@pytest.fixture(scope='module')
def services() -> Iterator[Services]:
    """PostgreSQL and RabbitMQ on ports of their own."""
    with temporary_services(*BOTH) as services:
        yield services


@pytest.fixture(scope='module')
def production(services, tmp_path_factory, campaign_overrides) -> Iterator[Laboratory]:
    """The profile that ``aiida-anial setup`` makes on the servers, with a daemon of two workers."""
    shell = Shell(tmp_path_factory.mktemp('servers'), PROFILE)
    pw = Path(shutil.which('pw.x') or pytest.fail('pw.x: there is none; run scripts/install-qe.sh'))
    laboratory, options = make_laboratory(shell, campaign_overrides(**CAMPAIGN), pw=pw)
    credentials = services.folder / 'credentials.yaml'
    shell.run('aiida-anial', 'setup', '--profile', PROFILE, '--credentials', credentials, *options)
    shell.verdi('daemon', 'start', 2)
    yield laboratory
    laboratory.eye.close()
    shell.verdi('daemon', 'stop')


def stop(services: Services, name: str, seconds: float) -> None:
    """Shut a server down, wait, and start it again."""
    services.run('stop', name)
    time.sleep(seconds)
    services.run('start', name)


def kill(services: Services, *names: str) -> None:
    """Kill servers, and start them again."""
    for name in names:
        services.kill(name)
    services.run('start', *names)


def reboot(trial: Trial, services: Services, programs: list[int]) -> None:
    """Kill everything at once, as a power cut does; then start the servers and the daemon, as the machine does."""
    shell = trial.laboratory.shell
    supervisor = int((shell.home / '.aiida' / 'daemon' / f'circus-{PROFILE}.pid').read_text())
    # The workers, and the supervisor's own process for statistics.
    children = Path(f'/proc/{supervisor}/task/{supervisor}/children').read_text().split()
    assert len(children) >= len(shell.workers()) > 0
    victims = [supervisor, *map(int, children), *programs]
    # None of them may see the others end.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        trial.kill(*victims, number=number)
    for name in BOTH:
        services.kill(name)
    trial.laboratory.eye.close()
    services.run('start', *BOTH)
    shell.verdi('daemon', 'start', 2)


def test_postgresql_is_restarted_under_a_daemon_that_has_nothing_to_do(production, services):
    assert production.shell.workers()
    stop(services, 'postgresql', 0)
    with production.trial('PostgreSQL stopped and started', 'idle') as trial:
        trial.restored()


def test_rabbitmq_is_restarted_under_a_daemon_that_has_nothing_to_do(production, services):
    assert production.shell.workers()
    stop(services, 'rabbitmq', 0)
    with production.trial('RabbitMQ stopped and started', 'idle') as trial:
        trial.restored()


@pytest.mark.parametrize('phase', ['random cells', 'labelling', 'parsing', 'training', 'sampling'])
def test_postgresql_is_stopped_and_started(production, services, phase):
    with production.trial('PostgreSQL stopped and started', phase) as trial:
        hit = trial.wait_for(phase)
        stop(services, 'postgresql', 0)
        trial.restored(hit if hit.folder else None)


@pytest.mark.parametrize('phase', ['labelling', 'training'])
@pytest.mark.parametrize('name', ['PostgreSQL', 'RabbitMQ'])
def test_a_server_is_away_for_a_minute(production, services, name, phase):
    with production.trial(f'{name} away for a minute', phase) as trial:
        hit = trial.wait_for(phase)
        stop(services, name.lower(), MINUTE)
        trial.restored(hit)


@pytest.mark.parametrize('phase', ['labelling', 'sampling'])
@pytest.mark.parametrize('name', ['PostgreSQL', 'RabbitMQ'])
def test_a_server_is_killed(production, services, name, phase):
    with production.trial(f'{name} killed', phase) as trial:
        hit = trial.wait_for(phase)
        kill(services, name.lower())
        trial.restored(hit)


def test_both_servers_are_killed(production, services):
    with production.trial('PostgreSQL and RabbitMQ killed', 'labelling') as trial:
        hit = trial.wait_for('labelling')
        kill(services, *BOTH)
        trial.restored(hit)


@pytest.mark.parametrize('phase', ['labelling', 'training', 'sampling'])
def test_the_machine_is_rebooted(production, services, phase):
    with production.trial('reboot: everything killed', phase, may_differ=phase == 'training') as trial:
        hit = trial.wait_for(phase)
        reboot(trial, services, [pid for one in trial.look() for pid in programs_in(one.where)])
        trial.restored(hit)


def test_the_doctor_finds_all_well_in_the_end(production):
    printed = production.shell.anial('doctor')
    assert 'ok       processes: every active process has a daemon worker' in printed
