"""The production profile: AiiDA on a PostgreSQL and a RabbitMQ server."""

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
from aiida_anial.cli.rabbitmq import ConsumerTimeout, broker_config, broker_version, consumer_timeout
from aiida_anial.common.errors import AnialError

__all__ = ('BROKER', 'STORAGE', 'make_production_profile', 'postgres_of', 'update_production_profile')

STORAGE: Final = 'core.psql_dos'
BROKER: Final = 'core.rabbitmq'

# A connection that the server has closed, as when it was restarted, is replaced before it is used and not after.
_ENGINE: Final = {'pool_pre_ping': True}


def make_production_profile(name: str, servers: Servers, repository: Path | None) -> Iterator[str]:
    """Make the profile, and what it needs on the servers; or nothing at all.

    :param repository: folder of the files, that of AiiDA's profiles if not given.
    :raises AnialError: if a server refuses, or cannot be used.
    """
    version = broker_version(servers.rabbitmq)
    config = get_config(create=True)
    folder = (repository or Path(config.dirpath) / 'repository' / name).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise AnialError(f'--repository: {folder} is not empty; name another folder.')
    timeout = consumer_timeout(servers.rabbitmq)
    with prepared(servers.postgres) as lines, _undone(name, folder):
        with _quiet():
            profile = create_profile(
                config,
                name=name,
                email=get_config_option('autofill.user.email') or 'aiida@localhost',
                storage_backend=STORAGE,
                storage_config=_storage(servers.postgres, folder),
                broker_backend=BROKER,
                broker_config=broker_config(servers.rabbitmq),
            )
        profile.storage_config['engine_kwargs'] = _ENGINE
        _set_options(profile, timeout)
        config.set_default_profile(name, overwrite=True)
        config.store()
    yield from lines
    database, broker = servers.postgres, servers.rabbitmq
    yield (
        f'profile {name}: made, with PostgreSQL ({database.database} at {database.host}:{database.port}) '
        f'and RabbitMQ {version} ({broker.host}:{broker.port})'
    )


def update_production_profile(name: str, servers: Servers) -> str:
    """Give a profile that is there other addresses, users and passwords.

    :raises AnialError: if the profile is of another kind, a server refuses, or the database is not the profile's.
    """
    config = get_config()
    profile = config.get_profile(name)
    _check_kind(profile)
    storage = {**profile.storage_config, **_storage(servers.postgres)}
    broker = {**profile.process_control_config, **broker_config(servers.rabbitmq)}
    if (storage, broker) == (profile.storage_config, profile.process_control_config):
        return f'profile {name}: is there'
    broker_version(servers.rabbitmq)
    changed = profile.copy()
    changed.set_storage(STORAGE, storage)
    changed.set_process_controller(BROKER, broker)
    try:
        with changed.storage_cls.migrator(changed) as migrator:  # type: ignore[attr-defined]
            migrator.validate_storage()
    except AiidaException as exception:
        reason = ' '.join(str(exception).split()).rstrip('.')
        raise AnialError(f'postgres.database: it is not that of the profile {name}, which stays: {reason}.') from None
    _set_options(changed, consumer_timeout(servers.rabbitmq))
    config.update_profile(changed)
    config.store()
    return f'profile {name}: is there, and logs in with what was given now; restart its daemon'


def postgres_of(config: dict[str, Any]) -> PostgresServer:
    """Return the server that AiiDA's configuration of the storage describes."""
    names = {'host': 'hostname', 'port': 'port', 'database': 'name', 'user': 'username', 'password': 'password'}
    return PostgresServer(**{ours: config[f'database_{theirs}'] for ours, theirs in names.items()})


def _check_kind(profile: Profile) -> None:
    kinds = (profile.storage_backend, profile.process_control_backend)
    if kinds != (STORAGE, BROKER):
        raise AnialError(
            f'--profile: {profile.name} is there already with {" and ".join(map(str, kinds))}, which are not PostgreSQL '
            f'and RabbitMQ; name another profile.'
        )


def _storage(server: PostgresServer, folder: Path | None = None) -> dict[str, Any]:
    """Return AiiDA's configuration of the storage."""
    config = {
        'database_engine': 'postgresql_psycopg',
        'database_hostname': server.host,
        'database_port': server.port,
        'database_username': server.user,
        'database_password': server.password,
        'database_name': server.database,
    }
    return config if folder is None else {**config, 'repository_uri': folder.as_uri()}


def _set_options(profile: Profile, timeout: ConsumerTimeout) -> None:
    # As `verdi presto` does.
    profile.set_option('runner.poll.interval', 1)
    # AiiDA warns of every version that has such a limit, whether it is set or not.
    if not timeout.unseen:
        profile.set_option('warnings.rabbitmq_version', timeout.milliseconds is not None)


@contextmanager
def _undone(name: str, folder: Path) -> Iterator[None]:
    """Remove profile and files if the block fails; the database is somebody else's to remove."""
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
    """Keep AiiDA from reporting each step."""
    level = AIIDA_LOGGER.level
    AIIDA_LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        AIIDA_LOGGER.setLevel(level)
