"""A campaign of an earlier version: its archive imports, and the commands work on it.

``campaign-v0.aiida`` is a released campaign of ten labels by pw.x. The version that ran it knew neither schema 2 of
cells nor the node of settings. Paths in it were replaced.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiida import orm
from aiida.tools.archive import import_archive
from click.testing import CliRunner

from aiida_anial.cli.root import main
from aiida_anial.continuation.plan import inputs_of, nodes_of
from aiida_anial.continuation.progress import progress

ARCHIVE = Path(__file__).parents[1] / 'data' / 'files' / 'campaign-v0.aiida'
LABEL = 'old'


@pytest.fixture(scope='module')
def campaign(installed) -> Any:
    import_archive(ARCHIVE)
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'label': LABEL})
    return query.first(flat=True)


@pytest.fixture
def invoke(campaign) -> Any:
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def output(result: Any) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_its_status_counts_its_labels(invoke, campaign):
    status = json.loads(output(invoke('status', campaign.uuid, '--json')))
    assert (status['verdict'], status['n_labels'], status['n_rejected']) == ('iterations used up', 10, 0)
    assert [row['n_labels'] for row in status['iterations']] == [6, 4]


def test_its_labels_are_found_and_exported(invoke, campaign, tmp_path):
    labels = json.loads(output(invoke('query', 'labels', '--campaign', campaign.uuid, '--json')))
    assert len(labels) == 10
    assert {label['code'] for label in labels} == {'pw.x'}
    path = tmp_path / 'labels.extxyz'
    output(invoke('export', 'dataset', path, '--campaign', campaign.uuid))
    energies = sorted(
        float(line.split('energy=')[1].split()[0]) for line in path.read_text().splitlines() if '=' in line
    )
    assert energies == pytest.approx(sorted(label['energy_ev'] for label in labels), abs=1e-9)


def test_its_settings_are_inferred(campaign):
    settings = inputs_of(campaign)
    assert 'settings' not in campaign.inputs
    assert (settings.label.labeller, settings.campaign.n_initial_cells, settings.model.n_members) == ('qe', 6, 2)
    assert settings.label.qe.kpoints_distance_per_angstrom == 0.7
    assert settings.cells.element == 'Al'
    assert set(nodes_of(campaign).labeller) == {'pw_code', 'pseudo'}


def test_what_it_has_done_is_read(campaign):
    done = progress(campaign)
    assert done['iteration'].value == 1
    assert sum(shard.n_configurations for shard in done['shards'].values()) == 10
    assert {'ensemble', 'summary'} <= set(done['final'])


def test_it_can_be_continued(invoke, campaign, tmp_path):
    overrides = tmp_path / 'more.yaml'
    overrides.write_text(yaml.safe_dump({'campaign': {'max_iterations': 2}}))
    # Its own codes are on another machine.
    codes = ('--worker-code', 'anial-worker@localhost', '--pw-code', 'pw@localhost')
    printed = output(invoke('submit', overrides, '--continue-from', campaign.uuid, *codes, '--dry-run'))
    assert '10 labels in' in printed
    assert yaml.safe_load(printed)['campaign']['max_iterations'] == 2


def step(campaign: Any, process: str) -> str:
    """Return the UUID of the first step of this name that ended well."""
    found = [node for node in campaign.called_descendants if node.process_label == process and node.is_finished_ok]
    return str(min(found, key=lambda node: node.ctime).uuid)


@pytest.mark.parametrize('process', ['generate_cells', 'draw_schedules', 'initial_thresholds', 'collect_labels'])
def test_its_functions_are_reproduced_bit_for_bit(invoke, campaign, process):
    result = json.loads(output(invoke('reproduce', step(campaign, process), '--json')))
    allowed = {'identical', 'other version'}
    assert result['is_fine']
    assert {record['verdict'] for record in result['steps'][0]['records']} <= allowed


def test_a_job_is_reproduced_bit_for_bit(invoke, campaign):
    command = ('reproduce', step(campaign, 'ValidateCalculation'), '--worker-code', 'anial-worker@localhost', '--json')
    # Another kind of machine may give other bits, and the verdict then says so.
    assert json.loads(output(invoke(*command)))['is_fine']


@pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')
def test_a_calculation_by_pw_is_reproduced_within_its_tolerance(invoke, campaign):
    command = ('reproduce', step(campaign, 'PwCalculation'), '--pw-code', 'pw@localhost', '--json')
    assert json.loads(output(invoke(*command)))['is_fine']
