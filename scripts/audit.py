"""Look for what is known to be unsafe: in the code with bandit, and in the versions that it is installed with.

Most of it needs no network. Which versions have known vulnerabilities only an advisory service knows: pip-audit asks it
where both can be had, and otherwise the last line says that nobody was asked.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / 'constraints.txt'
CODE = ('aiida_anial', 'scripts', 'services')

# What an environment has before anything is installed into it, and the package itself.
UNPINNED = frozenset({'aiida-anial', 'pip', 'setuptools', 'wheel'})

_PIN = re.compile(r'([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;*]+)')
_ADVISORY_SECONDS = 300


class NotAskedError(Exception):
    """Nobody could be asked about known vulnerabilities; the message says why."""


def main() -> int:
    """Run every check and return the exit status; that nobody could be asked is no failure, but it is said."""
    checks: dict[str, Callable[[], Iterable[str]]] = {
        'bandit finds nothing in the code': bandit_faults,
        'every version is pinned exactly': lambda: pin_faults(CONSTRAINTS.read_text(encoding='utf-8')),
        'what is installed is what is pinned': lambda: installed_faults(pins(), distributions()),
        'what is installed fits together': fitting_faults,
    }
    failed = [name for name, check in checks.items() if not report(name, list(check()))]
    try:
        if not report('no version has a known vulnerability', list(advisories())):
            failed.append('advisories')
    except NotAskedError as exception:
        say(f'audit: NOT CHECKED: known vulnerabilities of the versions ({exception})')
    say('audit: NOT CHECKED: whether a version was withdrawn since it was pinned, which only an index knows')
    say(f'audit: {"failed" if failed else "passed, as far as it was checked"}')
    return 1 if failed else 0


def report(name: str, faults: list[str]) -> bool:
    """Print the outcome of a check and return whether there is no fault."""
    say(f'audit: {"FAILED" if faults else "passed"}: {name}')
    for fault in faults:
        say(f'  {fault}')
    return not faults


def bandit_faults() -> Iterator[str]:
    """Give what bandit says, with the settings in pyproject.toml."""
    program = found('bandit')
    if program is None:
        yield 'bandit is not installed; run `make venv`'
        return
    shown = ['--format', 'custom', '--msg-template', '{relpath}:{line}: {test_id} {msg}']
    done = run([program, '--quiet', '--configfile', 'pyproject.toml', *shown, '--recursive', *CODE])
    if done.returncode != 0:
        yield from (done.stdout + done.stderr).strip().splitlines()


def pins() -> dict[str, Version]:
    """Return the pinned version of each package."""
    lines = CONSTRAINTS.read_text(encoding='utf-8').splitlines()
    matches = (_PIN.fullmatch(line.strip()) for line in lines)
    return {canonicalize_name(match[1]): Version(match[2]) for match in matches if match is not None}


def pin_faults(text: str) -> Iterator[str]:
    """Give the lines that allow more than one version, or one that only a certain machine has."""
    seen: set[str] = set()
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith('#'):
            continue
        match = _PIN.fullmatch(line)
        if match is None:
            yield f'{line}: is not NAME==VERSION'
            continue
        name = canonicalize_name(match[1])
        if name in seen:
            yield f'{line}: stands there twice'
        seen.add(name)
        try:
            version = Version(match[2])
        except InvalidVersion:
            yield f'{line}: is no version'
            continue
        if version.local:
            yield f'{line}: is a build of one machine or index'


def installed_faults(pinned: Mapping[str, Version], installed: Iterable[Distribution]) -> Iterator[str]:
    """Give the packages that are installed in another version, without a pin, or from elsewhere than an index.

    A build of the pinned version for one kind of machine, such as torch's without CUDA, is that version.
    """
    for distribution in sorted(installed, key=lambda one: one.metadata['Name'].lower()):
        name, version = canonicalize_name(distribution.metadata['Name']), Version(distribution.version)
        if name in UNPINNED:
            continue
        if name not in pinned:
            yield f'{name} {version}: is installed and not pinned'
        elif Version(version.public) != pinned[name]:
            yield f'{name} {version}: is installed where {pinned[name]} is pinned'
        if (source := distribution.read_text('direct_url.json')) is not None:
            yield f'{name} {version}: was installed from {json.loads(source).get("url")} and from no index'


def fitting_faults() -> Iterator[str]:
    """Give what ``pip check`` says."""
    done = run([sys.executable, '-m', 'pip', '--disable-pip-version-check', 'check'])
    if done.returncode != 0:
        yield from (done.stdout + done.stderr).strip().splitlines()


def advisories() -> Iterator[str]:
    """Give the pinned versions with known vulnerabilities.

    :raises NotAskedError: if there is no pip-audit, or it reaches nobody who knows.
    """
    program = found('pip-audit')
    if program is None:
        raise NotAskedError('pip-audit is not installed')
    options = [
        '--requirement',
        str(CONSTRAINTS),
        '--no-deps',
        '--disable-pip',
        '--format',
        'json',
        '--progress-spinner',
        'off',
    ]
    try:
        done = run([program, *options], timeout=_ADVISORY_SECONDS)
    except subprocess.TimeoutExpired as exception:
        raise NotAskedError(f'pip-audit had no answer after {_ADVISORY_SECONDS} s') from exception
    try:
        answered = json.loads(done.stdout)['dependencies']
        # What was left out has the reason in the place of an answer.
        asked = {canonicalize_name(entry['name']): entry for entry in answered if 'vulns' in entry}
    except (ValueError, KeyError, TypeError) as exception:
        last = ' '.join(done.stderr.split())[-200:]
        raise NotAskedError(f'pip-audit ended with exit status {done.returncode}: {last}') from exception
    faults = [fault for entry in asked.values() for fault in vulnerabilities(entry)]
    missing = len(set(pins()) - set(asked))
    if missing and not faults:
        raise NotAskedError(f'pip-audit has no answer about {missing} of {len(pins())} packages')
    yield from faults
    if missing:
        yield f'nobody was asked about {missing} more packages'


def vulnerabilities(entry: Mapping[str, Any]) -> Iterator[str]:
    """Give what an advisory service knows of one version."""
    for one in entry['vulns']:
        mended = ', '.join(one.get('fix_versions', [])) or 'no version'
        yield f'{entry["name"]} {entry["version"]}: {one["id"]}, mended in {mended}'


def found(program: str) -> str | None:
    """Return a program of this environment, or of the machine."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else shutil.which(program)


def run(command: list[str], *, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command at the root of the checkout."""
    return subprocess.run(  # noqa: S603 - a list, no shell
        command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + '\n')
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
