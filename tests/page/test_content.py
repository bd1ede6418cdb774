"""The page says what the queries say, and each of its points leads to its node."""

from __future__ import annotations

import html
import re
from base64 import b64decode
from hashlib import sha256
from importlib.resources import files

import numpy as np
import pytest
from aiida import orm

from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.records import records
from aiida_anial.report.page.elements import Axis, Chart, Series, evenly, numbers
from aiida_anial.report.page.sources import PageSources


def points_of(data, name):
    """Yield the number of points and the rows of every series that shows records."""
    for charts in data['charts'].values():
        for one in charts:
            yield from (series for series in one['series'] if series.get('of') == name)


def test_the_page_asks_the_network_for_nothing(page):
    text = page.read_text()
    assert "default-src 'none'" in text
    # Scripts of libraries name addresses in comments and for functions that nothing here calls.
    own = re.sub(r'<script>.*?</script>', '', text, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', own) == []
    assert '://' not in own


def test_the_page_of_a_small_campaign_is_small(page):
    assert page.stat().st_size < 2e6


def test_the_numbers_are_those_of_the_status(page, benchmarked):
    status = campaign_status(benchmarked)
    text = html.unescape(page.read_text())
    assert f'<dt>labels</dt><dd>{status["n_labels"]}</dd>' in text
    energy = status['final_test_energy_rmse_mev_per_atom']
    assert f'<dt>test error, energy</dt><dd>{energy:.1f} meV/atom</dd>' in text
    assert status['verdict'] in text
    for row in status['iterations']:
        assert f'data-of="iterations" data-row="{row["index"]}">{row["index"]}</button>' in text


@pytest.mark.parametrize('kind', ['labels', 'trajectories', 'ensembles'])
def test_records_are_those_of_queries(data, benchmarked, kind):
    rows = records(kind, campaigns=[benchmarked], sort='created')
    columns = data['records'][kind]['columns']
    assert columns['pk'] == [row['pk'] for row in rows]
    for name, column in columns.items():
        expected = [row[name] for row in rows]
        if any(isinstance(value, float) for value in expected):
            assert column == pytest.approx(expected, rel=1e-7)
        else:
            assert column == expected


@pytest.mark.parametrize('kind', ['labels', 'trajectories', 'ensembles', 'iterations', 'results'])
def test_every_point_leads_to_a_node(data, kind):
    columns = data['records'][kind]['columns']
    for pk, uuid in zip(columns['pk'], columns['uuid'], strict=True):
        assert orm.load_node(pk).uuid == uuid
    series = list(points_of(data, kind))
    assert series
    for one in series:
        assert len(one['rows']) == len(one['x']) == len(one['y'])
        assert all(0 <= row < len(columns['pk']) for row in one['rows'])


def test_commands_name_columns_that_exist(data):
    for one in data['records'].values():
        for command in one['commands']:
            assert set(re.findall(r'{(\w+)}', command)) <= one['columns'].keys()


def test_points_of_labels_are_at_the_place_of_their_label(data, chart):
    columns = data['records']['labels']['columns']
    series = chart('labels', 'Energy and density')['series']
    assert sum(len(one['x']) for one in series) == len(columns['pk'])
    for one in series:
        assert one['x'] == pytest.approx([columns['density_g_per_cm3'][row] for row in one['rows']], rel=1e-5)
        assert one['y'] == pytest.approx([columns['energy_per_atom_ev'][row] for row in one['rows']], rel=1e-5)


def test_predictions_belong_to_their_labels(data, chart, benchmarked):
    columns = data['records']['labels']['columns']
    for one in chart('accuracy', 'Energies of labels that a member has not seen')['series']:
        assert one['x'] == pytest.approx([columns['energy_per_atom_ev'][row] for row in one['rows']], rel=1e-5)
    parity = chart('accuracy', 'Force components of labels that a member has not seen')
    shards = {pk: orm.load_node(pk).labelled for pk in columns['shard']}
    for one in parity['series']:
        for force, row in zip(one['x'], one['rows'], strict=True):
            forces = shards[columns['shard'][row]].forces_of(columns['row'][row])
            assert np.abs(forces - force).min() < 1e-4
    rmse = benchmarked.outputs.training['test']['force_rmse_ev_per_angstrom']
    assert f'root mean square {rmse:.3f} eV/Å' in parity['note']


def test_fresh_errors_belong_to_fresh_labels(benchmarked):
    sources = PageSources(benchmarked)
    rows = sources.fresh_rows([1, 2])
    assert {sources.labels[row]['iteration'] for row in rows} == {1, 2}
    energies = np.concatenate([sources.fresh[number].label_energies for number in (1, 2)])
    assert [sources.labels[row]['energy_ev'] for row in rows] == pytest.approx(energies)


def test_configurations_are_those_of_the_labels(data):
    columns, structures = data['records']['labels']['columns'], data['structures']
    assert structures['rows'] == list(range(len(columns['pk'])))
    positions = np.frombuffer(b64decode(structures['positions']), dtype='<i2').reshape(-1, 3) / 100
    parts = np.split(positions, np.cumsum(structures['n_atoms'])[:-1])
    for row, lattice, found in zip(structures['rows'], structures['lattices'], parts, strict=True):
        stored = orm.load_node(columns['shard'][row]).labelled.cells
        expected, edges = stored.one(columns['row'][row])
        assert np.allclose(np.reshape(lattice, (3, 3)), edges, atol=1e-3)
        shifts = np.linalg.solve(edges.T, (found - expected).T)
        assert np.abs((shifts - np.round(shifts)) * np.linalg.norm(edges, axis=1)[:, None]).max() < 0.02


def test_courses_are_those_of_the_trajectories(data):
    pks = data['records']['trajectories']['columns']['pk']
    assert len(data['courses']) == len(pks)
    for row, course in data['courses'].items():
        node = orm.load_node(pks[int(row)])
        assert course['time'] == pytest.approx(node.get_array('times'), rel=1e-3)
        assert course['temperature'] == pytest.approx(node.get_array('temperatures_k'), rel=1e-3)
        frames = node.get_array('positions').reshape(len(course['time']), -1)
        assert np.abs(frames - course['frame'][1]).max(axis=1).min() < 1e-3


def test_panels_have_the_results(data, results):
    curve = data['charts']['benchmark'][0]
    assert {one['name'] for one in curve['series']} >= {'ensemble'}
    titles = [one['title'] for one in data['charts']['benchmark']]
    assert len(titles) == len(set(titles))
    phonons = next(one for one in data['charts']['benchmark'] if one['title'].startswith('Phonons'))
    frequencies = results['phonons'].curves['frequencies_thz']
    drawn = [value for value in phonons['series'][0]['y'] if value is not None]
    assert sorted(drawn) == pytest.approx(sorted(frequencies.ravel()), abs=1e-4)
    assert phonons['series'][0]['y'].count(None) == frequencies.shape[1]


def test_few_digits_and_missing_numbers():
    assert numbers([1 / 3, 2.0, None, float('nan'), np.float64(12345678)]) == [0.333333, 2, None, None, 12345700]
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(1000, 4) == [0, 250, 500, 750]


def test_points_without_a_coordinate_are_left_out_and_gaps_stay():
    drawn = Series(name='a', x=[1, 2, None], y=[3, None, None], rows=[7, 8, 9], of='labels').to_dict()
    assert drawn == {'name': 'a', 'draw': 'points', 'x': [1, None], 'y': [3, None], 'of': 'labels', 'rows': [7, 9]}
    empty = Chart(title='', x=Axis(label=''), y=Axis(label=''), series=[Series(name='b', x=[1], y=[None])])
    assert empty.to_dict()['series'] == []


def test_texts_cannot_end_their_element(copy_of_campaign, invoke, tmp_path, data_of):
    node = copy_of_campaign(ensemble=False, state='running')
    node.label = '</script><script>alert(1)</script>'
    path = tmp_path / 'page.html'
    assert invoke('report', node.pk, path).exit_code == 0
    assert 'alert(1)' not in re.sub(r'&lt;script&gt;alert\(1\)&lt;/script&gt;', '', path.read_text())
    data_of(path)


def test_libraries_are_as_they_were_published():
    folder = files('aiida_anial.report') / 'page' / 'vendor'
    listed = dict(reversed(line.split()) for line in (folder / 'SHA256SUMS').read_text().splitlines())
    scripts = {one.name: sha256(one.read_bytes()).hexdigest() for one in folder.iterdir() if one.name.endswith('.js')}
    assert listed == scripts
