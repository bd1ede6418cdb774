"""Set up the profile, computer, codes and pseudopotential of this machine."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aiida import load_profile, orm
from aiida.common.exceptions import NotExistent
from aiida.manage.configuration import get_config, reset_config
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily

from aiida_anial.cli.credentials import Servers
from aiida_anial.cli.production import DAEMON_TIMEOUT_S, set_up_production
from aiida_anial.common.errors import AnialError
from aiida_anial.pseudopotential import (
    AL_PBE_UPF,
    CHARGE_DENSITY_CUTOFF_RY,
    PSEUDO_FAMILY,
    WAVEFUNCTION_CUTOFF_RY,
)

__all__ = ('COMPUTER', 'LMP_CODE', 'ONCE_AFTER', 'ONCE_BEFORE', 'PW_CODE', 'WORKER_CODE', 'install', 'lammps_code')

# Run a job once even if the daemon submits it twice. If the folder cannot be locked, the second job runs as well.
ONCE_BEFORE: Final = (
    'exec 9> .anial_once; if command -v flock > /dev/null; then flock 9; fi\n[ ! -e .anial_ended ] || exit 0\n'
)
ONCE_AFTER: Final = 'status=$?; touch .anial_ended; exit $status\n'


COMPUTER = 'localhost'
PW_CODE = 'pw'
WORKER_CODE = 'anial-worker'
LMP_CODE = 'lmp'

# With AiiDA's defaults, a job of five seconds waits up to fifteen seconds for the next poll, and as long for the next
# connection.
_POLL_INTERVAL_S = 1.0
_SAFE_INTERVAL_S = 0.0

# On a laptop, two serial runs of pw.x side by side are faster than one on two ranks.
_PREPEND = 'export OMP_NUM_THREADS=1\n'

# Open MPI programs that start at the same moment race to create one folder under /tmp, and the losers abort.
_OWN_TEMPORARY_FOLDER = 'export TMPDIR="$PWD"\n'


def install(
    *,
    profile_name: str,
    pw: Path | None,
    worker: Path | None,
    lmp: Path | None = None,
    production: bool = False,
    servers: Servers | None = None,
    repository: Path | None = None,
) -> Iterator[str]:
    """Set up what is missing, and yield one line about each part.

    :param pw: executable of ``pw.x``; by default the one on the PATH.
    :param worker: executable of ``anial-worker``; by default the one next to the running Python.
    :param lmp: executable of LAMMPS; by default it has no code.
    :param production: use a profile on PostgreSQL and RabbitMQ instead of AiiDA's embedded profile.
    :param servers: servers of the production profile; by default an existing profile keeps its own.
    :param repository: folder for the files of a production profile.
    :raises AnialError: if an executable does not exist, or a server cannot be used.
    """
    paths = {
        PW_CODE: _executable(pw, 'pw.x', hint='install quantum-espresso or give --pw'),
        WORKER_CODE: _executable(worker, 'anial-worker', hint='install aiida-anial or give --worker'),
    }
    if lmp is not None:
        paths[LMP_CODE] = _executable(lmp, 'lmp', hint='make install-lammps')
    default = get_config(create=True).default_profile_name
    if production:
        yield from set_up_production(profile_name, servers, repository)
    else:
        yield from _embedded_profile(profile_name)
    load_profile(profile_name)
    yield from _default(default, profile_name)
    yield _computer()
    yield _code(PW_CODE, paths[PW_CODE], 'quantumespresso.pw')
    yield _code(WORKER_CODE, paths[WORKER_CODE], 'anial.train')
    if LMP_CODE in paths:
        yield lammps_code(paths[LMP_CODE])
    yield _pseudo_family()


def _executable(given: Path | None, name: str, *, hint: str) -> Path:
    """Return the absolute path of an executable."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(str(given or (beside if beside.exists() else name)))
    if found is None:
        raise AnialError(f'{given or name}: no such executable; {hint}.')
    return Path(found).absolute()


