"""Set up the production profile: AiiDA on a PostgreSQL and a RabbitMQ server."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aiida.common.exceptions import AiidaException
from aiida.common.log import AIIDA_LOGGER
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, create_profile, get_config, get_config_option

from aiida_anial.cli.credentials import PostgresServer, Servers
from aiida_anial.cli.postgres import prepared
from aiida_anial.cli.rabbitmq import BrokerFacts, broker_config, broker_facts, broker_version, server_of
from aiida_anial.common.errors import AnialError

__all__ = (
    'BROKER',
    'BROKERS',
    'DAEMON_TIMEOUT_S',
    'STORAGE',
    'STORAGES',
    'postgres_of',
    'set_up_production',
)

# AiiDA's storage and broker, extended so that daemon workers survive a restart of the servers.
STORAGE: Final = 'anial.psql_dos'
BROKER: Final = 'anial.rabbitmq'
STORAGES: Final = ('core.psql_dos', STORAGE)
BROKERS: Final = ('core.rabbitmq', BROKER)

# AiiDA's default of two seconds is too short for a daemon on a machine whose cores are all labelling.
DAEMON_TIMEOUT_S: Final = 30
# RabbitMQ announces when a child has ended; polling the database is only a fallback. Polled every second, as
# `verdi presto` sets it, hundreds of children would keep a daemon worker busy.
_POLL_INTERVAL_S: Final = 10


def set_up_production(name: str, servers: Servers | None, repository: Path | None) -> Iterator[str]:
    """Create the profile or update an existing one, and yield one line about each step.

    :param servers: servers to use; by default an existing profile keeps its own.
    :param repository: folder for the files of a new profile; by default inside AiiDA's folder.
    :raises AnialError: if a server refuses the login or cannot be used; nothing is left behind then.
    """
    config = get_config(create=True)
    if name in config.profile_names:
        _check_kind(config.get_profile(name))
        if repository is not None:
            raise AnialError(f'--repository: the profile {name} exists already, and its files cannot be moved.')
        changed = _update(name, servers)
        yield f'profile {name}: ' + ('changed; restart its daemon' if changed else 'exists already')
        return
    assert servers is not None
    yield from _make(name, servers, repository)


def _make(name: str, servers: Servers, repository: Path | None) -> Iterator[str]:
    """Create the profile and what it needs on the servers, or nothing at all."""
    version, facts = broker_version(servers.rabbitmq), broker_facts(servers.rabbitmq)
    config = get_config()
    folder = (repository or Path(config.dirpath) / 'repository' / name).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise AnialError(f'--repository: {folder} is not empty; name another folder.')
    with prepared(servers.postgres) as lines, _undone(name, folder):
        with _quiet():
            profile = create_profile(
                config,
                name=name,
                email=get_config_option('autofill.user.email') or 'aiida@localhost',
                storage_backend=STORAGE,
                storage_config={**_storage(servers.postgres), 'repository_uri': folder.as_uri()},
                broker_backend=BROKER,
                broker_config=broker_config(servers.rabbitmq),
            )
        _set_options(profile, facts)
        config.set_default_profile(name, overwrite=True)
        config.store()
    yield from lines
    yield (
        f'profile {name}: created, with PostgreSQL ({servers.postgres.database} at '
        f'{servers.postgres.host}:{servers.postgres.port}) and RabbitMQ {version} '
        f'({servers.rabbitmq.host}:{servers.rabbitmq.port})'
    )


def _update(name: str, servers: Servers | None) -> bool:
    """Change the servers of an existing profile, and return whether anything changed.

    :param servers: new servers; if None, only the storage and broker are replaced by those of this package.
    :raises AnialError: if a server refuses the login, or the database is not that of the profile.
    """
    config = get_config()
    profile = config.get_profile(name)
    storage, broker = profile.storage_config, profile.process_control_config
    if servers is not None:
        storage = {**storage, **_storage(servers.postgres)}
        broker = {**broker, **broker_config(servers.rabbitmq)}
    changed = profile.copy()
    changed.set_storage(STORAGE, storage)
    changed.set_process_controller(BROKER, broker)
    if changed.dictionary == profile.dictionary:
        return False
    rabbitmq = server_of(broker)
    broker_version(rabbitmq)
    try:
        with changed.storage_cls.migrator(changed) as migrator:
            migrator.validate_storage()
    except AiidaException as exception:
        reason = ' '.join(str(exception).split()).rstrip('.')
        raise AnialError(
            f'postgres.database: it is not that of the profile {name}, which is unchanged: {reason}.'
        ) from None
    _set_options(changed, broker_facts(rabbitmq))
    config.update_profile(changed)
    config.store()
    return True


def postgres_of(config: dict[str, Any]) -> PostgresServer:
    """Return the server that AiiDA's configuration of the storage describes."""
    names = {'host': 'hostname', 'port': 'port', 'database': 'name', 'user': 'username', 'password': 'password'}
    return PostgresServer(**{ours: config[f'database_{theirs}'] for ours, theirs in names.items()})


def _check_kind(profile: Profile) -> None:
    kinds = (profile.storage_backend, profile.process_control_backend)
    if kinds[0] not in STORAGES or kinds[1] not in BROKERS:
        raise AnialError(
            f'--profile: {profile.name} exists already, with {" and ".join(map(str, kinds))} instead of PostgreSQL '
            f'and RabbitMQ; name another profile.'
        )


def _storage(server: PostgresServer) -> dict[str, Any]:
    """Return the server as AiiDA's configuration of the storage."""
    return {
        'database_engine': 'postgresql_psycopg',
        'database_hostname': server.host,
        'database_port': server.port,
        'database_username': server.user,
        'database_password': server.password,
        'database_name': server.database,
    }


def _set_options(profile: Profile, facts: BrokerFacts) -> None:
    profile.set_option('daemon.timeout', DAEMON_TIMEOUT_S)
    profile.set_option('runner.poll.interval', _POLL_INTERVAL_S)
    # AiiDA warns about every version that supports a consumer timeout, whether one is set or not.
    if not facts.unseen:
        profile.set_option('warnings.rabbitmq_version', facts.timeout_ms is not None)


@contextmanager
def _undone(name: str, folder: Path) -> Iterator[None]:
    """Remove the profile and its files if the block fails; `prepared` takes care of the database."""
    was_there = folder.exists()
    default = get_config().default_profile_name
    try:
        yield
    except BaseException:
        manager, config = get_manager(), get_config()
        if (loaded := manager.get_profile()) is not None and loaded.name == name:
            manager.unload_profile()
        if name in config.profile_names:
            config.remove_profile(name)
            if default is not None:
                config.set_default_profile(default, overwrite=True)
            config.store()
        for path in folder.iterdir() if folder.exists() else ():
            shutil.rmtree(path)
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep AiiDA from logging each step."""
    level = AIIDA_LOGGER.level
    AIIDA_LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        AIIDA_LOGGER.setLevel(level)
