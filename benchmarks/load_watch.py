"""Sample the state of the daemon workers and of the database while labels are made."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

_TICKS: Final = os.sysconf('SC_CLK_TCK')
_PAGE: Final = os.sysconf('SC_PAGE_SIZE')
_INTERVAL_S: Final = 2.0
_ALIVE = """
SELECT count(*) FILTER (WHERE attributes ->> 'process_state' NOT IN ('finished', 'excepted', 'killed')),
       count(*) FILTER (WHERE attributes ->> 'process_state' IN ('finished', 'excepted', 'killed'))
FROM db_dbnode WHERE id > %s AND node_type LIKE 'process.workflow.workchain.%%'
AND attributes ->> 'process_label' = 'PwBaseWorkChain'
"""
_CONNECTIONS = 'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
_LAST = 'SELECT coalesce(max(id), 0) FROM db_dbnode'


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


@dataclass(frozen=True)
class Sample:
    """State of the workers and of the database at one time.

    :param time: seconds since the epoch.
    :param alive: number of children that have not ended.
    :param done: number of children that have ended.
    :param connections: number of connections to the database, without that of the watch.
    :param rss_mib: resident memory of each worker in MiB.
    :param files: number of open files of each worker.
    """

    time: float
    alive: int
    done: int
    connections: int
    rss_mib: tuple[float, ...]
    files: tuple[int, ...]


class Watch:
    """Takes samples while its block runs.

    :param connection: connection to the database, which is closed at the end.
    :param workers: process ids of the workers.
    """

    def __init__(self, connection: Any, workers: Sequence[int]) -> None:
        self.samples: list[Sample] = []
        self.engine_s = 0.0
        self._connection, self._workers = connection, workers
        self._over = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._last = self._ask(_LAST)[0]
        self._before = self._cpu()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()
        if kind is None and self._failed is not None:
            raise RuntimeError(f'A worker or the database could not be watched: {self._failed}') from self._failed
        if kind is None:
            self.engine_s = self._cpu() - self._before

    def _look(self) -> None:
        try:
            while not self._over.wait(_INTERVAL_S):
                self.samples.append(self._sample())
        # The main thread reports it, whatever it is.
        except Exception as exception:
            self._failed = exception

    def _sample(self) -> Sample:
        alive, done = self._ask(_ALIVE, (self._last,))
        (connections,) = self._ask(_CONNECTIONS)
        folders = [Path(f'/proc/{pid}') for pid in self._workers]
        resident = tuple(int((folder / 'statm').read_text().split()[1]) * _PAGE / 2**20 for folder in folders)
        files = tuple(len(list((folder / 'fd').iterdir())) for folder in folders)
        return Sample(time.time(), alive, done, connections, resident, files)

    def _ask(self, question: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._connection.execute(question, values).fetchone()
        return found

    def _cpu(self) -> float:
        return sum(map(cpu_s, self._workers))
