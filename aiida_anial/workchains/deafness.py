"""Daemon workers that no longer hear AiiDA's ZeroMQ broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from pathlib import Path
from weakref import WeakSet

import psutil
from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.manage import get_manager
from aiida.manage.configuration import get_config

__all__ = ('watch_broker',)

_INTERVAL_S = 10.0
# A worker closes in order within seconds, if at all.
_GRACE_S = 20.0

_watched: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def watch_broker(loop: asyncio.AbstractEventLoop) -> None:
    """Look from time to time, in a daemon worker, for workers that do not hear the broker, and end them.

    A broker that died is started again by the daemon, in another place, where the workers of before do not look for
    it: nothing that they ask for is heard, nothing is asked of them, and the processes that they hold are handed to
    nobody else. The daemon starts others in place of workers that end, which take all of it up.
    """
    profile = get_manager().get_profile()
    if loop in _watched or profile is None or profile.process_control_backend != 'core.zeromq':
        return
    if not _is_worker(psutil.Process()):
        return
    _watched.add(loop)
    service = Path(get_config().filepaths(profile)['broker_service']['dir'])
    status = ZeromqBrokerService.FilepathLayout(service).status_file

    def look() -> None:
        for worker in deaf_workers(psutil.Process(), status):
            _end(worker.pid)
        loop.call_later(_INTERVAL_S, look)

    loop.call_later(_INTERVAL_S, look)


def deaf_workers(worker: psutil.Process, status: Path) -> list[psutil.Process]:
    """Return the workers of a daemon that are older than its broker, this one last.

    :param worker: one of them.
    :param status: file in which the broker says who it is.
    """
    try:
        began = psutil.Process(json.loads(status.read_text())['pid']).create_time()
        all_workers = [child for child in worker.parent().children() if _is_worker(child)]
        deaf = [child for child in all_workers if child.create_time() < began]
    except (OSError, ValueError, KeyError, AttributeError, psutil.Error):
        # There is no broker yet, or the daemon is just ending.
        return []
    return sorted(deaf, key=lambda child: child.pid == worker.pid)


def _is_worker(process: psutil.Process) -> bool:
    """Return whether a process is a worker of a daemon."""
    return list(process.cmdline()[-2:]) == ['daemon', 'worker']


def _end(pid: int) -> None:
    """End a worker in order, or else."""

    def kill() -> None:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)

    os.kill(pid, signal.SIGTERM)
    timer = threading.Timer(_GRACE_S, kill)
    timer.daemon = True
    timer.start()
