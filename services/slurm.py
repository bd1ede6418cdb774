"""Start and stop the private Slurm: this machine as its only node, and MUNGE for authentication."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from supervision import (
    Account,
    ServiceError,
    Site,
    account,
    caller,
    end,
    kill_all,
    program,
    running,
    spawn,
    wait,
    working_in,
    write_private,
)

__all__ = ('COMPLETED', 'NAME', 'PORTS', 'advice', 'config_of', 'start', 'stop', 'wait_until_ready')

NAME: Final = 'slurm'
_CONTROLLER, _NODE, _MUNGE = 'slurmctld', 'slurmd', 'munged'
PORTS: Final = (_CONTROLLER, _NODE)
# The controller writes a line to this file for each job that has ended.
COMPLETED: Final = 'completed.log'

# Time that a job has between SIGTERM and SIGKILL, for example to write a checkpoint.
_KILL_WAIT_S: Final = 10
_PACKAGE: Final = 'Slurm'
# This machine is a node even if its resources are in use.
_UP: Final = ('idle', 'mixed', 'allocated', 'completing')


def start(site: Site) -> bool:
    """Start the servers that do not run, and return whether any was started; they become ready a little later."""
    missing = [name for name in (_MUNGE, _CONTROLLER, _NODE) if running(site, name) is None]
    if not missing:
        return False
    controller, munge = account('slurm'), account('munge')
    _configure(site, controller)
    if _MUNGE in missing:
        _start_munge(site, munge)
    commands = {
        _CONTROLLER: [program(_CONTROLLER, _PACKAGE), '-D', '-f', str(config_of(site))],
        _NODE: [program(_NODE, _PACKAGE), '-D', '-f', str(config_of(site))],
    }
    # Only root can run jobs as the users who submit them.
    owners = {_CONTROLLER: controller, _NODE: caller()}
    for name, command in commands.items():
        if name in missing:
            spawn(site, name, command, owners[name])
    return True


def wait_until_ready(site: Site) -> None:
    """Wait until the node accepts jobs."""
    wait(site, _CONTROLLER, lambda: _ask(site, 'scontrol', 'ping').returncode == 0)
    wait(site, _NODE, lambda: _ask(site, 'sinfo', '-h', '-o', '%T').stdout.strip() in _UP)


def stop(site: Site) -> bool:
    """Stop the jobs and then the servers, and return whether they were running."""
    ran = running(site, _CONTROLLER) is not None
    if ran and running(site, _NODE) is not None:
        _cancel_jobs(site)
    end(site, _CONTROLLER, signal.SIGTERM, signal.SIGKILL)
    end(site, _NODE, signal.SIGTERM, signal.SIGKILL)
    # The supervisor of a job outlives the server that started it.
    kill_all(working_in(_folder(site) / 'spool'))
    end(site, _MUNGE, signal.SIGTERM, signal.SIGKILL)
    return ran


def advice(site: Site) -> str:
    """Return how to make Slurm's commands use this Slurm."""
    return f'to use it: export SLURM_CONF={config_of(site)}'


def config_of(site: Site) -> Path:
    """Return the path of the configuration, for the variable SLURM_CONF."""
    return _folder(site) / 'slurm.conf'


def _folder(site: Site) -> Path:
    return site.folder / NAME


def _ask(site: Site, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a list, no shell
        [program(command, _PACKAGE), *arguments],
        env={'SLURM_CONF': str(config_of(site)), 'LANG': 'C.UTF-8'},
        capture_output=True,
        text=True,
        check=False,
    )


def _cancel_jobs(site: Site) -> None:
    """Cancel the jobs through Slurm, so that they can write their checkpoints."""
    limit = time.monotonic() + 2 * _KILL_WAIT_S
    while (jobs := _ask(site, 'squeue', '-h', '-o', '%i').stdout.split()) and time.monotonic() < limit:
        _ask(site, 'scancel', *jobs)
        time.sleep(0.2)


