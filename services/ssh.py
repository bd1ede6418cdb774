"""Start and stop the private SSH server, through which one user can log in to this machine with one key."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import slurm
from supervision import ServiceError, Site, caller, descendants, end, kill_all, program, running, spawn, wait

__all__ = ('HOST', 'NAME', 'PORTS', 'USER', 'advice', 'start', 'stop', 'wait_until_ready')

NAME: Final = 'ssh'
PORTS: Final = (NAME,)
# Name of the server in the client's configuration.
HOST: Final = 'anial-slurm'
# User that root creates for logins; other users log in as themselves.
USER: Final = 'anial-jobs'

_PACKAGE: Final = 'An SSH server'
# The server requires this folder, which does not exist if the system's own SSH server has never run.
_PRIVILEGE_SEPARATION: Final = Path('/run/sshd')


def start(site: Site) -> bool:
    """Start the server unless it runs, and return whether it was started; it becomes ready a little later."""
    if running(site, NAME):
        return False
    server = program('sshd', _PACKAGE)
    user = _user()
    _configure(site, user)
    if os.getuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    spawn(site, NAME, [server, '-D', '-e', '-f', str(_folder(site) / 'sshd_config')], caller())
    return True


def wait_until_ready(site: Site) -> None:
    """Wait until the server accepts connections."""
    wait(site, NAME, lambda: _greets(site.ports[NAME]))


def stop(site: Site) -> bool:
    """Stop the server and its sessions, and return whether it was running."""
    pid = running(site, NAME)
    sessions = descendants(pid) if pid is not None else []
    ran = end(site, NAME, signal.SIGTERM, signal.SIGKILL)
    kill_all(sessions)
    return ran


def advice(site: Site) -> str:
    """Return how to connect to the server."""
    return f'to use it: ssh -F {_folder(site) / "config"} {HOST}, or in ~/.ssh/config: Include {_folder(site)}/config'


def _folder(site: Site) -> Path:
    return site.folder / NAME


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=1) as connection:
            return connection.recv(4) == b'SSH-'
    except OSError:
        return False


def _user() -> pwd.struct_passwd:
    """Return the user for logins; as root, create that user if it does not exist.

    :raises ServiceError: if the user cannot be created.
    """
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    # No password can match, but the account is not locked, so that logging in with the key works.
    command = [program('useradd', 'useradd'), '--create-home', '--shell', '/bin/bash', '--password', '*', USER]
    for _ in range(20):
        try:
            return pwd.getpwnam(USER)
        except KeyError:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a list, no shell
        # Another process may be creating the user at this moment.
        if done.returncode:
            time.sleep(0.2)
    raise ServiceError(f'{NAME}: the user {USER} cannot be created: {" ".join(done.stderr.split())}')


def _key(path: Path) -> str:
    """Create a key without a passphrase unless it exists, and return the public key."""
    if not path.exists():
        command = [program('ssh-keygen', 'OpenSSH'), '-q', '-t', 'ed25519', '-N', '', '-C', HOST, '-f', str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - a list, no shell
    return path.with_suffix('.pub').read_text().strip()


def _configure(site: Site, user: pwd.struct_passwd) -> None:
    """Write the configuration of the server and of its client."""
    # The server reads the authorised keys with the rights of the user who logs in.
    folder = caller().folder(_folder(site), mode=0o711)
    host_key = _key(folder / 'host_key')
    (folder / 'authorized_keys').write_text(f'{_key(folder / "key")}\n')
    (folder / 'authorized_keys').chmod(0o644)
    (folder / 'known_hosts').write_text(f'[127.0.0.1]:{site.ports[NAME]} {host_key}\n')
    # As on a cluster, a login finds the scheduler.
    variables = [f'SLURM_CONF={slurm.config_of(site)}']
    server = {
        'ListenAddress': f'127.0.0.1:{site.ports[NAME]}',
        'HostKey': folder / 'host_key',
        'PidFile': 'none',
        'AllowUsers': user.pw_name,
        'AuthenticationMethods': 'publickey',
        'AuthorizedKeysFile': folder / 'authorized_keys',
        # Strict mode requires that nobody else can write to any parent folder, but this folder may be in /tmp.
        'StrictModes': 'no',
        'PasswordAuthentication': 'no',
        'KbdInteractiveAuthentication': 'no',
        'PermitRootLogin': 'no',
        'UsePAM': 'no',
        'UseDNS': 'no',
        'PrintMotd': 'no',
        'PrintLastLog': 'no',
        'AllowAgentForwarding': 'no',
        'AllowTcpForwarding': 'no',
        'X11Forwarding': 'no',
        'MaxStartups': '100',
        'MaxSessions': '100',
        # Sessions end when their client is gone, also those of a server that was killed.
        'ClientAliveInterval': '15',
        'SetEnv': ' '.join(variables),
        'Subsystem': 'sftp internal-sftp',
    }
    client = {
        'HostName': '127.0.0.1',
        'Port': site.ports[NAME],
        'User': user.pw_name,
        'IdentityFile': folder / 'key',
        'IdentitiesOnly': 'yes',
        'UserKnownHostsFile': folder / 'known_hosts',
    }
    (folder / 'sshd_config').write_text(''.join(f'{name} {value}\n' for name, value in server.items()))
    (folder / 'config').write_text(f'Host {HOST}\n' + ''.join(f'  {name} {value}\n' for name, value in client.items()))
