"""End daemon workers that no longer hear the ZeroMQ broker.

:hook: the status file of ``ZeromqBrokerService`` and the daemon's child processes
:changes: Daemon workers that are older than their broker are ended; the daemon starts others, which take up their
    work.
:why: The daemon starts a broker that died again on another socket, where the workers of before do not look for it.
    They hear nothing, nobody hears them, and the processes that they hold are handed to nobody else.
:upstream: none found; related: aiida-core #7284 (the ZeroMQ broker)
:until: AiiDA's ZeroMQ broker comes back on the same socket, or its workers look for the new one.
"""

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
# A worker that closes by itself does so within seconds.
_GRACE_S = 20.0

_watched: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def watch_broker(loop: asyncio.AbstractEventLoop) -> None:
    """Look every ten seconds, in a daemon worker, for daemon workers that do not hear the broker, and end them."""
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
    """End the daemon workers that do not hear their broker, and return how many.

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
    """Return the daemon workers that are older than their broker.

    :param daemon: their parent.
    :param status: file in which the broker stores its process id.
    """
    try:
        began = psutil.Process(json.loads(status.read_text())['pid']).create_time()
        workers = [child for child in daemon.children() if _is_worker(child)] if daemon is not None else []
        return [worker for worker in workers if worker.create_time() < began]
    except (OSError, ValueError, KeyError, psutil.Error):
        # The broker has not started yet, or the daemon is ending.
        return []


def _status_file(profile: Profile) -> Path:
    service = Path(get_config().filepaths(profile)['broker_service']['dir'])
    return Path(ZeromqBrokerService.FilepathLayout(service).status_file)


def _end_all(workers: Iterable[psutil.Process]) -> None:
    """End daemon workers, this one last."""
    for worker in sorted(workers, key=lambda worker: worker.pid == os.getpid()):
        _end(worker.pid)


def _is_worker(process: psutil.Process) -> bool:
    """Return whether a process is a daemon worker."""
    return list(process.cmdline()[-2:]) == ['daemon', 'worker']


def _end(pid: int) -> None:
    """Ask a daemon worker to end, and kill it if it does not."""

    def kill() -> None:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)

    os.kill(pid, signal.SIGTERM)
    timer = threading.Timer(_GRACE_S, kill)
    timer.daemon = True
    timer.start()