def _start_munge(site: Site, owner: Account) -> None:
    """Start MUNGE with its own key and wait until it is ready, because Slurm's servers do not start without it."""
    folder = owner.folder(site.folder / 'munge', mode=0o755)
    key, contact = folder / 'key', _contact(site)
    if not key.exists():
        write_private(key, secrets.token_hex(64), owner)
    contact.unlink(missing_ok=True)
    files = {'key-file': key, 'socket': contact}
    files |= {f'{name}-file': folder / f'munged.{name}' for name in ('pid', 'seed', 'log')}
    options = [f'--{name}={path}' for name, path in files.items()]
    if os.getuid() != 0:
        # By default MUNGE requires a socket that everybody can access; here only one user needs it.
        options.append('--force')
    spawn(site, _MUNGE, [program(_MUNGE, 'MUNGE'), '--foreground', *options], owner)
    wait(site, _MUNGE, contact.exists)


def _contact(site: Site) -> Path:
    return site.folder / 'munge' / 'socket'


def _memory_mib() -> int:
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2**20


def _configure(site: Site, controller: Account) -> None:
    """Write the configuration of both servers and all commands.

    :raises ServiceError: if this machine has no host name that Slurm can use.
    """
    host = socket.gethostname().partition('.')[0]
    if not host:
        raise ServiceError(f'{NAME}: this machine has no host name; set one with `hostname`')
    folder = _folder(site)
    # Everybody who submits jobs must be able to read the configuration, and each job its script.
    caller().folder(folder, mode=0o755)
    caller().folder(folder / 'spool', mode=0o755)
    state = controller.folder(folder / 'state')
    n_cores, memory = os.cpu_count() or 1, _memory_mib()
    settings = {
        'ClusterName': 'anial',
        'SlurmctldHost': f'{host}(127.0.0.1)',
        'SlurmctldPort': site.ports[_CONTROLLER],
        'SlurmdPort': site.ports[_NODE],
        # By default both listen on the network.
        'CommunicationParameters': 'NoInAddrAny,NoCtldInAddrAny',
        'SlurmUser': controller.name,
        'SlurmdUser': caller().name,
        'AuthType': 'auth/munge',
        'AuthInfo': f'socket={_contact(site)}',
        'StateSaveLocation': state,
        'SlurmctldPidFile': state / 'slurmctld.pid',
        'JobCompType': 'jobcomp/filetxt',
        'JobCompLoc': state / COMPLETED,
        'SlurmdSpoolDir': folder / 'spool',
        'SlurmdPidFile': folder / 'slurmd.pid',
        # Neither of these needs control groups, which are not available in containers.
        'ProctrackType': 'proctrack/pgid',
        'TaskPlugin': 'task/none',
        'JobAcctGatherType': 'jobacct_gather/none',
        'MpiDefault': 'none',
        'MailProg': '/bin/true',
        # Several jobs may share the node, each with the cores and memory that it requests, or its share.
        'SelectType': 'select/cons_tres',
        'SelectTypeParameters': 'CR_CPU_Memory',
        'DefMemPerCPU': memory // n_cores,
        'PropagateResourceLimits': 'NONE',
        # Refuse a job that no node can ever run, instead of queuing it.
        'EnforcePartLimits': 'ALL',
        'SchedulerParameters': 'sched_interval=2,bf_interval=2,batch_sched_delay=0',
        'MinJobAge': 10,
        'KillWait': _KILL_WAIT_S,
        'OverTimeLimit': 0,
        'ReturnToService': 2,
        'SlurmdParameters': 'config_overrides',
    }
    lines = [f'{name}={value}' for name, value in settings.items()]
    lines.append(f'NodeName={host} NodeAddr=127.0.0.1 CPUs={n_cores} RealMemory={memory} State=UNKNOWN')
    lines.append(f'PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP')
    config_of(site).write_text('\n'.join([*lines, '']))
    config_of(site).chmod(0o644)
