"""The command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result


@pytest.fixture
def run_cli(aiida_profile, installed) -> Callable[..., Result]:
    """Return a function that runs ``aiida-anial`` with arguments in the test profile."""
    from aiida_anial.cli import main

    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run
