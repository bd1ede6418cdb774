"""A real profile with a real daemon, in a folder of its own, driven as a user drives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.shell import Shell

PROFILE = 'test'


@pytest.fixture(scope='session')
def shell(tmp_path_factory) -> Iterator[Shell]:
    """The profile that ``aiida-anial setup`` makes, with its daemon running."""
    shell = Shell(tmp_path_factory.mktemp('daemon'), PROFILE)
    shell.run('aiida-anial', 'setup', '--profile', PROFILE)
    shell.verdi('daemon', 'start')
    yield shell
    shell.verdi('daemon', 'stop')
