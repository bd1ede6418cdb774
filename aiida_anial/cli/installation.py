"""Profile, computer, codes and pseudopotential of a machine."""

from __future__ import annotations

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

__all__ = ('COMPUTER', 'ONCE_AFTER', 'ONCE_BEFORE', 'PW_CODE', 'WORKER_CODE', 'install')

# Where the folder cannot be locked, the second job runs as well.
ONCE_BEFORE: Final = (
    'exec 9> .anial_once; if command -v flock > /dev/null; then flock 9; fi\n[ ! -e .anial_ended ] || exit 0\n'
)
ONCE_AFTER: Final = 'status=$?; touch .anial_ended; exit $status\n'


COMPUTER = 'localhost'
PW_CODE = 'pw'
WORKER_CODE = 'anial-worker'

# A job of five seconds would otherwise wait fifteen for the next poll, and as long for the next connection.
_POLL_INTERVAL_S = 1.0
_SAFE_INTERVAL_S = 0.0

# Serial pw.x, two side by side, is faster on a laptop than one on two ranks.
_PREPEND = 'export OMP_NUM_THREADS=1\n'

# Programs that Open MPI starts in the same moment race to make one folder under /tmp, and the losers end.
_OWN_TEMPORARY_FOLDER = 'export TMPDIR="$PWD"\n'


def install(
    *,
    profile_name: str,
    pw: Path | None,
    worker: Path | None,
    production: bool = False,
    servers: Servers | None = None,
    repository: Path | None = None,
) -> Iterator[str]:
    """Set up what is missing, and say what was done.

    :param pw: executable of ``pw.x``; that on the PATH if not given.
    :param worker: executable of ``anial-worker``; that beside the running Python if not given.
    :param production: whether the profile is one on servers, and not AiiDA's embedded one.
    :param servers: of the production profile; one that is there keeps its own if not given.
    :param repository: folder of the files of a production profile.
    :raises AnialError: if an executable is not there, or a server of no use.
    """
    paths = {
        PW_CODE: _executable(pw, 'pw.x', hint='install quantum-espresso or give --pw'),
        WORKER_CODE: _executable(worker, 'anial-worker', hint='install aiida-anial or give --worker'),
    }
    if production:
        yield from set_up_production(profile_name, servers, repository)
    else:
        yield from _embedded_profile(profile_name)
    load_profile(profile_name)
    yield _computer()
    yield _code(PW_CODE, paths[PW_CODE], 'quantumespresso.pw')
    yield _code(WORKER_CODE, paths[WORKER_CODE], 'anial.train')
    yield _pseudo_family()


def _executable(given: Path | None, name: str, *, hint: str) -> Path:
    """Return the absolute path of an executable."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(str(given or (beside if beside.exists() else name)))
    if found is None:
        raise AnialError(f'{given or name}: there is no such executable; {hint}.')
    return Path(found).absolute()


def _embedded_profile(name: str) -> Iterator[str]:
    """Make the embedded profile."""
    if name in get_config(create=True).profile_names:
        yield f'profile {name}: is there'
        return
    arguments = ['presto', '--use-zeromq', '--non-interactive', '--profile-name', name]
    result = subprocess.run(  # noqa: S603 - a list, no shell
        [sys.executable, '-m', 'aiida', *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise AnialError(f'profile {name}: `verdi {" ".join(arguments)}` failed: {" ".join(result.stderr.split())}')
    # The configuration that this process has read does not know the new profile.
    reset_config()
    config = get_config()
    config.set_option('daemon.timeout', DAEMON_TIMEOUT_S, scope=name)
    config.store()
    yield f'profile {name}: made, with SQLite and the ZeroMQ broker'


def _computer() -> str:
    """Configure the computer of this machine for jobs of seconds."""
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
    # `verdi presto` has made one already, with none.
    if computer.get_prepend_text() in ('', _OWN_TEMPORARY_FOLDER) and not computer.get_append_text():
        computer.set_prepend_text(ONCE_BEFORE + _OWN_TEMPORARY_FOLDER)
        computer.set_append_text(ONCE_AFTER)
    computer.set_minimum_job_poll_interval(_POLL_INTERVAL_S)
    computer.set_default_mpiprocs_per_machine(1)
    computer.configure(safe_interval=_SAFE_INTERVAL_S, use_login_shell=False)
    return f'computer {COMPUTER}: configured, polled every {_POLL_INTERVAL_S:g} s'


def _code(label: str, path: Path, plugin: str) -> str:
    """Make a code."""
    full = f'{label}@{COMPUTER}'
    try:
        code = orm.load_code(full)
    except NotExistent:
        orm.InstalledCode(
            label=label,
            computer=orm.load_computer(COMPUTER),
            filepath_executable=str(path),
            default_calc_job_plugin=plugin,
            prepend_text=_PREPEND,
            with_mpi=False,
        ).store()
        return f'code {full}: made, {path}'
    if code.filepath_executable != path:
        return f'code {full}: is there, but runs {code.filepath_executable} and not {path}'
    return f'code {full}: is there'


def _pseudo_family() -> str:
    """Install the package's own pseudopotential as a family."""
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
        raise AnialError(f'pseudopotential family {PSEUDO_FAMILY}: holds another pseudopotential; relabel that family.')
    return f'pseudopotential family {PSEUDO_FAMILY}: is there'
