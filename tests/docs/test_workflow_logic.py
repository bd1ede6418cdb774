"""The page on workflow logic names every step, handler and exit code, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiida.engine import BaseRestartWorkChain, CalcJob
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names

from aiida_anial.calculations.worker import WorkerCalculation

PAGE = Path(__file__).parents[2] / 'docs' / 'topics' / 'workflow-logic.md'


def _processes():
    groups = (('aiida.workflows', WorkflowFactory), ('aiida.calculations', CalculationFactory))
    return [
        factory(name)
        for group, factory in groups
        for name in get_entry_point_names(group)
        # Its steps are those of aiida-quantumespresso, which documents them.
        if name.startswith('anial.') and name != 'anial.pw.base'
    ]


PROCESSES = _processes()
NAMES = {process.__name__ for process in PROCESSES}
JOBS = {process.__name__ for process in PROCESSES if issubclass(process, CalcJob)}
WORKERS = {process.__name__ for process in PROCESSES if issubclass(process, WorkerCalculation)}


def _documented() -> set[tuple[str, int, str]]:
    """Return process, status and label of every row in the tables of exit codes."""
    rows = re.findall(r'^\| ([\w, ]+) \| (\d+) \| `(\w+)` \|', PAGE.read_text(), re.MULTILINE)
    groups = {'all': NAMES, 'all jobs': JOBS, 'all jobs of the worker': WORKERS}
    return {
        (name, int(status), label)
        for cell, status, label in rows
        for name in (groups[cell] if cell in groups else cell.split(', '))
    }


def test_there_are_processes():
    assert 'ActiveLearningWorkChain' in NAMES
    assert len(WORKERS) == 6
    assert len(JOBS) == 7


def test_exit_codes_are_those_of_the_specifications():
    specified = {
        (process.__name__, code.status, label)
        for process in PROCESSES
        for label, code in process.spec().exit_codes.items()
    }
    assert _documented() == specified


@pytest.mark.parametrize('process', PROCESSES, ids=lambda process: process.__name__)
def test_every_process_and_step_is_named(process):
    text = PAGE.read_text()
    assert process.__name__ in text
    if not issubclass(process, CalcJob):
        steps = set(_steps(process.spec().get_outline().get_description()))
        assert steps
        assert [step for step in sorted(steps) if f'`{step}`' not in text] == []


def _steps(outline) -> list[str]:
    """Return the names in plumpy's description of an outline: 'name(doc)', or keys such as 'while(name)'."""
    if isinstance(outline, str):
        return [outline.partition('(')[0]]
    if isinstance(outline, dict):
        conditions = [re.fullmatch(r'\w+\((.*)\)', key)[1] for key in outline]
        return [name for name in conditions if name.isidentifier()] + _steps(list(outline.values()))
    return [name for part in outline for name in _steps(part)]


@pytest.mark.parametrize(
    'process', [one for one in PROCESSES if issubclass(one, BaseRestartWorkChain)], ids=lambda one: one.__name__
)
def test_every_handler_is_named(process):
    handlers = {
        name: method
        for name in dir(process)
        if getattr(method := getattr(process, name), 'decorator', None) is not None and name.startswith('handle')
    }
    assert handlers
    text = PAGE.read_text()
    assert [
        name for name, method in handlers.items() if not re.search(rf'^\| `{name}` \| {method.priority} \|', text, re.M)
    ] == []
