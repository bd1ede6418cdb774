"""Options that contradict each other, and values that nothing has."""

from __future__ import annotations

import pytest

from tests.cli.test_bad_inputs import assert_refused

EMT = {'label': {'labeller': 'emt'}}


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (('export', 'dataset', 'x.extxyz', '--format', 'hdf5'), "--format: 'x.extxyz' is the name of a file of extxyz"),
        (('export', 'dataset', 'x.h5', '--format', 'ase_db'), "--format: 'x.h5' is the name of a file of hdf5"),
        (('export', 'dataset', 'x.txt'), "--format: 'x.txt' does not end in .extxyz or .h5 or .db"),
        (
            ('export', 'ensemble', 1, 'e.pt', '--format', 'safetensors'),
            "--format: 'e.pt' is the name of a file of torc",
        ),
        (
            ('export', 'ensemble', 1, 'e.pt', '--format', 'neurochem'),
            "--format: 'e.pt' is the name of a file of torchs",
        ),
        (
            ('benchmark', 1, '--quick', '--properties', 'phonons'),
            '--quick: phonons is not in the quick set (',
        ),
        (('benchmark', 1, '--plots', 'x', '--no-wait'), '--plots: contradicts --no-wait'),
        (('benchmark', 1, '--json', '--no-wait'), '--json: contradicts --no-wait'),
        (('query', 'labels', '--csv', '--json'), '--csv: contradicts --json'),
        (('query', 'labels', '--count', '--json'), '--json: contradicts --count'),
        (('submit', '--mix-theory'), '--mix-theory: there is nothing to mix'),
        (('import', 'dataset', 'pyproject.toml', '--mix-theory'), '--mix-theory: there is nothing to mix'),
        (('release', 1, 'out', '--author', 'A, B', '--title', ' '), '--title: a release needs a title'),
    ],
)
def test_contradictions_are_named(invoke, count_nodes, arguments, expected):
    before = count_nodes()
    assert_refused(invoke(*arguments), expected)
    assert count_nodes() == before


@pytest.mark.parametrize('dry', [(), ('--dry-run',)])
@pytest.mark.parametrize(('option', 'labeller'), [('--potential', 'eam'), ('--teacher', 'ensemble')])
def test_an_option_of_another_labeller(invoke, write, installed, option, labeller, dry):
    result = invoke('submit', write(EMT), '--protocol', 'demo', option, 'pyproject.toml', *dry)
    assert result.exit_code == 1
    assert f'{option}: only the labeller {labeller} takes it, and label.labeller is emt.' in result.stderr


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (('trajectories', '--stop-reason', 'completd'), "stop_reason: no trajectories have 'completd'; there are "),
        (('trajectories', '--stop-reason', 'completed,gone'), "stop_reason: no trajectories have 'gone'; there are "),
        (('labels', '--origin', 'randon'), "origin: no labels have 'randon'; there are active_learning, "),
    ],
)
def test_a_value_that_nothing_has_comes_with_those_that_exist(invoke, campaigns, arguments, expected):
    assert_refused(invoke('query', *arguments), expected)
