"""A profile with a computer behind Slurm and SSH, as another user if possible, set up as the documentation says."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.services import Services, temporary_services
from support.shell import Shell
from support.slurm import Slurm
from support.worker import worker_of

PROFILE = 'test'


@pytest.fixture(scope='session')
def services() -> Iterator[Services]:
    """A private Slurm and SSH server."""
    with temporary_services('slurm', 'ssh') as services:
        yield services


@pytest.fixture(scope='session')
def slurm(services) -> Slurm:
    """The commands of this Slurm."""
    return Slurm(services.folder / 'slurm')


@pytest.fixture(scope='session')
def user() -> pwd.struct_passwd:
    """The user whom the SSH server lets in: another user if the tests run as root, otherwise the same one."""
    return pwd.getpwnam('anial-jobs') if os.getuid() == 0 else pwd.getpwuid(os.getuid())


@pytest.fixture(scope='session')
def work(services, user) -> Iterator[Path]:
    """The work directory of the jobs, in the home folder of their user."""
    folder = Path(tempfile.mkdtemp(prefix='anial-jobs-', dir=user.pw_dir))
    os.chown(folder, user.pw_uid, user.pw_gid)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope='session')
def worker(user) -> Iterator[Path]:
    """An ``anial-worker`` that the user can run."""
    folder = Path(tempfile.mkdtemp(prefix='anial-worker-'))
    folder.chmod(0o755)
    yield worker_of(user, folder)
    shutil.rmtree(folder)


@pytest.fixture(scope='session')
def shell(services, slurm, work, worker, tmp_path_factory) -> Iterator[Shell]:
    """A profile with its daemon, the computer ``cluster`` and its codes."""
    home = tmp_path_factory.mktemp('scheduler')
    (home / '.ssh').mkdir(mode=0o700)
    (home / '.ssh' / 'config').write_text(f'Include {services.folder}/ssh/config\n')
    shell = Shell(home, PROFILE, {'HOME': str(home), **slurm.variables})
    shell.run('aiida-anial', 'setup', '--profile', PROFILE)
    for line in commands(work, worker):
        shell.verdi(*line.split())
    shell.verdi('run', Path(__file__).with_name('prepare.py'))
    shell.verdi('daemon', 'start')
    yield shell
    shell.verdi('daemon', 'stop')


def commands(work: Path, worker: Path) -> list[str]:
    """Return the ``verdi`` commands of docs/howto/cluster.md."""
    computer = '-L cluster -H localhost -T core.ssh_async -S core.slurm --mpiprocs-per-machine 1 -m srun'
    code = 'code create core.code.installed -n -Y cluster'
    return [
        f'computer setup -n {computer} -w {work}',
        'computer configure core.ssh_async cluster -n --host anial-slurm --safe-interval 0',
        f'{code} -L anial-worker -X {worker} -P anial.train --no-with-mpi',
        f'{code} -L pw -X {shutil.which("pw.x")} -P quantumespresso.pw --no-with-mpi',
    ]
