"""An ``anial-worker`` that another user of the machine can run, like one installed on a cluster."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import site
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.shell import BIN, ROOT

__all__ = ('run_as', 'worker_of')

# Parts of Python's standard library that the package does not import.
_UNUSED = shutil.ignore_patterns('site-packages', 'test', 'idlelib', 'config-*', 'ensurepip')
_PYTHON = f'python{sys.version_info.major}.{sys.version_info.minor}'


def run_as(user: pwd.struct_passwd, *command: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as another user, in the home folder of that user and without the environment of the tests."""
    account = {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []} if user.pw_uid != os.getuid() else {}
    return subprocess.run(
        # With a shell, a program that the user may not run gives an exit status instead of an exception.
        ['/bin/sh', '-c', 'exec "$@"', 'sh', *map(str, command)],
        cwd=user.pw_dir,
        env={'HOME': user.pw_dir, 'PATH': os.defpath, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **account,
    )


def worker_of(user: pwd.struct_passwd, folder: Path) -> Path:
    """Return the ``anial-worker`` of this environment or, for another user, one with a copy of the package.

    The copy uses the interpreter and the dependencies of this environment, which are copied too if the user may not
    enter their folders.

    :param folder: folder for the copies, which everybody may enter.
    """
    if user.pw_uid == os.getuid():
        return BIN / 'anial-worker'
    package = folder / 'package'
    # The copy includes the code that numba has compiled, and the user may add to it.
    shutil.copytree(ROOT / 'aiida_anial', package / 'aiida_anial')
    for path in (package, *package.rglob('*')):
        os.chown(path, user.pw_uid, user.pw_gid)
    python, variables = Path(sys.executable), {}
    if run_as(user, 'test', '-x', python).returncode:
        python = _copy_of_python(folder / 'python')
        variables['LD_LIBRARY_PATH'] = python.parents[1] / 'lib'
    libraries = [_reachable(user, Path(path), folder / 'libraries') for path in site.getsitepackages()]
    variables['PYTHONPATH'] = ':'.join(map(str, [package, *libraries]))
    exports = [f'export {name}={shlex.quote(str(value))}' for name, value in variables.items()]
    worker = folder / 'anial-worker'
    worker.write_text('\n'.join(['#!/bin/sh', *exports, f'exec {python} -m aiida_anial.worker.main "$@"', '']))
    worker.chmod(0o755)
    tried = run_as(user, worker, '--version')
    assert tried.returncode == 0, f'{user.pw_name} cannot run anial-worker, not even a copy: {tried.stderr}'
    return worker


def _copy_of_python(folder: Path) -> Path:
    """Copy the interpreter with its library, and return the path of the copy."""
    base = Path(sys.base_prefix)
    for name in ('bin', 'lib'):
        (folder / name).mkdir(parents=True)
    shutil.copy2(base / 'bin' / _PYTHON, folder / 'bin' / _PYTHON)
    for library in (base / 'lib').glob('libpython*'):
        shutil.copy2(library, folder / 'lib')
    shutil.copytree(base / 'lib' / _PYTHON, folder / 'lib' / _PYTHON, ignore=_UNUSED)
    return folder / 'bin' / _PYTHON


def _reachable(user: pwd.struct_passwd, source: Path, target: Path) -> Path:
    """Return a folder of packages or, if the user cannot read it, a copy made of hard links where possible."""
    if run_as(user, 'test', '-r', source).returncode == 0:
        return source
    shutil.copytree(source, target / source.name, copy_function=_link)
    return target / source.name


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
