"""Every hook says what it is, and has a contract that names it."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from aiida_anial import runtime

FIELDS = ['hook', 'changes', 'why', 'upstream', 'until']
CONTRACTS = '\n'.join(path.read_text() for path in (Path(__file__).parent / 'contracts').glob('test_*.py'))

# Modules of the package that build on nothing that AiiDA does not promise.
PLAIN = {'slots', 'states', 'work_chain'}

HOOKS = sorted({module.name for module in pkgutil.iter_modules(runtime.__path__)} - PLAIN)


@pytest.mark.parametrize('name', HOOKS)
def test_a_hook_says_what_it_changes_and_why_and_until_when(name):
    text = inspect.getdoc(import_module(f'aiida_anial.runtime.{name}')) or ''
    found = re.findall(r'^:(\w+): \S', text, re.MULTILINE)
    assert found == FIELDS


@pytest.mark.parametrize('name', sorted(set(HOOKS) - {'daemon_worker'}))
def test_a_hook_has_a_contract_that_names_it(name):
    assert re.search(rf"hook {name}\b|'{name}'", CONTRACTS), f'no contract test names the hook {name}'


def test_how_a_daemon_worker_is_known_has_a_contract():
    assert 'def test_workers_are_started_by_a_command_that_ends_so' in CONTRACTS
