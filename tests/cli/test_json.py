"""With --json, the standard output is one JSON value and nothing else, whatever is said on the standard error."""

from __future__ import annotations

import json

import pytest

from aiida_anial.cli import checks
from aiida_anial.cli.server_checks import Check
from aiida_anial.queries.records import records


def test_limit(invoke, computer):
    found = json.loads(invoke('limit', computer.label, 3, '--json').stdout)
    assert found == [{'computer': computer.label, 'limit': 3, 'n_active': 0}]
    assert json.loads(invoke('limit', computer.label, '--none', '--json').stdout)[0]['limit'] is None


@pytest.mark.parametrize(('passed', 'status'), [(True, 0), (None, 0), (False, 1)])
def test_doctor(invoke, monkeypatch, passed, status):
    monkeypatch.setattr(checks, 'checks', lambda: iter([Check('disk', passed, 'full', 'free some space')]))
    result = invoke('doctor', '--json')
    found = json.loads(result.stdout)
    assert (result.exit_code, found['is_fine']) == (status, not status)
    assert found['checks'] == [
        {'name': 'disk', 'passed': passed, 'finding': 'full', 'remedy': 'free some space', 'is_slow': False}
    ]
    assert invoke('doctor').exit_code == status


def test_exports_have_the_keys_of_whence_and_imports_name_what_they_stored(invoke, campaigns, tmp_path):
    path = tmp_path / 'labels.extxyz'
    written = json.loads(invoke('export', 'dataset', path, '--campaign', campaigns['main'].pk, '--json').stdout)
    assert written['path'] == str(path)
    # Other tests may have written the same bytes.
    exports = json.loads(invoke('whence', path, '--json').stdout)['exports']
    export = next(one for one in exports if one['pk'] == written['pk'])
    assert {key: export[key] for key in ('process', 'pk', 'uuid')} == {
        key: written[key] for key in ('process', 'pk', 'uuid')
    }
    result = invoke('import', 'dataset', path, '--json')
    assert 'are labels of this profile already' in result.stderr
    found = json.loads(result.stdout)
    assert found['rejected'] == {}
    assert sum(shard['n_configurations'] for shard in found['shards']) == path.read_text().count('Lattice=')


def test_columns_are_chosen_in_each_form(invoke, campaigns):
    query = ('query', 'labels', '--campaign', campaigns['main'].pk, '--limit', 2, '--columns', 'energy_ev,pk')
    expected = records('labels', campaigns=[campaigns['main']], limit=2, columns=['energy_ev', 'pk'])
    assert [list(row) for row in expected] == [['energy_ev', 'pk']] * 2
    assert json.loads(invoke(*query, '--json').stdout) == expected
    assert invoke(*query, '--csv').stdout.splitlines()[0] == 'energy_ev,pk'
    table = invoke(*query).stdout.splitlines()
    assert table[1].split() == ['energy_ev', 'pk']
    assert table[3].split() == [f'{expected[0]["energy_ev"]:.4f}', str(expected[0]['pk'])]


def test_a_column_that_does_not_exist(invoke, campaigns):
    result = invoke('query', 'labels', '--columns', 'pk,energy_eV', '--json')
    assert (result.exit_code, result.stdout) == (1, '')
    assert result.stderr == 'Error: --columns: energy_eV: labels have no such column; did you mean energy_ev?\n'


@pytest.mark.parametrize('arguments', [('status',), ('query', 'labels', '--limit', '0'), ('nothing',), ('plan', '--x')])
def test_a_wrong_command_line_is_2(invoke, arguments):
    assert invoke(*arguments).exit_code == 2