def _embedded_profile(name: str) -> Iterator[str]:
    """Create the embedded profile."""
    if name in get_config(create=True).profile_names:
        yield f'profile {name}: exists already'
        return
    arguments = ['presto', '--use-zeromq', '--non-interactive', '--profile-name', name]
    result = subprocess.run(  # noqa: S603 - a list, no shell
        [sys.executable, '-m', 'aiida', *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise AnialError(f'profile {name}: `verdi {" ".join(arguments)}` failed: {" ".join(result.stderr.split())}')
    # The configuration that this process read earlier does not contain the new profile.
    reset_config()
    config = get_config()
    config.set_option('daemon.timeout', DAEMON_TIMEOUT_S, scope=name)
    config.store()
    yield f'profile {name}: created, with SQLite and the ZeroMQ broker'


def _default(before: str | None, name: str) -> Iterator[str]:
    """Yield a line if commands without ``-p`` use another profile than before, or than the one set up."""
    now = get_config().default_profile_name
    if before not in (None, now):
        yield f'default profile: {now}, no longer {before}; `verdi profile set-default {before}` brings that back'
    elif now != name:
        yield f'default profile: still {now}; give commands `-p {name}`'


def _computer() -> str:
    """Configure the computer ``localhost`` for jobs that take seconds."""
    try:
        computer = orm.load_computer(COMPUTER)
    except NotExistent:
        work = Path(get_config().dirpath) / 'scratch'
        computer = orm.Computer(
            label=COMPUTER,
            hostname='localhost',
            description='This machine',
            transport_type='core.local',
            scheduler_type='core.direct',
            workdir=str(work),
        ).store()
    # `verdi presto` creates a computer without these texts.
    if computer.get_prepend_text() in ('', _OWN_TEMPORARY_FOLDER) and not computer.get_append_text():
        computer.set_prepend_text(ONCE_BEFORE + _OWN_TEMPORARY_FOLDER)
        computer.set_append_text(ONCE_AFTER)
    computer.set_minimum_job_poll_interval(_POLL_INTERVAL_S)
    computer.set_default_mpiprocs_per_machine(1)
    computer.configure(safe_interval=_SAFE_INTERVAL_S, use_login_shell=False)
    return f'computer {COMPUTER}: configured, polled every {_POLL_INTERVAL_S:g} s'


def _code(label: str, path: Path, plugin: str, *, prepend: str = _PREPEND, with_mpi: bool = False) -> str:
    """Create a code unless it exists."""
    full = f'{label}@{COMPUTER}'
    try:
        code = orm.load_code(full)
    except NotExistent:
        orm.InstalledCode(
            label=label,
            computer=orm.load_computer(COMPUTER),
            filepath_executable=str(path),
            default_calc_job_plugin=plugin,
            prepend_text=prepend,
            with_mpi=with_mpi,
        ).store()
        return f'code {full}: created, {path}'
    if code.filepath_executable != path:
        return f'code {full}: exists already, but runs {code.filepath_executable} and not {path}'
    return f'code {full}: exists already'


def lammps_code(path: Path) -> str:
    """Create the code of LAMMPS unless it exists."""
    # With the mpirun that comes with it.
    prepend = f'{_PREPEND}export PATH={shlex.quote(str(path.parent))}:"$PATH"\n'
    return _code(LMP_CODE, path, 'anial.lammps', prepend=prepend, with_mpi=True)


def _pseudo_family() -> str:
    """Install the package's own pseudopotential as a family with recommended cutoffs."""
    with AL_PBE_UPF.open('rb') as stream:
        pseudo = UpfData.get_or_create(stream, filename=AL_PBE_UPF.name)
    try:
        family = CutoffsPseudoPotentialFamily.collection.get(label=PSEUDO_FAMILY)
    except NotExistent:
        family = CutoffsPseudoPotentialFamily(label=PSEUDO_FAMILY, description='Soft PBE aluminium').store()
        family.add_nodes([pseudo.store() if not pseudo.is_stored else pseudo])
        cutoffs = {'cutoff_wfc': WAVEFUNCTION_CUTOFF_RY, 'cutoff_rho': CHARGE_DENSITY_CUTOFF_RY}
        family.set_cutoffs({'Al': cutoffs}, 'normal', unit='Ry')
        return f'pseudopotential family {PSEUDO_FAMILY}: installed'
    if family.get_pseudo('Al').md5 != pseudo.md5:
        raise AnialError(f'pseudopotential family {PSEUDO_FAMILY}: has another pseudopotential; relabel that family.')
    return f'pseudopotential family {PSEUDO_FAMILY}: exists already'
