"""The folder of the services: persistent ports and passwords, private files, and processes by id."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = (
    'Account',
    'ServiceError',
    'Site',
    'account',
    'caller',
    'descendants',
    'end',
    'kill_all',
    'open_site',
    'program',
    'running',
    'spawn',
    'wait',
    'working_in',
    'write_private',
)

PASSWORDS: Final = ('postgresql', 'postgresql_admin', 'rabbitmq', 'cookie')
# Below the ports that Linux assigns to outgoing connections, so that none is taken while a service is down.
_PORT_RANGE: Final = range(20000, 32000)
_LIMIT_S: Final = 60.0
# Environment of the servers, without that of the caller, which may contain passwords.
_ENVIRONMENT: Final = {'PATH': '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8', 'LC_ALL': 'C.UTF-8'}


class ServiceError(Exception):
    """A service cannot be started or stopped; the message is one sentence."""


@dataclass(frozen=True)
class Site:
    """The folder of the services, with the ports and passwords that were drawn at their first start.

    :param folder: absolute path.
    :param ports: ports on 127.0.0.1, by name.
    :param passwords: random passwords, by the names in ``PASSWORDS``.
    """

    folder: Path
    ports: Mapping[str, int]
    passwords: Mapping[str, str]

    @property
    def credentials(self) -> Path:
        """Path of the file for ``aiida-anial setup --credentials``."""
        return self.folder / 'credentials.yaml'


@dataclass(frozen=True)
class Account:
    """The system account of a server; without ids, that of the caller."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` to run a program with this account."""
        return {} if self.uid is None else {'user': self.uid, 'group': self.gid, 'extra_groups': []}

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or folder."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def folder(self, path: Path, *, mode: int = 0o700) -> Path:
        """Create a folder owned by the account, and check that the account can enter it.

        :param mode: permissions; by default nobody else may enter.
        :raises ServiceError: if the account cannot enter a parent folder.
        """
        path.mkdir(exist_ok=True)
        path.chmod(mode)
        self.own(path)
        reached = subprocess.run(  # noqa: S603 - a list, no shell
            ['/usr/bin/test', '-x', str(path)], cwd='/', check=False, **self.options
        )
        if reached.returncode:
            raise ServiceError(
                f'the user {self.name} cannot enter {path}; name a folder whose parents everybody can enter, such as '
                f'with: make services SERVICES=/var/lib/anial-services'
            )
        return path


def caller() -> Account:
    """Return the account of the caller, even if it is root."""
    return Account(pwd.getpwuid(os.getuid()).pw_name)


def account(name: str) -> Account:
    """Return the system account of a server if the caller is root, and the caller's own account otherwise.

    :raises ServiceError: if there is no such account.
    """
    if os.getuid() != 0:
        return caller()
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ServiceError(
            f'there is no user {name}, as which the server would run; create it, or do not run this as root'
        ) from None
    return Account(name, entry.pw_uid, entry.pw_gid)


def program(name: str, package: str) -> str:
    """Return the path of a program, also of a server, which on Debian is not on the PATH of users other than root.

    :raises ServiceError: if it is not installed.
    """
    found = shutil.which(name, path=_ENVIRONMENT['PATH']) or shutil.which(name)
    if found is None:
        raise ServiceError(f'{package} is not installed; run: services/install.sh')
    return found


def write_private(path: Path, text: str, owner: Account | None = None) -> None:
    """Write a file that is never readable by others, not even for a moment."""
    draft = path.with_name(f'{path.name}.new')
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as stream:
        stream.write(text)
    if owner is not None:
        owner.own(draft)
    draft.replace(path)


