"""Check the code for unsafe patterns with bandit, and the installed versions against the pins.

Most checks need no network. Known vulnerabilities are looked up in an advisory service by pip-audit; if pip-audit or
the service is not available, the last lines say that this was not checked.
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

# Packages that every new environment contains, and the package itself.
UNPINNED = frozenset({'aiida-anial', 'pip', 'setuptools', 'wheel'})

_PIN = re.compile(r'([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;*]+)')
_ADVISORY_SECONDS = 300


class NotAskedError(Exception):
    """Known vulnerabilities could not be looked up; the message says why."""


def main() -> int:
    """Run every check and return the exit status; an unavailable advisory service is reported but is not a failure."""
    checks: dict[str, Callable[[], Iterable[str]]] = {
        'bandit finds nothing in the code': bandit_faults,
        'every version is pinned exactly': lambda: pin_faults(CONSTRAINTS.read_text(encoding='utf-8')),
        'the installed versions are the pinned ones': lambda: installed_faults(pins(), distributions()),
        'the installed packages are compatible': fitting_faults,
    }
    failed = [name for name, check in checks.items() if not report(name, list(check()))]
    try:
        if not report('no version has a known vulnerability', list(advisories())):
            failed.append('advisories')
    except NotAskedError as exception:
        say(f'audit: NOT CHECKED: known vulnerabilities of the versions ({exception})')
    say('audit: NOT CHECKED: whether a pinned version was withdrawn since, which only an index can tell')
    say(f'audit: {"failed" if failed else "passed, except for what was not checked"}')
    return 1 if failed else 0


def report(name: str, faults: list[str]) -> bool:
    """Print the outcome of a check and return whether it passed."""
    say(f'audit: {"FAILED" if faults else "passed"}: {name}')
    for fault in faults:
        say(f'  {fault}')
    return not faults


def bandit_faults() -> Iterator[str]:
    """Yield the findings of bandit, with the settings in pyproject.toml."""
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
    """Yield the lines that allow more than one version, or a build for one machine or index."""
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
            yield f'{line}: is listed twice'
        seen.add(name)
        try:
            version = Version(match[2])
        except InvalidVersion:
            yield f'{line}: is not a version'
            continue
        if version.local:
            yield f'{line}: is a build of one machine or index'


def installed_faults(pinned: Mapping[str, Version], installed: Iterable[Distribution]) -> Iterator[str]:
    """Yield the packages installed in another version, without a pin, or from elsewhere than an index.

    A local build of the pinned version, such as torch's CPU build, counts as that version.
    """
    for distribution in sorted(installed, key=lambda one: one.metadata['Name'].lower()):
        name, version = canonicalize_name(distribution.metadata['Name']), Version(distribution.version)
        if name in UNPINNED:
            continue
        if name not in pinned:
            yield f'{name} {version}: is installed but not pinned'
        elif Version(version.public) != pinned[name]:
            yield f'{name} {version}: is installed, but {pinned[name]} is pinned'
        if (source := distribution.read_text('direct_url.json')) is not None:
            yield f'{name} {version}: was installed from {json.loads(source).get("url")}, not from an index'


def fitting_faults() -> Iterator[str]:
    """Yield the findings of ``pip check``."""
    done = run([sys.executable, '-m', 'pip', '--disable-pip-version-check', 'check'])
    if done.returncode != 0:
        yield from (done.stdout + done.stderr).strip().splitlines()


def advisories() -> Iterator[str]:
    """Yield the pinned versions with known vulnerabilities.

    :raises NotAskedError: if pip-audit is not installed, or cannot reach an advisory service.
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
        # For a package that pip-audit skipped, the entry has a reason instead of vulnerabilities.
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
        yield f'{missing} more packages were not checked'


def vulnerabilities(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the known vulnerabilities of one version."""
    for one in entry['vulns']:
        fixed = ', '.join(one.get('fix_versions', [])) or 'no version'
        yield f'{entry["name"]} {entry["version"]}: {one["id"]}, fixed in {fixed}'


def found(program: str) -> str | None:
    """Return the path of a program in this environment or on the PATH, or None."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else shutil.which(program)


def run(command: list[str], *, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command at the root of the checkout."""
    return subprocess.run(  # noqa: S603 - a list, no shell
        command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )


def say(text: str) -> None:
    """Print a line without buffering."""
    sys.stdout.write(text + '\n')
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
