"""Import rules between packages; most are checked in a fresh interpreter."""

from __future__ import annotations

import ast
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plumpy.ports import PortNamespace

import aiida_anial

SCIENCE = (
    'active_learning',
    'common',
    'formats',
    'interfaces',
    'potential',
    'potentials',
    'properties',
    'pseudopotential',
    'sampling',
    'shock',
    'training',
    'worker',
)

GROUPS = (*('aiida.brokers', 'aiida.calculations', 'aiida.data', 'aiida.parsers', 'aiida.storage', 'aiida.workflows'),)

BLOCK_AIIDA = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('aiida', 'aiida_quantumespresso', 'aiida_pseudo'):
            raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Blocker())
"""


def run(code: str) -> None:
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr


def modules_of(package: str) -> list[str]:
    name = f'aiida_anial.{package}'
    path = [f'{folder}/{package}' for folder in aiida_anial.__path__]
    return [name, *(module.name for module in pkgutil.walk_packages(path, f'{name}.'))]


def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    found = importlib.metadata.distribution('aiida-anial').entry_points
    return {f'{entry.group}:{entry.name}': entry for entry in found if entry.group in GROUPS}


def test_science_packages_import_without_aiida():
    modules = [module for package in SCIENCE for module in modules_of(package)]
    assert len(modules) > 40
    run(BLOCK_AIIDA + f'import importlib\nfor name in {modules!r}: importlib.import_module(name)')


def test_the_blocker_blocks():
    with pytest.raises(AssertionError, match='aiida is blocked'):
        run(BLOCK_AIIDA + 'import aiida_anial.data.dataset')


def test_aiida_layer_and_command_line_import_without_torch():
    modules = ['aiida_anial.data.validation']
    for package in (
        'calcfunctions',
        'calculations',
        'cli',
        'continuation',
        'data',
        'parsers',
        'protocols',
        'queries',
        'report',
        'reproduction',
        'runtime',
        'workchains',
    ):
        modules += modules_of(package)
    modules += [entry.module for entry in entry_points().values()]
    run(
        f'import importlib, sys\nfor name in {modules!r}:\n'
        "    importlib.import_module(name)\n    assert 'torch' not in sys.modules, name"
    )


@pytest.mark.parametrize('name', sorted(entry_points()))
def test_entry_point_loads_the_class_named_after_it(name):
    loaded = entry_points()[name].load()
    module = sys.modules[loaded.__module__]
    assert loaded.__name__ in module.__all__
    assert name.split(':')[1].startswith('anial.')


def test_entry_points_are_as_many_as_the_graph_has_kinds_of_nodes():
    names = [name.split(':')[1] for name in entry_points()]
    assert {'anial.dataset', 'anial.ensemble'} <= set(names)
    assert {'anial.active_learning', 'anial.iteration', 'anial.label', 'anial.train', 'anial.sample'} <= set(names)


def test_a_calculation_and_its_parser_have_the_same_name():
    names = {group: {key.split(':')[1] for key in entry_points() if key.startswith(group)} for group in GROUPS}
    assert names['aiida.calculations'] == names['aiida.parsers'] != set()


@pytest.mark.parametrize('name', sorted(name for name in entry_points() if name.startswith('aiida.calculations')))
def test_a_job_is_parsed_by_its_own_parser(name):
    entry = entry_points()[name]
    calculation = entry.load()
    options = calculation.spec().inputs['metadata']['options']
    assert options['parser_name'].default == entry.name
    # Of LAMMPS, the code says.
    assert options['withmpi'].has_default() == (name != 'aiida.calculations:anial.lammps')
    assert not options['withmpi'].has_default() or options['withmpi'].default is False


@pytest.mark.parametrize('name', sorted(name for name in entry_points() if 'calc' in name or 'workflows' in name))
def test_every_port_has_a_help_and_no_exit_status_has_two_meanings(name):
    spec = entry_points()[name].load().spec()
    ports = [*spec.inputs.items(), *spec.outputs.items()]
    if name == 'aiida.workflows:anial.pw.base':
        ports = []  # those of aiida-quantumespresso
    assert [key for key, port in ports if not (port.help or isinstance(port, PortNamespace))] == []
    statuses = [code.status for code in spec.exit_codes.values()]
    assert len(statuses) == len(set(statuses))


ROOT = Path(__file__).parents[2]
DRAWING = re.search(r'```text\n(.*?)```', (ROOT / 'docs/topics/architecture.md').read_text(), re.DOTALL)[1]
ROWS = [re.findall(r'\b[a-z_]{3,}\b', line[15:]) for line in DRAWING.splitlines() if not line.strip().startswith('-')]
DEPTH = {package: depth for depth, row in enumerate(reversed(ROWS)) for package in row}


def imported(file: Path) -> Iterator[str]:
    """Yield the packages of this project that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('aiida_anial'):
            names = node.module.split('.')[1:2] or [alias.name for alias in node.names]
            yield from (name for name in names if name != '__version__')


def test_the_drawing_has_every_package():
    packages = {path.parent.name for path in (ROOT / 'aiida_anial').glob('*/__init__.py')}
    assert set(DEPTH) == packages


@pytest.mark.parametrize('package', sorted(DEPTH))
def test_imports_lead_down_in_the_drawing(package):
    files = (ROOT / 'aiida_anial' / package).rglob('*.py')
    found = {(file.name, name) for file in files for name in imported(file) if name != package}
    assert {(file, name) for file, name in found if DEPTH[name] >= DEPTH[package]} == set()


def test_the_modules_that_the_architecture_names_are_there():
    page = (ROOT / 'docs/topics/architecture.md').read_text()
    named = re.findall(r'`(\w+/[\w/]+\.py)`', page)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / 'aiida_anial' / name).exists() and not (ROOT / name).exists()] == []
