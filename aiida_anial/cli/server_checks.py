"""Checks of the servers of a production profile for `aiida-anial doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiida import orm
from aiida.common import timezone
from aiida.manage.configuration import Profile
from packaging.version import InvalidVersion, Version

from aiida_anial.cli.postgres import ENCODING, OLDEST, connect, database_facts
from aiida_anial.cli.production import BROKER, STORAGE, postgres_of
from aiida_anial.cli.rabbitmq import OLDEST as OLDEST_BROKER
from aiida_anial.cli.rabbitmq import BrokerFacts, broker_facts, broker_version, server_of
from aiida_anial.common.errors import AnialError
from aiida_anial.runtime.rabbitmq_tasks import without_worker
from aiida_anial.runtime.states import ACTIVE

__all__ = (
    'BROKER_SERVER',
    'SERVER',
    'Check',
    'broker_checks',
    'database_checks',
    'process_check',
    'recovery_check',
)

# Names of checks. If that of the database fails, nothing in the storage can be checked.
SERVER: Final = 'PostgreSQL'
BROKER_SERVER: Final = 'RabbitMQ'

_AGAIN: Final = 'start the server, or run `aiida-anial setup` with the current --credentials'
# Connections that the pool of a daemon worker keeps, and those that commands open in addition.
_CONNECTIONS_PER_WORKER: Final = 5
_CONNECTIONS_BESIDE: Final = 10
# A daemon worker may take this long to start a process.
_GRACE: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Check:
    """The result of checking one thing that a campaign needs.

    :param passed: None if it cannot be checked from here.
    :param finding: what was found.
    :param remedy: how to fix it if it failed, or how to check it by hand if it cannot be checked from here.
    :param is_slow: whether a campaign works with it, but slowly; ``remedy`` then says how it gets faster.
    """

    name: str
    passed: bool | None
    finding: str
    remedy: str = ''
    is_slow: bool = False


def database_checks(config: dict[str, Any], n_workers: int) -> Iterator[Check]:
    """Check a PostgreSQL server.

    :param config: configuration of the profile's storage.
    :param n_workers: number of daemon workers, each of which holds connections.
    """
    server = postgres_of(config)
    try:
        with connect(server) as connection:
            facts = database_facts(connection)
    except AnialError as exception:
        yield Check(SERVER, False, str(exception), _AGAIN)
        return
    finding = f'{facts.version_text}, {server.database} at {server.host}:{server.port}'
    yield Check(SERVER, facts.version >= OLDEST * 10000, finding, f'upgrade it to {OLDEST} or newer')
    remedy = f'create a database with ENCODING {ENCODING!r} and move the data with pg_dump and pg_restore'
    yield Check('encoding', facts.encoding == ENCODING, facts.encoding, remedy)
    needed = _CONNECTIONS_PER_WORKER * n_workers + _CONNECTIONS_BESIDE
    finding = f'{facts.max_connections} allowed, {needed} needed by daemon and commands'
    remedy = 'raise max_connections in postgresql.conf and restart the server'
    yield Check('connections', facts.max_connections >= needed, finding, remedy)


def broker_checks(config: dict[str, Any]) -> Iterator[Check]:
    """Check a RabbitMQ server.

    :param config: configuration of the profile's broker.
    """
    server = server_of(config)
    try:
        version = broker_version(server)
    except AnialError as exception:
        yield Check(BROKER_SERVER, False, str(exception), _AGAIN)
        return
    finding = f'{version} at {server.host}:{server.port}'
    yield Check(BROKER_SERVER, _serves(version), finding, f'upgrade it to {OLDEST_BROKER} or newer')
    yield from _settings(broker_facts(server))


def _serves(version: str) -> bool:
    try:
        return Version(version) >= Version(OLDEST_BROKER)
    except InvalidVersion:
        return False


def _settings(facts: BrokerFacts) -> Iterator[Check]:
    """Check the settings that only the server's own command can read."""
    if facts.unseen:
        question = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
        remedy = f'on its machine, as its user or root, run {question}; it should print {{ok,undefined}}'
        yield Check('consumer timeout', None, f'cannot be read: {facts.unseen}', remedy)
        return
    finding = 'none' if facts.timeout_ms is None else f'{facts.timeout_ms / 60000:g} minutes, then tasks are taken away'
    remedy = 'put [{rabbit, [{consumer_timeout, undefined}]}]. into its advanced.config and restart it'
    yield Check('consumer timeout', facts.timeout_ms is None, finding, remedy)
    finding = f'{facts.n_alarms or "none"}'
    remedy = 'free memory or disk on its machine, until then it accepts no messages; see `rabbitmqctl status`'
    yield Check('RabbitMQ alarms', not facts.n_alarms, finding, remedy)


def recovery_check(profile: Profile) -> Check:
    """Check that the daemon workers continue after a restart of a server."""
    recovers = (profile.storage_backend, profile.process_control_backend) == (STORAGE, BROKER)
    finding = f'daemon workers {"survive" if recovers else "do not survive"} a restart of PostgreSQL and RabbitMQ'
    remedy = f'run `aiida-anial setup --production -p {profile.name}`, and then `verdi daemon restart`'
    return Check('recovery', recovers, finding, remedy)


def process_check() -> Check:
    """Check that every active process has a daemon worker; the daemon must be running."""
    query = orm.QueryBuilder().append(
        (orm.CalcJobNode, orm.WorkChainNode),
        filters={
            'attributes.process_state': {'in': ACTIVE},
            # A process that runs without a daemon has no checkpoint.
            'attributes': {'has_key': orm.ProcessNode.CHECKPOINT_KEY},
            'mtime': {'<': timezone.now() - _GRACE},
        },
        project='id',
    )
    lost = without_worker(query.all(flat=True))
    finding = (
        f'no daemon worker has {", ".join(map(str, lost))}' if lost else 'every active process has a daemon worker'
    )
    remedy = 'run `verdi daemon stop`, `verdi process repair` and `verdi daemon start`'
    return Check('processes', not lost, finding, remedy)
