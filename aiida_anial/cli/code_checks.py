"""Checks of codes and of the computers they run on, for ``doctor`` and before anything is submitted."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from typing import Final

from aiida import orm
from aiida.common.exceptions import AiidaException

from aiida_anial.cli.server_checks import Check
from aiida_anial.labellers.trial import is_here

__all__ = ('code_check', 'computer_check')

_TIMEOUT_S: Final = 60
# By the plugin that a code runs, or its package: the arguments with which its program tells its version, and what it
# says. pw.x finds no input, and writes a file to say so.
_VERSIONS: Final[dict[str, tuple[list[str], str]]] = {
    'quantumespresso': ([], r'Program PWSCF (v\.\S+)'),
    'anial': (['--version'], r'anial-worker, version (\S+)'),
    'anial.lammps': (['-h'], r'Massively Parallel Simulator - (.*)'),
}


def computer_check(computer: orm.Computer) -> Check:
    """Check that a computer is enabled, configured and reachable."""
    label, transport, quoted = computer.label, computer.transport_type, shlex.quote(computer.label)
    configure = f'run `verdi computer configure {transport} {quoted}`'
    if not computer.is_configured:
        return Check('computer', False, f'{label} is not configured', configure)
    user = orm.User.collection.get_default()
    assert user is not None
    if not computer.is_user_enabled(user):
        return Check('computer', False, f'{label} is disabled', f'run `verdi computer enable {quoted}`')
    try:
        with computer.get_transport() as opened:
            opened.whoami()
    except (AiidaException, OSError) as exception:
        finding = f'{label} cannot be reached: {exception}'
        return Check('computer', False, finding, f'run `verdi computer test {quoted}`')
    return Check('computer', True, f'{label}, {transport}, {computer.scheduler_type}')


def code_check(code: orm.AbstractCode) -> Check:
    """Check that the program of a code exists and, if it runs here, that it is what it should be."""
    name, path = code.full_label, str(code.filepath_executable)
    replace = (
        f'set up the right one with `verdi code create core.code.installed`, or delete {name} and `aiida-anial setup`'
    )
    if not is_here(code):
        return _remote_check(code, replace)
    plugin = code.default_calc_job_plugin or ''
    arguments, version = _VERSIONS.get(plugin) or _VERSIONS.get(plugin.split('.')[0], ([], ''))
    if not version or not all(line.startswith('export ') for line in code.prepend_text.strip().splitlines()):
        # What its environment lacks here, the script of the job may bring.
        return _remote_check(code, replace)
    remedy = f'install what {path} needs; or {replace}'
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(  # noqa: S603 - a list, no shell
                [path, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
    except (OSError, subprocess.SubprocessError) as exception:
        return Check('code', False, f'{name} cannot run: {exception}', remedy)
    found = re.search(version, result.stdout)
    if found is None:
        said = ' '.join((result.stderr or result.stdout).split())[-200:] or 'nothing'
        return Check('code', False, f'{name}, {path}, does not tell the version that it should, but {said}', remedy)
    return Check('code', True, f'{name}, {path}, {found[1]}')


def _remote_check(code: orm.AbstractCode, remedy: str) -> Check:
    """Check that the program of a code exists on its computer."""
    name = code.full_label
    if not isinstance(code, orm.InstalledCode):
        return Check('code', None, f'{name} is a {type(code).__name__}', f'run a job with {name}')
    try:
        code.validate_filepath_executable()
    except (AiidaException, OSError) as exception:
        return Check('code', False, f'{name} cannot be used: {exception}', remedy)
    return Check('code', True, f'{name}, {code.filepath_executable}')
