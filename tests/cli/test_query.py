"""The command ``aiida-anial query``."""

from __future__ import annotations

import csv
import io
import json

import pytest

from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import count, records


def test_json_and_csv_are_the_records(invoke, campaigns):
    pk = campaigns['main'].pk
    expected = records('labels', {'n_atoms': (5, None)}, campaigns=[campaigns['main']], sort='-energy_ev', limit=4)
    command = ('query', 'labels', '--campaign', pk, '--n-atoms', '5..', '--sort=-energy_ev', '--limit', 4)
    assert json.loads(invoke(*command, '--json').output) == expected
    rows = list(csv.DictReader(io.StringIO(invoke(*command, '--csv').output)))
    assert [row['uuid'] for row in rows] == [row['uuid'] for row in expected]
    assert [float(row['energy_ev']) for row in rows] == [row['energy_ev'] for row in expected]
    assert list(rows[0]) == [column.name for column in KINDS['labels'].columns]


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_has_a_table_with_its_records(invoke, campaigns, kind):
    n_records = count(kind, campaigns=[campaigns['main']])
    assert invoke('query', kind, '--campaign', campaigns['main'].pk, '--count').output == f'{n_records}\n'
    result = invoke('query', kind, '--campaign', campaigns['main'].pk)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f'{n_records} {kind if n_records != 1 else kind[:-1]}')
    first = [line.split()[0] for line in result.output.splitlines() if line.strip()]
    for row in records(kind, campaigns=[campaigns['main']]):
        assert str(row['pk']) in first


def test_several_campaigns(invoke, campaigns):
    one, other = (count('labels', campaigns=[campaigns[name]]) for name in ('main', 'again'))
    options = [part for name in ('main', 'again') for part in ('--campaign', campaigns[name].uuid)]
    assert invoke('query', 'labels', *options, '--count').output == f'{one + other}\n'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('labels', '--n-atoms', 'few'), "--n-atoms: 'few' is not a whole number"),
        (('labels', '--density-g-per-cm3', '4..2'), "--density-g-per-cm3: '4..2' is not a range LOW..HIGH"),
        (('labels', '--created', 'soon'), "--created: 'soon' is not a date such as 2026-01-31"),
        (('campaigns', '--converged', 'maybe'), "--converged: 'maybe' is not yes or no"),
        (('labels', '--sort', 'colour'), 'colour: labels have no such column; the columns are pk, uuid'),
        (('labels', '--campaign', 'none'), "--campaign: there is no node 'none'"),
    ],
)
def test_mistakes_are_one_sentence(invoke, campaigns, arguments, message):
    result = invoke('query', *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count('\n') == 1


def test_an_unknown_kind_is_refused_with_the_list_of_kinds(invoke):
    result = invoke('query', 'forces')
    assert result.exit_code == 2
    assert 'forces' in result.output


def test_calculations_by_pw_x_are_found_by_their_exit_status(invoke, fake_job):
    from aiida import orm

    structure = orm.StructureData(cell=[[4, 0, 0], [0, 4, 0], [0, 0, 4]])
    structure.append_atom(position=(0, 0, 0), symbols='Al')
    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([2, 2, 2])
    for status in (0, 305):
        printed = {'output_parameters': orm.Dict({'number_of_atoms': 1, 'wall_time_seconds': 2.5})}
        job = fake_job(
            'quantumespresso.pw',
            inputs={
                'structure': structure,
                'parameters': orm.Dict({'SYSTEM': {'ecutwfc': 16.0}}),
                'kpoints': mesh,
            },
            outputs=printed if status == 0 else {},
            exit_status=status,
        )
        job.set_process_label('PwCalculation')
    failed = json.loads(invoke('query', 'calculations', '--exit-status', 305, '--json').output)
    assert [row['exit_status'] for row in failed] == [305]
    assert failed[0]['wall_time_s'] is None
    good = json.loads(invoke('query', 'calculations', '--wall-time-s', '2..3', '--ecutwfc-ry', 16, '--json').output)
    assert {row['exit_status'] for row in good} == {0}
