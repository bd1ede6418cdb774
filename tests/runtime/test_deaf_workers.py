"""Workers that are older than the broker of their daemon are found, and ended."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import psutil
import pytest

from aiida_anial.runtime.deaf_workers import _end, deaf_workers

SLEEP = 'import time; print(flush=True); time.sleep(60)'


@pytest.fixture
def begin():
    """Return a function that starts a process with the command line of a part of a daemon."""
    begun = []

    def begin(*words):
        # The clock by which processes are dated ticks a hundred times a second.
        time.sleep(0.1)
        begun.append(subprocess.Popen([sys.executable, '-c', SLEEP, *words], stdout=subprocess.PIPE))
        begun[-1].stdout.readline()
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def status(tmp_path):
    """Return a function that writes a broker's status file."""

    def write(process):
        path = tmp_path / 'broker.status'
        path.write_text(json.dumps({'pid': process.pid}))
        return path

    return write


def test_workers_that_are_older_than_the_broker_are_deaf(begin, status):
    before = [begin('daemon', 'worker') for _ in range(2)]
    begin('daemon', 'broker')
    broker = begin('daemon', 'broker')
    begin('daemon', 'worker')
    found = deaf_workers(psutil.Process(), status(broker))
    assert {worker.pid for worker in found} == {process.pid for process in before}


def test_workers_that_began_after_the_broker_are_left_alone(begin, status):
    broker = begin('daemon', 'broker')
    begin('daemon', 'worker')
    assert deaf_workers(psutil.Process(), status(broker)) == []


def test_as_long_as_there_is_no_broker_nobody_is_deaf(begin, status, tmp_path):
    begin('daemon', 'worker')
    broker = begin('daemon', 'broker')
    path = status(broker)
    broker.kill()
    broker.wait()
    assert deaf_workers(psutil.Process(), path) == []
    assert deaf_workers(psutil.Process(), tmp_path / 'none') == []


def test_a_worker_is_asked_to_end(begin):
    worker = begin('daemon', 'worker')
    _end(worker.pid)
    assert worker.wait(10) == -15
