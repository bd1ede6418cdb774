"""Calculations that were done before.

AiiDA's own cache would serve too, were it not for failures: a ``pw.x`` that somebody killed stays in it as long as its
exit code does not say otherwise. Here only what finished well counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from aiida import orm

from aiida_anial.data.extras import FINGERPRINT

__all__ = ('fingerprint', 'finished_twins')


def fingerprint(**content: Any) -> str:
    """Return a SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def finished_twins(values: Collection[str]) -> dict[str, Any]:
    """Return the newest work chain with each of these fingerprints that finished well, where there is one."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode,
        filters={f'extras.{FINGERPRINT}': {'in': list(values)}, 'attributes.exit_status': 0},
        project=[f'extras.{FINGERPRINT}', '*'],
        tag='chain',
    )
    return dict(query.order_by({'chain': {'id': 'asc'}}).all())
