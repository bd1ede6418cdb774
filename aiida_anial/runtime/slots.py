"""A bound on the calculations of one computer that holds over all campaigns of a profile."""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.manage.configuration import get_config

from aiida_anial.runtime.states import ACTIVE

__all__ = ('LAUNCHES_ON', 'LIMIT', 'WAITS_FOR', 'Grant', 'granted', 'held_slots', 'number_granted')

LIMIT: Final = 'anial_max_calculations'
"""Property of a computer: how many calculations of labellers may be alive there at once."""

WAITS_FOR: Final = 'waits_for'
"""Extra of a work chain that waits for room on a computer: the UUID of the computer."""

LAUNCHES_ON: Final = 'launches_on'
"""Extra of a work chain that launches calculations on a computer: the UUID of the computer."""


@dataclass(frozen=True)
class Grant:
    """What a work chain may launch now.

    :param number: how many calculations.
    :param awaited: pks of the calculations one of which has to end before more can be had.
    """

    number: int
    awaited: tuple[int, ...] = ()


@contextmanager
def granted(node: Any, computer: orm.Computer | None, wanted: int) -> Iterator[Grant]:
    """Say how many calculations the work chain ``node`` may launch, while no other one is told.

    They have to be launched before the context ends. Without a limit of the computer everything is granted.
    """
    if computer is not None and LAUNCHES_ON not in node.base.extras.all:
        node.base.extras.set(LAUNCHES_ON, computer.uuid)
    bound = computer.get_property(LIMIT, None) if computer is not None else None
    if computer is None or bound is None or wanted <= 0:
        yield Grant(max(wanted, 0))
        return
    with _alone(computer):
        held = held_slots(computer)
        number = number_granted(
            bound, {chain: len(pks) for chain, pks in held.items()}, node.pk, _waiting(computer), wanted
        )
        _mark(node, computer, waits=number < wanted)
        awaited = tuple(pk for pks in held.values() for pk in pks) if number < wanted else ()
        yield Grant(number, awaited)


def number_granted(bound: int, held: Mapping[int, int], chain: int, waiting: Collection[int], wanted: int) -> int:
    """Return how many of the ``wanted`` calculations a work chain may launch.

    While others wait it may have one more than the one of them that has fewest, so that a campaign that comes later
    gets its share as calculations end.

    :param bound: calculations alive at once, over all work chains.
    :param held: how many each work chain has, by pk.
    :param chain: pk of the one that asks.
    :param waiting: pks of those that were refused some.
    """
    room = bound - sum(held.values())
    fewest = min((held.get(other, 0) for other in waiting if other != chain), default=None)
    if fewest is not None:
        room = min(room, fewest + 1 - held.get(chain, 0))
    return max(min(wanted, room), 0)


def held_slots(computer: orm.Computer) -> dict[int, list[int]]:
    """Return the pks of the calculations alive on a computer, by the pk of the work chain that launched them."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={f'extras.{LAUNCHES_ON}': computer.uuid}, project='id', tag='chain')
    query.append(
        [orm.WorkChainNode, orm.CalcJobNode],
        with_incoming='chain',
        filters={'attributes.process_state': {'in': ACTIVE}},
        project='id',
    )
    held: dict[int, list[int]] = {}
    for chain, calculation in query.all():
        held.setdefault(chain, []).append(calculation)
    return held


def _waiting(computer: orm.Computer) -> list[int]:
    """Return the pks of the work chains that were refused calculations on a computer."""
    filters = {f'extras.{WAITS_FOR}': computer.uuid, 'attributes.process_state': {'in': ACTIVE}}
    found: list[int] = orm.QueryBuilder().append(orm.WorkChainNode, filters=filters, project='id').all(flat=True)
    return found


def _mark(node: Any, computer: orm.Computer, *, waits: bool) -> None:
    """Record for the other work chains whether this one waits."""
    if waits:
        node.base.extras.set(WAITS_FOR, computer.uuid)
    elif WAITS_FOR in node.base.extras.all:
        node.base.extras.delete(WAITS_FOR)


@contextmanager
def _alone(computer: orm.Computer) -> Iterator[None]:
    """Keep the daemon's other workers, all on this machine, from counting at the same time."""
    folder = Path(get_config().dirpath) / 'anial'
    folder.mkdir(exist_ok=True)
    with (folder / f'{computer.uuid}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
