"""The example property of the documentation works as printed there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import aiida_anial

PAGE = Path(__file__).parents[2] / 'docs' / 'howto' / 'extend-property.md'
REGISTRY = 'aiida_anial/properties/registry.py'
FIRST, LAST = 'from aiida_anial.properties.panels', '        Phonons,\n'

SCRIPT = """
import sys
from pathlib import Path
from ase.calculators.emt import EMT
from aiida_anial.properties.comparison.rendering import comparison_text
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.figures.write import write_figures
from aiida_anial.properties.dynamics_runner import DynamicsRunner
from aiida_anial.properties.registry import run_properties
from aiida_anial.properties.registry import BenchmarkSettings
settings = BenchmarkSettings.parse({'octahedral': {'supercell': 2}})
subject = Subject('emt', 'emt', run_properties(['octahedral'], settings, EMT(), runner=DynamicsRunner(print)))
print(comparison_text(comparison_table([subject])))
print([path.name for path in write_figures([subject], Path('figures'))])
from aiida_anial.queries.kinds import KINDS
print(KINDS['benchmarks'].column('octahedral_ev').help)
"""


@pytest.fixture(scope='module')
def extended(tmp_path_factory) -> Path:
    """A copy of the package with the code of the page."""
    folder = tmp_path_factory.mktemp('extended')
    shutil.copytree(
        Path(aiida_anial.__file__).parent, folder / 'aiida_anial', ignore=shutil.ignore_patterns('__pycache__')
    )
    shutil.copy(Path(aiida_anial.__file__).parents[1] / 'pyproject.toml', folder)
    typed = re.findall(r'^```\{code-block\} python\n:caption: (\S+)\n\n(.*?)^```', PAGE.read_text(), re.M | re.S)
    assert [path for path, _ in typed].count(REGISTRY) == 1
    for path, text in typed:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text if path != REGISTRY else registered(target.read_text(), text))
    return folder


def registered(registry: str, line: str) -> str:
    """Return the registry with the import and the name of the property added."""
    assert FIRST in registry
    assert LAST in registry
    return registry.replace(FIRST, line + FIRST, 1).replace(LAST, f'{LAST}        Octahedral,\n')


def run(folder: Path, *command: str) -> str:
    """Run a command that uses the copy of the package, and return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_test_passes(extended):
    assert '1 passed' in run(extended, sys.executable, '-m', 'pytest', '-q', 'tests/properties/test_octahedral.py')


def test_tables_figures_and_queries_know_it(extended):
    printed = run(extended, sys.executable, '-c', SCRIPT)
    assert re.search(r'^lattice: 3\.\d+ angstrom\noctahedral: 2 structures$', printed, re.MULTILINE)
    assert re.search(r'^octahedral_energy +eV +\d\.\d\d$', printed, re.MULTILINE)
    assert "['octahedral.png', 'octahedral.svg']" in printed
    assert 'Formation energy, eV.' in printed


def test_it_is_in_the_style_of_the_others(extended):
    ruff = shutil.which('ruff', path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip('ruff is not installed')
    run(extended, ruff, 'check', 'aiida_anial/properties', 'tests')
    run(extended, ruff, 'format', '--check', 'aiida_anial/properties', 'tests')
