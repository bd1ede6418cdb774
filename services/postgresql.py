"""The PostgreSQL server of the services."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from supervision import Account, ServiceError, Site, account, end, running, spawn, wait, working_in, write_private

__all__ = ('ADMIN', 'NAME', 'PORTS', 'start', 'stop', 'wait_until_ready')

NAME: Final = 'postgresql'
PORTS: Final = (NAME,)
ADMIN: Final = 'postgres'
_DEBIAN: Final = Path('/usr/lib/postgresql')
_LIMIT_S: Final = 30.0


def start(site: Site) -> bool:
    """Start the server if it does not run, and say whether that was needed; it serves a little later."""
    if running(site, NAME):
        return False
    owner = account('postgres')
    data = owner.folder(site.folder / NAME) / 'data'
    if not (data / 'PG_VERSION').exists():
        _initialise(site, data, owner)
    _remove_lock(data)
    options = {
        'port': str(site.ports[NAME]),
        'listen_addresses': '127.0.0.1',
        'unix_socket_directories': '',
    }
    command = [str(_program('postgres')), '-D', str(data)]
    for name, value in options.items():
        command += ['-c', f'{name}={value}']
    spawn(site, NAME, command, owner)
    return True


def wait_until_ready(site: Site) -> None:
    """Return when the server serves."""
    question = [str(_program('pg_isready')), '-q', '-h', '127.0.0.1', '-p', str(site.ports[NAME])]
    wait(site, NAME, lambda: _accepts(question))


def _accepts(question: list[str]) -> bool:
    return subprocess.run(question, check=False).returncode == 0  # noqa: S603 - a list, no shell


def stop(site: Site) -> bool:
    """Stop the server, closing its connections, and say whether it ran."""
    return end(site, NAME, signal.SIGINT, signal.SIGQUIT)


def _program(name: str) -> Path:
    """Return a program of the newest PostgreSQL; Debian keeps most of them off the PATH."""
    installed = sorted(_DEBIAN.glob(f'*/bin/{name}'), key=lambda path: float(path.parts[-3]))
    found = installed[-1] if installed else shutil.which(name)
    if found is None:
        raise ServiceError('PostgreSQL is not installed; run: services/install.sh')
    return Path(found)


def _remove_lock(data: Path) -> None:
    """Remove what a killed server leaves, which would not start again where nobody collects the dead.

    :raises ServiceError: if something still works on the data.
    """
    limit = time.monotonic() + _LIMIT_S
    # The children of a killed server notice it, and end.
    while found := working_in(data):
        if time.monotonic() > limit:
            raise ServiceError(f'{NAME}: process {found[0]} works in {data}, and was not started here')
        time.sleep(0.1)
    (data / 'postmaster.pid').unlink(missing_ok=True)


def _initialise(site: Site, data: Path, owner: Account) -> None:
    """Make the cluster, whose administrator has a password.

    :raises ServiceError: if that fails.
    """
    # What an initialisation that was interrupted left.
    shutil.rmtree(data, ignore_errors=True)
    secret = data.with_name('password')
    write_private(secret, site.passwords['postgresql_admin'], owner)
    command = [str(_program('initdb')), '-D', str(data), '-U', ADMIN, '-A', 'scram-sha-256', '--pwfile', str(secret)]
    command += ['-E', 'UTF8', '--locale', 'C']
    done = subprocess.run(  # noqa: S603 - a list, no shell
        command, cwd='/', capture_output=True, text=True, check=False, **owner.options
    )
    secret.unlink()
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise ServiceError(f'initdb failed: {" ".join(done.stderr.split())}')
