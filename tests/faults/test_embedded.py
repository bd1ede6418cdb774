"""Faults of the daemon and of the ZeroMQ broker of the embedded profile."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress

import psutil
import pytest

pytestmark = pytest.mark.faults


def broker(shell, *, unlike=None):
    """Wait for the broker, and return its process id.

    :param unlike: process id of an earlier broker, which does not count.
    """

    def pid():
        with suppress(OSError, ValueError):
            (status,) = (shell.home / '.aiida').glob('broker/*/broker.status')
            said = json.loads(status.read_text())['pid']
            return said if said != unlike and psutil.pid_exists(said) else None

    return shell.wait(pid, limit_s=60)


def test_a_worker_killed_at_random_cells_is_replaced(laboratory):
    with laboratory.trial('SIGKILL of the daemon worker', 'random cells') as trial:
        hit = trial.wait_for('random cells')
        trial.kill(*laboratory.workers())
        assert hit.path.count('/') == 1
        trial.restored()


def test_a_killed_worker_is_replaced(laboratory):
    with laboratory.campaign() as trials:
        for phase in ('labelling', 'parsing', 'training', 'sampling'):
            with trials.trial('SIGKILL of the daemon worker', phase) as trial:
                hit = trial.wait_for(phase)
                workers = laboratory.workers()
                assert len(workers) == 1
                trial.kill(*workers)
                # The daemon starts another one by itself.
                assert not next(process for process in trial.look() if process.pk == hit.pk).has_ended
                trial.restored(hit)


def test_a_daemon_without_workers_or_broker_comes_back(laboratory):
    shell = laboratory.shell
    shell.verdi('daemon', 'incr', 1)
    try:
        with laboratory.campaign() as trials:
            with trials.trial('SIGKILL of all workers', 'labelling') as trial:
                trial.wait_for('labelling')
                workers = laboratory.workers()
                assert len(workers) == 2
                trial.kill(*workers)
                trial.restored()
            with trials.trial('daemon stopped for 15 s, and started', 'training') as trial:
                trial.wait_for('training')
                shell.verdi('daemon', 'stop')
                time.sleep(15)
                shell.verdi('daemon', 'start', 2)
                trial.restored()
            with trials.trial('SIGKILL of the ZeroMQ broker', 'sampling') as trial:
                trial.wait_for('sampling')
                os.kill(broker(shell), signal.SIGKILL)
                trial.restored()
    finally:
        # With one worker, as in the beginning.
        shell.verdi('daemon', 'stop')
        shell.verdi('daemon', 'start')


def test_a_campaign_is_heard_although_the_broker_died_before(laboratory):
    shell = laboratory.shell
    before = broker(shell)
    os.kill(before, signal.SIGKILL)
    broker(shell, unlike=before)
    with laboratory.trial('SIGKILL of the ZeroMQ broker', 'before the campaign') as trial:
        trial.restored()
