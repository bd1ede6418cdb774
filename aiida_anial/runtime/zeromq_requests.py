"""What AiiDA's ZeroMQ broker has been asked for and has not seen the end of."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.manage.configuration import Profile, get_config

__all__ = ('requested',)

# A request may go from the one to the other meanwhile, and back.
_FOLDERS = ('pending', 'processing', 'pending')


def requested(profile: Profile) -> set[int]:
    """Return the pks of the processes that wait for a daemon worker, or that one has taken on.

    The files are read as they are: AiiDA's own reader takes requests away from their workers.
    """
    service = Path(get_config().filepaths(profile)['broker_service']['dir'])
    tasks = ZeromqBrokerService.FilepathLayout(service).storage_path / 'tasks'
    found: set[int] = set()
    for folder in _FOLDERS:
        for path in (tasks / folder).glob('*.json'):
            with suppress(FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
                found.add(json.loads(path.read_text())['body']['args']['pid'])
    return found
