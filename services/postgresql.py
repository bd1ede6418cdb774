"""Start and stop the private PostgreSQL server."""

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
    """Start the server unless it runs, and return whether it was started; it becomes ready a little later."""
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
    """Wait until the server accepts connections."""
    question = [str(_program('pg_isready')), '-q', '-h', '127.0.0.1', '-p', str(site.ports[NAME])]
    wait(site, NAME, lambda: _accepts(question))


def _accepts(question: list[str]) -> bool:
    return subprocess.run(question, check=False).returncode == 0  # noqa: S603 - a list, no shell


def stop(site: Site) -> bool:
    """Stop the server, closing its connections, and return whether it was running."""
    return end(site, NAME, signal.SIGINT, signal.SIGQUIT)


def _program(name: str) -> Path:
    """Return the path of a program of the newest PostgreSQL; on Debian most of them are not on the PATH."""
    installed = sorted(_DEBIAN.glob(f'*/bin/{name}'), key=lambda path: float(path.parts[-3]))
    found = installed[-1] if installed else shutil.which(name)
    if found is None:
        raise ServiceError('PostgreSQL is not installed; run: services/install.sh')
    return Path(found)


def _remove_lock(data: Path) -> None:
    """Remove the lock file of a killed server, which would prevent a restart if its zombie process is never reaped.

    :raises ServiceError: if a process still works on the data.
    """
    limit = time.monotonic() + _LIMIT_S
    # The child processes of a killed server notice it and end.
    while found := working_in(data):
        if time.monotonic() > limit:
            raise ServiceError(f'{NAME}: process {found[0]} works in {data} but was not started by this script')
        time.sleep(0.1)
    (data / 'postmaster.pid').unlink(missing_ok=True)


def _initialise(site: Site, data: Path, owner: Account) -> None:
    """Create the database cluster with an administrator who has a password.

    :raises ServiceError: if initdb fails.
    """
    # Left by an interrupted initialisation.
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