@contextmanager
def open_site(folder: Path, ports: Iterable[str]) -> Iterator[Site]:
    """Provide the site in a folder, creating it if necessary, under a lock.

    :param ports: names of the ports that are needed; new ones are drawn for names without a port.
    """
    folder = folder.resolve()
    # Servers started by root run under their own accounts and must be able to enter; the files inside are private.
    folder.mkdir(mode=0o711 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / 'services.json'
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {'ports': {}, 'passwords': {}}
        content = {
            'ports': _draw_ports(set(ports) - set(kept['ports']), taken=kept['ports'].values()) | kept['ports'],
            'passwords': {name: secrets.token_hex(24) for name in PASSWORDS} | kept['passwords'],
        }
        if content != kept:
            write_private(path, json.dumps(content, indent=2))
        yield Site(folder, content['ports'], content['passwords'])


def _draw_ports(names: set[str], *, taken: Collection[int]) -> dict[str, int]:
    """Return ports that are free now and not reserved for a service that is not running."""
    candidates = random.SystemRandom().sample(_PORT_RANGE, 400) if names else []
    free = [port for port in candidates if port not in taken and _is_free(port)]
    return dict(zip(sorted(names), free, strict=False))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(('127.0.0.1', port)) == errno.ECONNREFUSED


def _mark(pid: int) -> str | None:
    """Return what distinguishes a process from a later one with the same id, or None if it has ended."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else f'{Path("/proc/sys/kernel/random/boot_id").read_text().strip()} {fields[19]}'


def running(site: Site, name: str) -> int | None:
    """Return the id of the process that was started under this name, or None if it has ended."""
    try:
        kept = json.loads((site.folder / f'{name}.pid').read_text())
    except FileNotFoundError:
        return None
    # A process that ended before its mark could be read was recorded without one.
    return int(kept['pid']) if kept['mark'] is not None and _mark(kept['pid']) == kept['mark'] else None


def working_in(folder: Path) -> list[int]:
    """Return the ids of the processes whose working directory is this folder."""
    found = []
    for link in Path('/proc').glob('[0-9]*/cwd'):
        with suppress(OSError):
            if link.readlink() == folder:
                found.append(int(link.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """Return the ids of all running descendants of a process."""
    children: dict[int, list[int]] = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(')')[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = children.get(pid, [])
    for child in found:
        found += children.get(child, [])
    return found


def kill_all(pids: Iterable[int]) -> None:
    """Kill processes, and wait until they are gone.

    :raises ServiceError: if a process does not end.
    """
    marks = {pid: _mark(pid) for pid in pids}
    limit = time.monotonic() + _LIMIT_S / 2
    while left := [pid for pid, mark in marks.items() if mark is not None and _mark(pid) == mark]:
        if time.monotonic() > limit:
            raise ServiceError(f'process {left[0]} does not end')
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def spawn(
    site: Site, name: str, command: Sequence[str], owner: Account, *, environment: Mapping[str, str] | None = None
) -> None:
    """Start a program that outlives this one, on the port with its name if there is one.

    :raises ServiceError: if it cannot be started, or another program uses its port.
    """
    port = site.ports.get(name)
    if port is not None and not _is_free(port):
        raise ServiceError(f'{name}: the port {port} is taken by another program; stop that, or remove {site.folder}')
    log = os.open(site.folder / f'{name}.log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(log, 'wb') as stream:
        try:
            started = subprocess.Popen(  # noqa: S603 - a list, no shell
                list(command),
                cwd='/',
                env={**_ENVIRONMENT, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                **owner.options,
            )
        except OSError as exception:
            raise ServiceError(f'{name}: {command[0]} cannot be started: {exception}') from exception
    write_private(site.folder / f'{name}.pid', json.dumps({'pid': started.pid, 'mark': _mark(started.pid)}))


def wait(site: Site, name: str, ready: Callable[[], bool]) -> None:
    """Wait until a program is ready.

    :raises ServiceError: if it ends instead, or takes too long and is then stopped.
    """
    limit = time.monotonic() + _LIMIT_S
    while not ready():
        alive = running(site, name) is not None
        if alive and time.monotonic() < limit:
            time.sleep(0.1)
            continue
        end(site, name, signal.SIGKILL)
        log = site.folder / f'{name}.log'
        last = (log.read_text(errors='replace').strip().splitlines() or ['it printed nothing'])[-1].strip()
        what = f'was not ready within {_LIMIT_S:.0f} s' if alive else 'ended while starting'
        raise ServiceError(f'{name}: it {what}; the end of {log} is: {last}')


def end(site: Site, name: str, *signals: signal.Signals) -> bool:
    """Stop a program with one signal after the other until it is gone, and return whether it was running.

    :raises ServiceError: if it does not end.
    """
    pid = running(site, name)
    for number in signals if pid is not None else ():
        # It may have ended by now.
        if running(site, name) is None:
            break
        os.kill(pid, number)  # type: ignore[arg-type]
        limit = time.monotonic() + _LIMIT_S / 2
        while running(site, name) is not None and time.monotonic() < limit:
            time.sleep(0.05)
    if running(site, name) is not None:
        raise ServiceError(f'{name}: process {pid} does not end')
    (site.folder / f'{name}.pid').unlink(missing_ok=True)
    return pid is not None
