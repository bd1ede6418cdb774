"""Fixtures that run the command line in this process with the temporary profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from aiida_anial.cli.root import main


@pytest.fixture
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs a command."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def write(tmp_path) -> Callable[[Any], Path]:
    """Return a function that writes overrides to a file: a mapping as YAML, text unchanged."""

    def make(content: Any) -> Path:
        path = tmp_path / 'over.yaml'
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return make
