"""Bounds on the calculations that are alive: of one campaign, and of one computer over all campaigns of a profile."""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.manage.configuration import get_config

from aiida_anial.runtime.states import ACTIVE

__all__ = ('LIMIT', 'Grant', 'Pool', 'granted', 'held_slots', 'number_granted', 'pool_of_campaign', 'pool_of_computer')

LIMIT: Final = 'anial_max_calculations'
"""Property of a computer: how many calculations of labellers may be alive there at once."""


@dataclass(frozen=True)
class Pool:
    """Slots that work chains share.

    The work chains are found by their extras: ``launches_NAME`` of one that launches calculations in the pool, and
    ``waits_NAME`` of one that was refused some.

    :param name: what shares the slots: ``for`` a campaign, ``on`` a computer.
    :param uuid: of the process at the top of the campaign, or of the computer.
    :param bound: how many calculations may be alive at once; None: any number.
    """

    name: str
    uuid: str
    bound: int | None

    @property
    def launches(self) -> str:
        """Extra of a work chain that launches calculations in this pool: the pool's UUID."""
        return f'launches_{self.name}'

    @property
    def waits(self) -> str:
        """Extra of a work chain that was refused calculations in this pool: the pool's UUID."""
        return f'waits_{self.name}'


def pool_of_campaign(node: Any, bound: int) -> Pool:
    """Return the slots of the process at the top of those that called ``node``."""
    while (caller := node.caller) is not None:
        node = caller
    return Pool('for', node.uuid, bound)


def pool_of_computer(computer: orm.Computer) -> Pool:
    """Return the slots of a computer, with the limit that ``aiida-anial limit`` sets."""
    return Pool('on', computer.uuid, computer.get_property(LIMIT, None))


@dataclass(frozen=True)
class Grant:
    """What a work chain may launch now.

    :param number: how many calculations.
    :param awaited: pks of the calculations one of which has to end before more can be had.
    :param full: the pools that have no more room.
    """

    number: int
    awaited: tuple[int, ...] = ()
    full: tuple[Pool, ...] = ()


@contextmanager
def granted(node: Any, pools: Sequence[Pool], wanted: int) -> Iterator[Grant]:
    """Say how many calculations the work chain ``node`` may launch, while no other one is told.

    They have to be launched before the context ends.

    :param pools: each of them must have room.
    """
    for pool in pools:
        if pool.launches not in node.base.extras.all:
            node.base.extras.set(pool.launches, pool.uuid)
    bounded = [pool for pool in pools if pool.bound is not None]
    if not bounded or wanted <= 0:
        yield Grant(max(wanted, 0))
        return
    with _alone():
        held = {pool: held_slots(pool) for pool in bounded}
        numbers = {pool: _number(pool, held[pool], node.pk, wanted) for pool in bounded}
        full = tuple(pool for pool in bounded if numbers[pool] < wanted)
        for pool in bounded:
            _mark(node, pool, waits=pool in full)
        awaited = {pk for pool in full for pks in held[pool].values() for pk in pks}
        yield Grant(min(numbers.values()), tuple(sorted(awaited)), full)


def _number(pool: Pool, held: Mapping[int, Collection[int]], chain: int, wanted: int) -> int:
    assert pool.bound is not None
    return number_granted(pool.bound, {pk: len(pks) for pk, pks in held.items()}, chain, _waiting(pool), wanted)


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


def held_slots(pool: Pool) -> dict[int, list[int]]:
    """Return the pks of the calculations alive in a pool, by the pk of the work chain that launched them."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={f'extras.{pool.launches}': pool.uuid}, project='id', tag='chain')
    query.append(
        [orm.WorkChainNode, orm.CalcJobNode],
        with_incoming='chain',
        # A work chain that launches calculations itself is none of them.
        filters={'attributes.process_state': {'in': ACTIVE}, 'extras': {'!has_key': pool.launches}},
        project='id',
    )
    held: dict[int, list[int]] = {}
    for chain, calculation in query.all():
        held.setdefault(chain, []).append(calculation)
    return held


def _waiting(pool: Pool) -> list[int]:
    """Return the pks of the work chains that were refused calculations in a pool."""
    filters = {f'extras.{pool.waits}': pool.uuid, 'attributes.process_state': {'in': ACTIVE}}
    found: list[int] = orm.QueryBuilder().append(orm.WorkChainNode, filters=filters, project='id').all(flat=True)
    return found


def _mark(node: Any, pool: Pool, *, waits: bool) -> None:
    """Record for the other work chains whether this one waits."""
    if waits:
        node.base.extras.set(pool.waits, pool.uuid)
    elif pool.waits in node.base.extras.all:
        node.base.extras.delete(pool.waits)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep the daemon's other workers, all on this machine, from counting at the same time."""
    folder = Path(get_config().dirpath) / 'anial'
    folder.mkdir(exist_ok=True)
    with (folder / 'slots.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
