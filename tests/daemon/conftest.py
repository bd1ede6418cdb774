"""A profile with a daemon in a separate AiiDA folder, used through the commands that users have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.shell import Shell

PROFILE = 'test'


@pytest.fixture(scope='session')
def shell(tmp_path_factory) -> Iterator[Shell]:
    """The profile that ``aiida-anial setup`` creates, with a running daemon."""
    shell = Shell(tmp_path_factory.mktemp('daemon'), PROFILE)
    shell.run('aiida-anial', 'setup', '--profile', PROFILE)
    shell.verdi('daemon', 'start')
    yield shell
    shell.verdi('daemon', 'stop')
