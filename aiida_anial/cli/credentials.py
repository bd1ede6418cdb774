"""Where the servers of a production profile are, and how to log in: from options, the environment, and a file.

A password is in the environment or in the file, never in an option, since every user of a machine sees the arguments of
all commands. No message repeats a password, or a line of the file.
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
    """What one setting of a server is.

    :param kind: ``name``, ``port``, ``protocol``, ``path`` or ``password``.
    :param help: one line for ``--help``.
    """

    kind: str
    help: str


def _setting(kind: str, default: Any, text: str) -> Any:
    return field(default=default, repr=kind != 'password', metadata={'setting': Setting(kind, text)})


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server, and the database on it; an administrator only where user or database are to be made."""

    host: str = _setting('name', '127.0.0.1', 'Machine of the PostgreSQL server.')
    port: int = _setting('port', 5432, 'Port of the PostgreSQL server.')
    database: str = _setting('name', 'anial', 'Database of the profile; made if it is not there.')
    user: str = _setting('name', 'anial', 'Role that owns the database; made by the administrator if it is not there.')
    password: str = _setting('password', '', 'Password of the role.')
    admin_user: str = _setting('name', '', 'Role that may make roles and databases; used by this command only.')
    admin_password: str = _setting('password', '', 'Password of that role.')


@dataclass(frozen=True)
class RabbitmqServer:
    """A RabbitMQ server."""

    protocol: str = _setting('protocol', 'amqp', 'Plain, or through TLS.')
    host: str = _setting('name', '127.0.0.1', 'Machine of the RabbitMQ server.')
    port: int = _setting('port', 5672, 'Port of the RabbitMQ server.')
    user: str = _setting('name', 'guest', 'User of the RabbitMQ server.')
    password: str = _setting('password', '', 'Password of the user.')
    virtual_host: str = _setting('name', '', 'Virtual host; the one called / if not given.')
    control: str = _setting('path', '', 'Command that asks the server for its settings; rabbitmqctl if not given.')


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
    """Give section, key, meaning and default of every setting."""
    for section, server in _SECTIONS.items():
        for each in fields(server):
            yield section, each.name, each.metadata['setting'], each.default


def variable(section: str, key: str) -> str:
    """Return the environment variable of a setting."""
    return f'ANIAL_{section}_{key}'.upper()


def read_servers(path: Path | None, options: Mapping[str, Mapping[str, Any]]) -> Servers:
    """Return the servers; an option comes before the environment, and that before the file.

    :param path: YAML with the sections ``postgres`` and ``rabbitmq``, that nobody else can read.
    :param options: by section and key, without passwords.
    :raises AnialError: if the file is open to others, or a value is missing or impossible.
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
    """Return a server, every value checked."""
    values: dict[str, Any] = {}
    for each in fields(kind):
        given = options.get(section, {}).get(each.name)
        given = os.environ.get(variable(section, each.name)) if given is None else given
        given = content.get(section, {}).get(each.name) if given is None else given
        values[each.name] = each.default if given is None else _checked(section, each, given)
    if not values['password']:
        raise AnialError(
            f'{section}.password: it is missing; give it in the environment as {variable(section, "password")}, '
            f'or in a file with --credentials.'
        )
    return kind(**values)


def _checked(section: str, each: Field[Any], value: Any) -> Any:
    """Return a value as it is needed."""
    key, kind = f'{section}.{each.name}', each.metadata['setting'].kind
    if kind == 'port':
        if not re.fullmatch(r'[0-9]{1,5}', str(value)) or not 0 < int(value) < 65536:
            raise AnialError(f'{key}: {value!r} is not allowed: a port is a number from 1 to 65535.')
        return int(value)
    if kind == 'password':
        # AiiDA puts it into an address in which a blank turns into something else.
        if not isinstance(value, str) or re.search(r'[\s\x00-\x1f]', value):
            raise AnialError(f'{key}: a password is text, in quotes if it is all digits, without blanks.')
        return value
    if not isinstance(value, str):
        raise AnialError(f'{key}: {value!r} is not allowed: it should be text.')
    if kind == 'protocol' and value not in PROTOCOLS:
        raise AnialError(f'{key}: {value!r} is not allowed: it is one of {", ".join(PROTOCOLS)}.')
    # AiiDA puts them into an address as they are.
    if kind == 'name' and not re.fullmatch(r'[A-Za-z0-9_.-]{0,63}', value):
        raise AnialError(f'{key}: {value!r} is not allowed: only letters, digits and the characters _ . - are.')
    if not value and each.default:
        raise AnialError(f'{key}: it is empty.')
    return value


def _read_file(path: Path) -> dict[str, dict[str, Any]]:
    """Return the sections of a credentials file."""
    try:
        content = yaml.safe_load(_private_text(path))
    except yaml.MarkedYAMLError as exception:
        line = exception.problem_mark.line + 1 if exception.problem_mark else 1
        raise AnialError(f'{path}: it is no YAML file: look at line {line}.') from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise AnialError(f'{path}: it is no YAML file.') from None
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise AnialError(f'{path}: it should hold the sections {" and ".join(_SECTIONS)}, with keys in them.')
    # What is unknown may be a password in the wrong place, so it is not repeated.
    if not set(content) <= set(_SECTIONS):
        raise AnialError(f'{path}: there is an unknown section; known are {", ".join(_SECTIONS)}.')
    for section, part in content.items():
        known = [each.name for each in fields(_SECTIONS[section])]
        if not set(part) <= set(known):
            raise AnialError(f'{path}: {section} has an unknown key; known are {", ".join(known)}.')
    return content


def _private_text(path: Path) -> str:
    """Return the text of a file that nobody else can read."""
    try:
        # A pipe would keep the command waiting.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 'rb') as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise AnialError(f'{path}: it is no file.')
            if found.st_mode & _OTHERS:
                raise AnialError(
                    f'{path}: others can read it or write to it (mode {stat.S_IMODE(found.st_mode):04o}); '
                    f'close it with: chmod 600 {path}'
                )
            if found.st_uid not in {os.getuid(), 0}:
                raise AnialError(f'{path}: it belongs to someone else; use a file of your own.')
            content = stream.read(_LARGEST_FILE + 1)
    except OSError as exception:
        raise AnialError(f'{path}: it cannot be read: {exception.strerror}.') from exception
    if len(content) > _LARGEST_FILE:
        raise AnialError(f'{path}: it is too large for a file of credentials.')
    return content.decode()
