"""What a campaign needs from the servers of a production profile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from aiida import orm
from aiida.common import timezone
from aiida.manage.configuration import Profile
from packaging.version import InvalidVersion, Version

from aiida_anial.cli.machine_checks import Check
from aiida_anial.cli.postgres import ENCODING, OLDEST, connect, database_facts
from aiida_anial.cli.production import BROKER, STORAGE, postgres_of
from aiida_anial.cli.rabbitmq import OLDEST as OLDEST_BROKER
from aiida_anial.cli.rabbitmq import BrokerFacts, broker_facts, broker_version, server_of
from aiida_anial.common.errors import AnialError
from aiida_anial.data.nodes import ACTIVE
from aiida_anial.runtime.rabbitmq_tasks import without_worker

__all__ = ('BROKER_SERVER', 'SERVER', 'broker_checks', 'database_checks', 'process_check', 'recovery_check')

# The check without which nothing else of the storage can be looked at.
SERVER: Final = 'PostgreSQL'
BROKER_SERVER: Final = 'RabbitMQ'

_AGAIN: Final = 'start the server, or `aiida-anial setup` with the --credentials of today'
# What the connection pool of a worker keeps, and what commands open beside it.
_CONNECTIONS_PER_WORKER: Final = 5
_CONNECTIONS_BESIDE: Final = 10
# A worker may take as long to begin what it was handed.
_GRACE: Final = timedelta(minutes=2)


def database_checks(config: dict[str, Any], n_workers: int) -> Iterator[Check]:
    """Check a PostgreSQL server.

    :param config: of the profile's storage.
    :param n_workers: of the daemon, each of which has connections.
    """
    server = postgres_of(config)
    try:
        with connect(server) as connection:
            facts = database_facts(connection)
    except AnialError as exception:
        yield Check(SERVER, False, str(exception), _AGAIN)
        return
    finding = f'{facts.version_text}, {server.database} at {server.host}:{server.port}'
    yield Check(SERVER, facts.version >= OLDEST * 10000, finding, f'upgrade it: {OLDEST} is the oldest that serves')
    remedy = f'make a database with ENCODING {ENCODING!r} and move there with pg_dump and pg_restore'
    yield Check('encoding', facts.encoding == ENCODING, facts.encoding, remedy)
    needed = _CONNECTIONS_PER_WORKER * n_workers + _CONNECTIONS_BESIDE
    finding = f'{facts.max_connections} allowed, {needed} needed by daemon and commands'
    remedy = 'raise max_connections in postgresql.conf and restart the server'
    yield Check('connections', facts.max_connections >= needed, finding, remedy)


def broker_checks(config: dict[str, Any]) -> Iterator[Check]:
    """Check a RabbitMQ server.

    :param config: of the profile's broker.
    """
    server = server_of(config)
    try:
        version = broker_version(server)
    except AnialError as exception:
        yield Check(BROKER_SERVER, False, str(exception), _AGAIN)
        return
    finding = f'{version} at {server.host}:{server.port}'
    yield Check(BROKER_SERVER, _serves(version), finding, f'upgrade it: {OLDEST_BROKER} is the oldest that serves')
    yield from _settings(broker_facts(server))


def _serves(version: str) -> bool:
    try:
        return Version(version) >= Version(OLDEST_BROKER)
    except InvalidVersion:
        return False


def _settings(facts: BrokerFacts) -> Iterator[Check]:
    """Check what only the server's own command tells."""
    if facts.unseen:
        question = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
        remedy = f'on its machine, as its user or root, run {question}; it should say {{ok,undefined}}'
        yield Check('consumer timeout', None, f'cannot be seen: {facts.unseen}', remedy)
        return
    finding = 'none' if facts.timeout_ms is None else f'{facts.timeout_ms / 60000:g} minutes, then tasks are taken away'
    remedy = 'put [{rabbit, [{consumer_timeout, undefined}]}]. into its advanced.config and restart it'
    yield Check('consumer timeout', facts.timeout_ms is None, finding, remedy)
    finding = f'{facts.n_alarms or "none"}'
    remedy = 'it takes nothing more until there is room: free memory and disk on its machine, see `rabbitmqctl status`'
    yield Check('RabbitMQ alarms', not facts.n_alarms, finding, remedy)


def recovery_check(profile: Profile) -> Check:
    """Check that the workers go on after a server was away."""
    recovers = (profile.storage_backend, profile.process_control_backend) == (STORAGE, BROKER)
    finding = f'workers {"outlive" if recovers else "do not outlive"} a restart of PostgreSQL and RabbitMQ'
    remedy = f'run `aiida-anial setup --production -p {profile.name}`, and then `verdi daemon restart`'
    return Check('recovery', recovers, finding, remedy)


def process_check() -> Check:
    """Check that every process that has not ended is worked on; for a daemon that runs."""
    query = orm.QueryBuilder().append(
        (orm.CalcJobNode, orm.WorkChainNode),
        filters={
            'attributes.process_state': {'in': ACTIVE},
            # What is run without a daemon leaves none.
            'attributes': {'has_key': orm.ProcessNode.CHECKPOINT_KEY},
            'mtime': {'<': timezone.now() - _GRACE},
        },
        project='id',
    )
    lost = without_worker(query.all(flat=True))
    finding = f'nobody works on {", ".join(map(str, lost))}' if lost else 'none is lost'
    remedy = 'run `verdi daemon stop`, `verdi process repair` and `verdi daemon start`'
    return Check('processes', not lost, finding, remedy)
