"""One release of the campaign of the session, and functions that read it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aiida_anial.cli.root import main

AUTHORS = ('--author', 'Curie, Marie', '--author', 'van der Waals, Johannes Diderik')
BIN = Path(sys.executable).parent


@pytest.fixture(scope='session')
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs a command."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope='session')
def release(invoke, campaigns, tmp_path_factory) -> Path:
    """The folder written by ``aiida-anial release``."""
    folder = tmp_path_factory.mktemp('release') / 'aluminium'
    result = invoke('release', campaigns['main'].pk, folder, *AUTHORS)
    assert result.exit_code == 0, (result.output, result.exception)
    return folder


@pytest.fixture(scope='session')
def table(release) -> Callable[[str], list[dict[str, str]]]:
    """Return a function that reads a table of the release as CSV."""

    def read(name: str) -> list[dict[str, str]]:
        with (release / 'tables' / f'{name}.csv').open(encoding='utf-8', newline='') as stream:
            return list(csv.DictReader(stream))

    return read


@pytest.fixture(scope='session')
def elsewhere(release, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command in a new profile into which the archive was imported."""
    home = tmp_path_factory.mktemp('elsewhere')
    environment = {**os.environ, 'AIIDA_PATH': str(home), 'PATH': f'{BIN}{os.pathsep}{os.environ["PATH"]}'}

    def run(program: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / program), *map(str, arguments)]
        return subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    # No label is computed by pw.x here, and pw.x may not be installed.
    for command in (
        ('aiida-anial', 'setup', '--profile', 'fresh', '--pw', BIN / 'anial-worker'),
        ('verdi', 'archive', 'import', release / 'campaign.aiida'),
    ):
        result = run(*command)
        assert result.returncode == 0, (command, result.stdout, result.stderr)
    return run
