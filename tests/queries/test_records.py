"""Records of the graph, compared with the nodes read one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.queries.columns import parse_condition
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import count, records


@pytest.fixture(scope='module')
def expected(campaigns):
    """Numbers of every label of the main campaign, read from its shards."""
    rows = []
    for shard in campaigns['main'].outputs.shards.values():
        labelled = shard.labelled
        for row, (positions, _) in enumerate(labelled.cells):
            force = max((labelled.forces_of(row) ** 2).sum(axis=1)) ** 0.5
            rows.append(
                {
                    'shard': shard.pk,
                    'row': row,
                    'n_atoms': len(positions),
                    'iteration': int(labelled.iterations[row]),
                    'origin': labelled.origins[row],
                    'energy_ev': pytest.approx(labelled.energies[row], rel=1e-12),
                    'max_force_ev_per_angstrom': pytest.approx(force),
                }
            )
    return sorted(rows, key=lambda row: (row['shard'], row['row']))


def test_labels_are_those_of_the_shards(campaigns, expected):
    found = records('labels', campaigns=[campaigns['main']])
    found.sort(key=lambda row: (row['shard'], row['row']))
    assert [{key: row[key] for key in expected[0]} for row in found] == expected
    assert count('labels', campaigns=[campaigns['main']]) == len(expected)


@pytest.mark.parametrize(
    ('where', 'keep'),
    [
        ({'iteration': 1}, lambda row: row['iteration'] == 1),
        ({'origin': 'random'}, lambda row: row['origin'] == 'random'),
        ({'n_atoms': (5, None)}, lambda row: row['n_atoms'] >= 5),
        ({'n_atoms': [4, 6], 'iteration': (1, 2)}, lambda row: row['n_atoms'] in {4, 6} and row['iteration'] >= 1),
        ({'energy_ev': (0.0, 3.0)}, lambda row: 0 <= row['energy_ev'].expected <= 3),
        ({'code': 'pw.x'}, lambda row: False),
    ],
)
def test_filters_select_matching_labels(campaigns, expected, where, keep):
    wanted = {(row['shard'], row['row']) for row in expected if keep(row)}
    found = records('labels', where, campaigns=[campaigns['main']])
    assert {(row['shard'], row['row']) for row in found} == wanted
    assert count('labels', where, campaigns=[campaigns['main']]) == len(wanted) == len(found)


def test_labels_are_sorted_and_limited(campaigns, expected):
    energies = sorted(row['energy_ev'].expected for row in expected)
    found = records('labels', campaigns=[campaigns['main']], sort='energy_ev')
    assert [row['energy_ev'] for row in found] == pytest.approx(energies)
    found = records('labels', campaigns=[campaigns['main']], sort='-energy_ev', limit=3)
    assert [row['energy_ev'] for row in found] == pytest.approx(energies[:-4:-1])


def test_campaigns_do_not_mix(campaigns):
    one, other = (records('labels', campaigns=[campaigns[name]]) for name in ('main', 'again'))
    assert not {row['uuid'] for row in one} & {row['uuid'] for row in other}
    both = count('labels', campaigns=[campaigns['main'], campaigns['again']])
    assert both == len(one) + len(other)


def test_trajectories_and_candidates_are_those_of_the_cycles(campaigns):
    main = campaigns['main']
    cycles = [node for node in main.called_descendants if node.process_label == 'CycleWorkChain']
    nodes = {
        node.pk: (cycle.inputs.iteration.value, node)
        for cycle in cycles
        for node in cycle.outputs.trajectories.values()
    }
    found = records('trajectories', campaigns=[main])
    assert {row['pk']: row['iteration'] for row in found} == {pk: number for pk, (number, _) in nodes.items()}
    for row in found:
        trajectory = nodes[row['pk']][1]
        frame = trajectory.base.attributes.get('candidate_frame')
        assert row['energy_disagreement_ev'] == pytest.approx(trajectory.get_array('energy_disagreement')[frame])
        assert row['stop_reason'] == trajectory.base.attributes.get('stop_reason')
    completed = count('trajectories', {'stop_reason': 'completed'}, campaigns=[main])
    assert completed == sum(row['stop_reason'] == 'completed' for row in found)
    candidates = records('candidates', campaigns=[main])
    assert {row['trajectory'] for row in candidates} <= set(nodes)
    assert {orm.load_node(row['pk']).creator.process_label for row in candidates} == {'extract_candidate'}
    assert len(candidates) == count('labels', {'iteration': (1, None)}, campaigns=[main])


def test_ensembles_and_campaigns(campaigns, make_ensemble):
    from aiida_anial.data.ensemble import EnsembleData

    imported = EnsembleData(make_ensemble()).store()
    main = campaigns['main']
    found = records('ensembles', campaigns=[main])
    last = next(row for row in found if row['pk'] == main.outputs.ensemble.pk)
    test = main.outputs.training['test']
    assert last['test_energy_rmse_mev_per_atom'] == test['energy_rmse_mev_per_atom']
    assert imported.pk in [row['pk'] for row in records('ensembles')]
    rows = {row['pk']: row for row in records('campaigns')}
    assert rows[main.pk]['n_labels'] == main.outputs.summary['n_labels']
    assert rows[main.pk]['exit_status'] == 0
    assert rows[campaigns['again'].pk]['converged'] is True
    assert campaigns['failed'].pk in rows
    assert count('campaigns', {'converged': True}) >= 1


def test_shards(campaigns):
    main = campaigns['main']
    found = records('shards', campaigns=[main])
    assert {row['pk'] for row in found} == {shard.pk for shard in main.outputs.shards.values()}
    assert {row['code'] for row in found} == {'emt'}
    original = {'extras': {'!has_key': REPRODUCES}}
    assert count('shards') == orm.QueryBuilder().append(DatasetData, filters=original).count()


def test_a_filter_on_a_date(campaigns):
    now = datetime.now(tz=UTC)
    assert count('labels', {'created': (now - timedelta(days=1), None)}, campaigns=[campaigns['main']]) > 0
    assert count('labels', {'created': (now + timedelta(days=1), None)}, campaigns=[campaigns['main']]) == 0


@pytest.mark.parametrize('kind', KINDS)
def test_every_column_can_be_filtered_and_sorted_by(campaigns, kind):
    for column in KINDS[kind].searchable:
        values = [row[column.name] for row in records(kind, sort=f'-{column.name}')]
        known = [value for value in values if value is not None]
        if known and column.type != 'date':
            assert known == sorted(known, reverse=True)
            assert count(kind, {column.name: known[0]}) == values.count(known[0])


def test_an_ensemble_knows_its_campaign_its_stage_and_its_iteration(campaigns):
    main = campaigns['main']
    found = records('ensembles', campaigns=[main], sort='created')
    assert {row['trained_by'] for row in found} == {main.pk}
    assert [row['stage'] for row in found] == ['initial training', 'retraining', 'retraining', 'final training']
    assert [row['iteration'] for row in found] == [None, 1, 2, None]
    assert found[-1]['pk'] == main.outputs.ensemble.pk


def test_no_record_needs_no_computed_column(campaigns):
    assert records('ensembles', {'n_members': 1000}) == []


def test_a_computed_column_is_not_searched(campaigns):
    with pytest.raises(AnialError, match=r'^trained_by: the database has no such column'):
        records('ensembles', {'trained_by': campaigns['main'].pk})
    with pytest.raises(AnialError, match=r'^trained_by: the database has no such column'):
        records('ensembles', sort='-trained_by')


@pytest.mark.parametrize(
    ('name', 'text', 'condition'),
    [
        ('n_atoms', '4', 4),
        ('n_atoms', '4..', (4, None)),
        ('n_atoms', '..6', (None, 6)),
        ('n_atoms', '4,6', [4, 6]),
        ('energy_ev', '-3.5..-1', (-3.5, -1.0)),
        ('kpoints', '2x2x3', '2x2x3'),
        ('created', '2026-01-31', (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))),
    ],
)
def test_conditions_are_parsed_from_values_ranges_and_lists(name, text, condition):
    assert parse_condition(KINDS['labels'].column(name), text) == condition


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('n_atoms', 'four', "n_atoms: 'four' is not a whole number"),
        ('n_atoms', '6..4', 'not a range LOW..HIGH'),
        ('n_atoms', '..', 'not a range LOW..HIGH'),
        ('created', 'yesterday', 'not a date such as 2026-01-31'),
    ],
)
def test_an_invalid_condition_is_refused(name, text, message):
    with pytest.raises(AnialError, match=message):
        parse_condition(KINDS['labels'].column(name), text)


def test_unknown_names_are_refused_with_the_list_of_names(aiida_profile):
    with pytest.raises(AnialError, match=r'colour: labels have no such column; the columns are pk, uuid'):
        records('labels', {'colour': 4})
    with pytest.raises(AnialError, match=r'atoms: labels have no such column; did you mean n_atoms\?'):
        records('labels', {'atoms': 4})
    with pytest.raises(AnialError, match=r'forces: there are no such records; the kinds are labels'):
        count('forces')


def test_one_record_is_called_in_the_singular():
    assert [kind.singular for kind in KINDS.values()] == [
        *('label', 'shard', 'calculation', 'trajectory', 'candidate', 'ensemble', 'benchmark', 'campaign')
    ]
