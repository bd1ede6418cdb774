"""The archive in an empty profile: all commands give the same results as in the original profile."""

from __future__ import annotations

import json

import pytest
from aiida import orm

from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import count

LOOK = """
import json, sys
from aiida import orm
labels = {}
for name in sys.argv[1:]:
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={'attributes.process_label': name}, project='uuid')
    labels[name] = query.all(flat=True)[0]
print(json.dumps(labels))
"""

# All in one process, because starting one takes seconds.
COUNT = """
import json, sys
from click.testing import CliRunner
from aiida_anial.cli.root import main
uuid, *kinds = sys.argv[1:]
command = ('--campaign', uuid, '--count')
print(json.dumps({kind: CliRunner().invoke(main, ['query', kind, *command]).output for kind in kinds}))
"""


@pytest.fixture(scope='session')
def uuid(campaigns):
    return campaigns['main'].uuid


def output(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_queries_find_as_many_records(elsewhere, campaigns, tmp_path, uuid):
    kinds = [kind for kind in KINDS if kind not in ('shards', 'calculations', 'benchmarks')]
    script = tmp_path / 'count.py'
    script.write_text(COUNT)
    found = json.loads(output(elsewhere('verdi', 'run', script, uuid, *kinds)).splitlines()[-1])
    here = {kind: count(kind, campaigns=[campaigns['main']]) for kind in kinds}
    assert {kind: int(text) for kind, text in found.items()} == here
    assert 0 not in here.values()


def test_labels_have_the_same_numbers(elsewhere, invoke, uuid):
    command = ('query', 'labels', '--campaign', uuid, '--sort', 'energy_ev', '--json')
    there, here = json.loads(output(elsewhere('aiida-anial', *command))), json.loads(invoke(*command).output)
    for row in (*there, *here):
        del row['pk'], row['shard']
    assert there == here


def test_the_status_is_the_same(elsewhere, invoke, uuid):
    there = json.loads(output(elsewhere('aiida-anial', 'status', uuid, '--json')))
    here = json.loads(invoke('status', uuid, '--json').output)
    for status in (there, here):
        del status['pk'], status['newest_ensemble']
        for row in status['iterations']:
            del row['pk']
    assert there == here


@pytest.mark.parametrize('name', ['dataset.extxyz', 'dataset.h5', 'dataset.parquet'])
def test_an_export_gives_the_same_bytes(elsewhere, release, tmp_path, uuid, name):
    output(elsewhere('aiida-anial', 'export', 'dataset', tmp_path / name, '--campaign', uuid))
    assert (tmp_path / name).read_bytes() == (release / name).read_bytes()


def test_whence_finds_the_exports_of_the_files(elsewhere, release):
    found = json.loads(output(elsewhere('aiida-anial', 'whence', release / 'dataset.extxyz', '--json')))
    uuids = {export['uuid'] for export in found['exports']}
    assert any(f'`export_dataset {uuid}`' in (release / 'README.md').read_text() for uuid in uuids)


@pytest.mark.slow
def test_steps_are_reproduced_bit_for_bit(elsewhere, campaigns, tmp_path):
    script = tmp_path / 'look.py'
    script.write_text(LOOK)
    names = ('collect_evaluated', 'generate_cells', 'EvaluateCalculation')
    found = json.loads(output(elsewhere('verdi', 'run', script, *names)).splitlines()[-1])
    for name in names:
        command = ('reproduce', found[name], '--worker-code', 'anial-worker@localhost', '--json')
        result = json.loads(output(elsewhere('aiida-anial', *command)))
        assert result['steps'][0]['verdict'] == 'identical', (name, result)


def test_extras_are_archived(elsewhere, campaigns, tmp_path):
    script = tmp_path / 'extras.py'
    script.write_text(
        'import json, sys\nfrom aiida import orm\nprint(json.dumps(orm.load_node(sys.argv[1]).base.extras.all))'
    )
    training = campaigns['main'].outputs.training
    extras = json.loads(output(elsewhere('verdi', 'run', script, training.uuid)).splitlines()[-1])
    assert extras['machine'] == training.base.extras.get('machine')


def test_nothing_but_the_campaign_and_its_exports_is_in_it(elsewhere, campaigns, tmp_path):
    script = tmp_path / 'chains.py'
    script.write_text(
        'import json\nfrom aiida import orm\n'
        "query = orm.QueryBuilder().append(orm.ProcessNode, project=['uuid', 'attributes.process_label'])\n"
        "fresh = {'extras': {'has_key': 'reproduces'}}\n"
        "again = set(orm.QueryBuilder().append(orm.ProcessNode, filters=fresh, project='uuid').all(flat=True))\n"
        'print(json.dumps([row for row in query.all() if row[0] not in again]))'
    )
    found = dict(json.loads(output(elsewhere('verdi', 'run', script)).splitlines()[-1]))
    main = campaigns['main']
    own = {main.uuid, *(node.uuid for node in main.called_descendants)}
    assert own <= set(found)
    assert {found[uuid] for uuid in set(found) - own} <= {'export_dataset', 'export_ensemble'}
    assert orm.load_node(campaigns['again'].uuid).uuid not in found
