"""Links, commands, YAML and Python in the pages agree with the package."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from aiida_anial.active_learning.distillation_settings import DistillationSettings
from aiida_anial.cli.root import main
from aiida_anial.protocols.protocol import campaign_inputs, merged
from aiida_anial.shock.settings import SIZES, ShockSettings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'DEVELOPERS.md', *sorted((ROOT / 'docs').rglob('[!_]*.md'))]
PAGES = [page for page in PAGES if '_build' not in page.parts]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)


def _id(value) -> str | None:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else None


@pytest.mark.parametrize('page', PAGES, ids=_id)
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\((?!https?:|#)([^)#]+)', page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_lists_all_pages():
    listed = set(re.findall(r'\]\((docs/[^)#]+)', (ROOT / 'README.md').read_text()))
    there = {str(page.relative_to(ROOT)) for page in PAGES if page.parent != ROOT}
    indices = {page for page in there if page.endswith('index.md')} | {'docs/changelog.md'}
    assert there - indices == listed


COMMANDS = [
    (page, line[2:])
    for page in PAGES
    for block in _blocks(page, 'console')
    for line in block.splitlines()
    if line.startswith('$ aiida-anial ')
]


@pytest.mark.parametrize(('page', 'line'), COMMANDS, ids=_id)
def test_commands_and_their_options_exist(page, line):
    words = shlex.split(line, comments=True)[1:]
    command = main
    while isinstance(command, click.Group) and not words[0].startswith('-'):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    # The value of --sort may begin with a minus sign; names of columns contain no minus signs.
    options = {word.partition('=')[0] for word in words if re.match(r'-\w$|--', word)}
    assert options <= known | {'-h', '--help'}


SETTINGS = [(page, block) for page in PAGES for block in _blocks(page, 'yaml')]


@pytest.mark.parametrize(('page', 'block'), SETTINGS, ids=_id)
def test_overrides_are_valid(page, block):
    overrides = yaml.safe_load(block)
    if page.name == 'shock.md':
        ShockSettings.parse(merged(SIZES['quick'].to_dict(), overrides))
    elif page.name == 'distil.md':
        DistillationSettings.parse(merged(DistillationSettings().to_dict(), overrides))
    else:
        campaign_inputs('laptop', overrides)


TARGETS = [(page, target) for page in PAGES for target in re.findall(r'^\$ make (\w+)', page.read_text(), re.MULTILINE)]


@pytest.mark.parametrize(('page', 'target'), TARGETS, ids=_id)
def test_targets_of_make_exist(page, target):
    assert re.search(rf'^{target}:', (ROOT / 'Makefile').read_text(), re.MULTILINE)


PROGRAMS = [(page, block) for page in PAGES for block in _blocks(page, 'python')]


@pytest.mark.parametrize(('page', 'block'), PROGRAMS, ids=_id)
def test_python_imports_exist(page, block):
    tree = ast.parse(block)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), page.name, 'exec'), {})


def test_the_pages_have_commands_settings_targets_and_programs():
    assert min(len(found) for found in (COMMANDS, SETTINGS, TARGETS, PROGRAMS)) >= 4
