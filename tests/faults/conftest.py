"""The embedded profile under test: its own daemon, codes that count their runs, and disks that can be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.faults import CAMPAIGN, Laboratory, make_laboratory
from support.shell import Shell

PROFILE = 'embedded'
SOCKETS = shutil.ignore_patterns('*.sock')


@contextmanager
def small_disk(folder: Path, *, size_mib: int = 200) -> Iterator[Path]:
    """Mount a tmpfs over a folder, with a copy of its content; only root can."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f'{folder.name}.aside')
    shutil.copytree(folder, aside, ignore=SOCKETS)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size_mib}m', 'tmpfs', folder], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', folder], check=True)
        shutil.rmtree(aside)


def start_daemon(shell: Shell) -> None:
    """Start the daemon, with temporary files in a folder over which a disk can be mounted."""
    shell.run('verdi', '-p', PROFILE, 'daemon', 'start', TMPDIR=str(shell.home / 'temporary'))


@pytest.fixture(scope='session')
def laboratory(tmp_path_factory, campaign_overrides) -> Iterator[Laboratory]:
    """The profile that ``aiida-anial setup`` makes, with its daemon running, and a campaign without faults done.

    AiiDA tries uploads and other transport tasks five times, after 20, 40, ... seconds; here it tries three times,
    after 1 and 2 seconds.
    """
    shell = Shell(tmp_path_factory.mktemp('faults'), PROFILE)
    pw = Path(shutil.which('pw.x') or pytest.fail('pw.x: there is none; run scripts/install-qe.sh'))
    laboratory, options = make_laboratory(shell, campaign_overrides(**CAMPAIGN), pw=pw)
    shell.run('aiida-anial', 'setup', '--profile', PROFILE, *options)
    shell.verdi('config', 'set', 'transport.task_retry_initial_interval', 1)
    shell.verdi('config', 'set', 'transport.task_maximum_attempts', 3)
    (shell.home / 'temporary').mkdir()
    start_daemon(shell)
    try:
        laboratory.reference = laboratory.run_reference()
        yield laboratory
    finally:
        laboratory.eye.close()
        shell.verdi('daemon', 'stop')


@pytest.fixture
def disk(laboratory, request) -> Iterator[Path]:
    """A small disk in place of a folder of the profile, while the daemon is stopped; the folder is the parameter."""
    if os.getuid() != 0:
        pytest.skip('mounts a small tmpfs, which only root can')
    (folder,) = laboratory.shell.home.glob(request.param)
    laboratory.shell.verdi('daemon', 'stop')
    with small_disk(folder) as disk:
        laboratory.eye.close()
        start_daemon(laboratory.shell)
        yield disk
        laboratory.shell.verdi('daemon', 'stop')
        laboratory.eye.close()
        shutil.copytree(disk, folder.with_name('kept'), ignore=SOCKETS)
    shutil.rmtree(folder)
    folder.with_name('kept').rename(folder)
    start_daemon(laboratory.shell)
