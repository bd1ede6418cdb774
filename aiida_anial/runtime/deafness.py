"""Daemon workers that no longer hear AiiDA's ZeroMQ broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakSet

import psutil
from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config

__all__ = ('deaf_workers', 'end_deaf_workers', 'watch_broker')

_ZEROMQ = 'core.zeromq'
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
    if loop in _watched or profile is None or profile.process_control_backend != _ZEROMQ:
        return
    if not _is_worker(psutil.Process()):
        return
    _watched.add(loop)

    def look() -> None:
        _end_all(deaf_workers(psutil.Process().parent(), _status_file(profile)))
        loop.call_later(_INTERVAL_S, look)

    loop.call_later(_INTERVAL_S, look)


def end_deaf_workers() -> int:
    """End the workers of the daemon that do not hear its broker, and return how many.

    Workers that hold a process look for that themselves; idle ones do not.
    """
    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend != _ZEROMQ:
        return 0
    pid = get_daemon_client(profile.name).get_daemon_pid()
    if pid is None or not psutil.pid_exists(pid):
        return 0
    deaf = deaf_workers(psutil.Process(pid), _status_file(profile))
    _end_all(deaf)
    return len(deaf)


def deaf_workers(daemon: psutil.Process | None, status: Path) -> list[psutil.Process]:
    """Return the workers of a daemon that are older than its broker.

    :param daemon: their parent.
    :param status: file in which the broker says who it is.
    """
    try:
        began = psutil.Process(json.loads(status.read_text())['pid']).create_time()
        workers = [child for child in daemon.children() if _is_worker(child)] if daemon is not None else []
        return [worker for worker in workers if worker.create_time() < began]
    except (OSError, ValueError, KeyError, psutil.Error):
        # There is no broker yet, or the daemon is just ending.
        return []


def _status_file(profile: Profile) -> Path:
    service = Path(get_config().filepaths(profile)['broker_service']['dir'])
    return Path(ZeromqBrokerService.FilepathLayout(service).status_file)


def _end_all(workers: Iterable[psutil.Process]) -> None:
    """End workers, this one last."""
    for worker in sorted(workers, key=lambda worker: worker.pid == os.getpid()):
        _end(worker.pid)


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
