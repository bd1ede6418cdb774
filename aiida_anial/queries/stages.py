"""What a process is doing at the moment: stages that count, and what runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiida import orm
from aiida.common import timezone

from aiida_anial.runtime.states import ACTIVE

__all__ = ('Running', 'Stage', 'running_under', 'stages_of')

# Work chains word their status so; the pks of their children follow in parentheses.
_COUNT: Final = re.compile(r'(?P<done>\d+) of (at most )?(?P<total>\d+) (?P<what>\w+)( done)?')
_ITERATION: Final = re.compile(r'iteration (?P<done>\d+) of (at most )?(?P<total>\d+)')
_PKS: Final = re.compile(r' \([\d, ]*\)$')


@dataclass(frozen=True)
class Running:
    """A process that is alive.

    :param pk: its pk.
    :param name: process label.
    :param label: label of the node.
    :param status: what it says of itself.
    :param elapsed_s: seconds since its creation.
    :param is_job: whether it is a calculation job.
    """

    pk: int
    name: str
    label: str
    status: str
    elapsed_s: float
    is_job: bool


@dataclass(frozen=True)
class Stage:
    """A stage that counts.

    :param what: what it counts.
    :param done: how many are done.
    :param total: how many there will be.
    """

    what: str
    done: int
    total: int


def running_under(process: Any) -> list[Running]:
    """Return a process and its descendants that are alive, level by level."""
    found, level = [], [process] if not process.is_terminated else []
    while level:
        found += [_running(node) for node in level]
        query = orm.QueryBuilder()
        query.append(orm.ProcessNode, filters={'id': {'in': [node.pk for node in level]}}, tag='caller')
        # Of the children of a campaign few are alive, and many have ended.
        filters = {'attributes.process_state': {'in': ACTIVE}}
        query.append((orm.WorkChainNode, orm.CalcJobNode), with_incoming='caller', filters=filters, tag='alive')
        query.order_by({'alive': 'id'}).add_projection('alive', '*')
        level = query.all(flat=True)
    return found


def _running(node: Any) -> Running:
    return Running(
        pk=node.pk,
        name=node.process_label,
        label=node.label,
        status=_PKS.sub('', node.process_status or ''),
        elapsed_s=(timezone.now() - node.ctime).total_seconds(),
        is_job=isinstance(node, orm.CalcJobNode),
    )


def stages_of(running: list[Running]) -> Iterator[Stage]:
    """Yield the stages of processes; those that count the same things side by side are one."""
    counts: dict[str, list[int]] = {}
    for one in running:
        if match := _ITERATION.search(one.status):
            counts['iterations'] = [int(match['done']) - 1, int(match['total'])]
        elif match := _COUNT.search(one.status):
            both = counts.setdefault(match['what'], [0, 0])
            both[0] += int(match['done'])
            both[1] += int(match['total'])
    yield from (Stage(what, done, total) for what, (done, total) in counts.items())
