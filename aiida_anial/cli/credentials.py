"""Addresses and logins of the servers of a production profile, from options, the environment and a file.

A password comes from the environment or the file, never from an option, because every user of a machine can see the
arguments of all commands. No message repeats a password or a line of the file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from aiida_anial.common.errors import AnialError

__all__ = (
    'PROTOCOLS',
    'PostgresServer',
    'RabbitmqServer',
    'Servers',
    'Setting',
    'read_servers',
    'settings',
    'variable',
)

PROTOCOLS: Final = ('amqp', 'amqps')
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LARGEST_FILE: Final = 65536

_Server = TypeVar('_Server', 'PostgresServer', 'RabbitmqServer')


@dataclass(frozen=True)
class Setting:
    """Kind and help text of one setting of a server.

    :param kind: ``name``, ``port``, ``protocol``, ``path`` or ``password``.
    :param help: one line for ``--help``.
    """

    kind: str
    help: str


def _setting(kind: str, default: Any, text: str) -> Any:
    return field(default=default, repr=kind != 'password', metadata={'setting': Setting(kind, text)})


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server and a database on it; the administrator is needed only to create the role or database."""

    host: str = _setting('name', '127.0.0.1', 'Host of the PostgreSQL server.')
    port: int = _setting('port', 5432, 'Port of the PostgreSQL server.')
    database: str = _setting('name', 'anial', 'Database of the profile; created if it does not exist.')
    user: str = _setting('name', 'anial', 'Role that owns the database; created by the administrator if missing.')
    password: str = _setting('password', '', 'Password of the role.')
    admin_user: str = _setting('name', '', 'Role that may create roles and databases; used by this command only.')
    admin_password: str = _setting('password', '', 'Password of that role.')


@dataclass(frozen=True)
class RabbitmqServer:
    """A RabbitMQ server."""

    protocol: str = _setting('protocol', 'amqp', 'amqp is unencrypted, amqps uses TLS.')
    host: str = _setting('name', '127.0.0.1', 'Host of the RabbitMQ server.')
    port: int = _setting('port', 5672, 'Port of the RabbitMQ server.')
    user: str = _setting('name', 'guest', 'User of the RabbitMQ server.')
    password: str = _setting('password', '', 'Password of the user.')
    virtual_host: str = _setting('name', '', 'Virtual host; / if not given.')
    control: str = _setting('path', '', 'Command that reads the settings of the server; rabbitmqctl if not given.')


@dataclass(frozen=True)
class Servers:
    """The servers of a production profile."""

    postgres: PostgresServer
    rabbitmq: RabbitmqServer


_SECTIONS: Final[dict[str, type[PostgresServer] | type[RabbitmqServer]]] = {
    'postgres': PostgresServer,
    'rabbitmq': RabbitmqServer,
}


def settings() -> Iterator[tuple[str, str, Setting, Any]]:
    """Yield section, key, description and default of every setting."""
    for section, server in _SECTIONS.items():
        for each in fields(server):
            yield section, each.name, each.metadata['setting'], each.default


def variable(section: str, key: str) -> str:
    """Return the environment variable of a setting."""
    return f'ANIAL_{section}_{key}'.upper()


def read_servers(path: Path | None, options: Mapping[str, Mapping[str, Any]]) -> Servers:
    """Return the servers; options take precedence over the environment, and the environment over the file.

    :param path: YAML file with the sections ``postgres`` and ``rabbitmq``, which nobody else can read.
    :param options: values by section and key, without passwords.
    :raises AnialError: if others can read the file, or a value is missing or not allowed.
    """
    content = {} if path is None else _read_file(path)
    return Servers(
        _server(PostgresServer, 'postgres', content, options), _server(RabbitmqServer, 'rabbitmq', content, options)
    )


def _server(
    kind: type[_Server],
    section: str,
    content: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Mapping[str, Any]],
) -> _Server:
    """Return a server from its checked settings."""
    values: dict[str, Any] = {}
    for each in fields(kind):
        given = options.get(section, {}).get(each.name)
        given = os.environ.get(variable(section, each.name)) if given is None else given
        given = content.get(section, {}).get(each.name) if given is None else given
        values[each.name] = each.default if given is None else _checked(section, each, given)
    if not values['password']:
        raise AnialError(
            f'{section}.password: it is missing; set {variable(section, "password")} in the environment, '
            f'or give a file with --credentials.'
        )
    return kind(**values)


def _checked(section: str, each: Field[Any], value: Any) -> Any:
    """Return a value, checked and converted to its type."""
    key, kind = f'{section}.{each.name}', each.metadata['setting'].kind
    if kind == 'port':
        if not re.fullmatch(r'[0-9]{1,5}', str(value)) or not 0 < int(value) < 65536:
            raise AnialError(f'{key}: {value!r} is not allowed: a port is a number from 1 to 65535.')
        return int(value)
    if kind == 'password':
        # AiiDA puts it into a URL, which would change a blank.
        if not isinstance(value, str) or re.search(r'[\s\x00-\x1f]', value):
            raise AnialError(f'{key}: a password must be text without blanks; quote it if it is all digits.')
        return value
    if not isinstance(value, str):
        raise AnialError(f'{key}: {value!r} is not allowed: it must be text.')
    if kind == 'protocol' and value not in PROTOCOLS:
        raise AnialError(f'{key}: {value!r} is not allowed: it must be one of {", ".join(PROTOCOLS)}.')
    # AiiDA puts them into a URL unquoted.
    if kind == 'name' and not re.fullmatch(r'[A-Za-z0-9_.-]{0,63}', value):
        raise AnialError(f'{key}: {value!r} is not allowed: use only letters, digits and the characters _ . -')
    if not value and each.default:
        raise AnialError(f'{key}: it is empty.')
    return value


def _read_file(path: Path) -> dict[str, dict[str, Any]]:
    """Read a credentials file and return its sections."""
    try:
        content = yaml.safe_load(_private_text(path))
    except yaml.MarkedYAMLError as exception:
        line = exception.problem_mark.line + 1 if exception.problem_mark else 1
        raise AnialError(f'{path}: it is not valid YAML; see line {line}.') from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise AnialError(f'{path}: it is not valid YAML.') from None
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise AnialError(f'{path}: it must contain the sections {" and ".join(_SECTIONS)}, each with keys.')
    # An unknown word may be a misplaced password, so it is not repeated.
    if not set(content) <= set(_SECTIONS):
        raise AnialError(f'{path}: it has an unknown section; the sections are {", ".join(_SECTIONS)}.')
    for section, part in content.items():
        known = [each.name for each in fields(_SECTIONS[section])]
        if not set(part) <= set(known):
            raise AnialError(f'{path}: {section} has an unknown key; the keys are {", ".join(known)}.')
    return content


def _private_text(path: Path) -> str:
    """Return the text of a file, and refuse one that others can read."""
    try:
        # Without O_NONBLOCK, opening a named pipe would block.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 'rb') as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise AnialError(f'{path}: it is not a regular file.')
            if found.st_mode & _OTHERS:
                raise AnialError(
                    f'{path}: others can read or write it (mode {stat.S_IMODE(found.st_mode):04o}); '
                    f'run: chmod 600 {path}'
                )
            if found.st_uid not in {os.getuid(), 0}:
                raise AnialError(f'{path}: it belongs to another user; use a file of your own.')
            content = stream.read(_LARGEST_FILE + 1)
    except OSError as exception:
        raise AnialError(f'{path}: it cannot be read: {exception.strerror}.') from exception
    if len(content) > _LARGEST_FILE:
        raise AnialError(f'{path}: it is too large for a credentials file.')
    return content.decode()
