"""Fixtures of exports and imports, with the campaigns of the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from aiida_anial.cli.root import main


@pytest.fixture
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs a command."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def exported(invoke, campaigns, tmp_path):
    """Return a function that exports labels of the main campaign and returns the path."""

    def export(name='labels.extxyz', *filters):
        path = tmp_path / name
        result = invoke('export', 'dataset', path, '--campaign', campaigns['main'].pk, *filters)
        assert result.exit_code == 0, result.output
        return path

    return export
