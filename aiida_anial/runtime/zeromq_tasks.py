"""Read which processes AiiDA's ZeroMQ broker was asked to run.

:hook: the folders ``tasks/pending`` and ``tasks/processing`` of ``ZeromqBrokerService``, and the content of their
    files
:changes: Nothing; the files are read.
:why: The broker does not tell which requests it holds, and a request that is sent twice runs a process twice.
:upstream: none found; related: aiida-core #7284, #7350
:until: ``get_process_tasks`` of AiiDA knows this broker without taking the tasks from it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.manage.configuration import Profile, get_config

__all__ = ('requested',)

# A request may move from one folder to the other meanwhile, and back.
_FOLDERS = ('pending', 'processing', 'pending')


def requested(profile: Profile) -> set[int]:
    """Return the pks of the processes that wait for a daemon worker, or that one has taken on.

    AiiDA's own reader of these files takes requests away from the workers, so they are read directly.
    """
    service = Path(get_config().filepaths(profile)['broker_service']['dir'])
    tasks = ZeromqBrokerService.FilepathLayout(service).storage_path / 'tasks'
    found: set[int] = set()
    for folder in _FOLDERS:
        for path in (tasks / folder).glob('*.json'):
            with suppress(FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
                found.add(json.loads(path.read_text())['body']['args']['pid'])
    return found
