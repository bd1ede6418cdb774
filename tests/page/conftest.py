"""The page of the campaign of the session, whose last ensemble is benchmarked with EMT's results as a stand-in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ase.calculators.emt import EMT
from click.testing import CliRunner, Result
from support.benchmarks import stored_benchmark

from aiida_anial.cli.root import main
from aiida_anial.properties.registry import BenchmarkSettings, run_properties

SMALL = BenchmarkSettings.parse(
    {
        'cold_curves': {'n_points': 5},
        'vacancy': {'supercells': [2, 3]},
        'surfaces': {'n_layers': 7},
        'phonons': {'supercell': 2, 'n_points': 5, 'n_mesh': 8},
    }
)


@pytest.fixture(scope='session')
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs a command."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope='session')
def results() -> dict[str, Any]:
    """Properties with a panel of each class, by EMT."""
    return run_properties(('lattice', 'cold_curves', 'vacancy', 'surfaces', 'phonons'), SMALL, EMT())


@pytest.fixture(scope='module')
def benchmarked(campaigns, results) -> Iterator[Any]:
    """The campaign, after a benchmark of its last ensemble."""
    with stored_benchmark(campaigns['main'].outputs.ensemble, results):
        yield campaigns['main']


@pytest.fixture(scope='module')
def page(benchmarked, invoke, tmp_path_factory) -> Path:
    """The page that ``aiida-anial report`` wrote."""
    path = tmp_path_factory.mktemp('page') / 'campaign.html'
    result = invoke('report', benchmarked.pk, path)
    assert result.exit_code == 0, (result.output, result.exception)
    return path


@pytest.fixture(scope='session')
def data_of() -> Callable[[Path], dict[str, Any]]:
    """Return a function that returns what the scripts of a page draw."""

    def read(path: Path) -> dict[str, Any]:
        (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
        content: dict[str, Any] = json.loads(found)
        return content

    return read


@pytest.fixture(scope='module')
def data(data_of, page) -> dict[str, Any]:
    """What the scripts of the page draw."""
    content: dict[str, Any] = data_of(page)
    return content


@pytest.fixture(scope='module')
def chart(data) -> Callable[[str, str], dict[str, Any]]:
    """Return a function that returns the chart of a section with a title."""

    def find(section: str, title: str) -> dict[str, Any]:
        (found,) = (one for one in data['charts'][section] if one['title'] == title)
        return dict(found)

    return find
