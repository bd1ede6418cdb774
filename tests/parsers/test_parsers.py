"""For every content of its directory, the parser of a job returns an exit code, and never raises."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_anial.common.tensors import TensorFile, read_tensors, tensor_bytes
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import potential_bytes, read_potential
from aiida_anial.sampling.trajectory import Trajectory

JOBS = ('anial.train', 'anial.validate', 'anial.evaluate', 'anial.sample')

LARGE = {
    'anial.train': ('ensemble.safetensors', 'learning_curves.safetensors', 'errors.safetensors'),
    'anial.validate': ('errors.safetensors',),
    'anial.evaluate': ('labels.safetensors',),
    'anial.sample': ('trajectories/000.safetensors', 'trajectories/001.safetensors'),
}


def output(status: str = 'finished', message: str = 'All is well.', **summary: object) -> str:
    return json.dumps({'status': status, 'message': message, 'summary': summary})


def test_a_finished_training_gives_its_ensemble_curves_errors_and_summary(parse, finished_jobs):
    parsed = parse('anial.train')
    assert parsed.exit_status == 0
    assert parsed.outputs.keys() == {'ensemble', 'learning_curves', 'errors', 'summary'}
    expected = read_potential(finished_jobs['anial.train'] / 'ensemble.safetensors')
    assert isinstance(parsed.outputs['ensemble'], EnsembleData)
    assert potential_bytes(parsed.outputs['ensemble'].ensemble) == potential_bytes(expected)
    written = json.loads((finished_jobs['anial.train'] / 'output.json').read_text())
    assert parsed.outputs['summary'].get_dict() == written['summary']
    assert {'train', 'validation', 'test', 'median_heldout_error_ev_per_sqrt_atom'} <= written['summary'].keys()
    errors = read_tensors(finished_jobs['anial.train'] / 'errors.safetensors', kind='errors', schema_version=1)
    assert set(parsed.outputs['errors'].get_arraynames()) == set(errors.arrays)
    assert parsed.outputs['learning_curves'].get_array('step').tolist() == [0, 2, 4]


def test_a_finished_validation_gives_errors_and_summary(parse):
    parsed = parse('anial.validate')
    assert parsed.exit_status == 0
    assert parsed.outputs.keys() == {'errors', 'summary'}
    assert {'energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom'} <= parsed.outputs['summary'].get_dict().keys()


def test_a_finished_evaluation_gives_labels_and_names_the_rejected_cells(parse):
    parsed = parse('anial.evaluate', {'output.json': output(rejected={'1': 'too hot'})})
    assert parsed.exit_status == 0
    assert parsed.outputs['rejected'].get_dict() == {'cell_0001': 'too hot'}
    assert parsed.outputs['labels'].get_array('energies').shape == (2,)
    assert parsed.outputs['labels'].get_array('forces').shape == (8, 3)


def test_a_finished_sampling_gives_a_trajectory_a_cell_and_the_table(parse, finished_jobs):
    parsed = parse('anial.sample')
    assert parsed.exit_status == 0
    rows = parsed.outputs['table']['trajectories']
    assert [row['cell'] for row in rows] == ['cell_0000', 'cell_0001']
    for index, name in enumerate(('cell_0000', 'cell_0001')):
        node = parsed.outputs['trajectories'][name]
        expected = Trajectory.read(finished_jobs['anial.sample'] / 'trajectories' / f'{index:03d}.safetensors')
        np.testing.assert_array_equal(node.get_array('positions'), expected.positions)
        np.testing.assert_array_equal(node.get_array('temperatures_k'), expected.temperatures_k)
        np.testing.assert_array_equal(node.get_array('cells')[-1], expected.lattices[-1])
        assert node.base.attributes.get('stop_reason') == 'completed'
        assert node.base.attributes.get('candidate_frame') == expected.candidate_frame
        assert node.get_stepids()[-1] == 20
        node.store()


@pytest.mark.parametrize('name', JOBS)
def test_without_output_and_checkpoint_the_output_is_missing(parse, name):
    assert parse(name, {'output.json': None}).exit_status == 310


@pytest.mark.parametrize('name', ['anial.train', 'anial.sample'])
def test_a_job_that_was_killed_and_left_a_checkpoint_was_interrupted(parse, name):
    parsed = parse(name, {'output.json': None, 'checkpoint.safetensors': b'state'})
    assert (parsed.exit_status, parsed.outputs) == (400, {})


@pytest.mark.parametrize('name', ['anial.train', 'anial.sample'])
def test_a_job_that_stopped_in_time_was_interrupted(parse, name):
    changes = {'output.json': output('interrupted', 'Stopped at step 3.'), 'checkpoint.safetensors': b'state'}
    assert parse(name, changes).exit_status == 400


@pytest.mark.parametrize('name', JOBS)
def test_an_interrupted_job_without_a_checkpoint_is_told_apart_and_says_how_far_it_came(parse, name):
    parsed = parse(name, {'output.json': output('interrupted', 'interrupted before the first step.')})
    assert parsed.exit_status == 401
    assert 'interrupted before the first step' in str(parsed.exit_message)


@pytest.mark.parametrize('name', JOBS)
def test_a_failed_job_gives_the_reason_of_the_worker(parse, name):
    parsed = parse(name, {'output.json': output('failed', 'shards: a number is not finite.', error='AnialError')})
    assert parsed.exit_status == 410
    assert parsed.exit_message == 'The worker stopped: shards: a number is not finite.'


def test_an_ensemble_that_did_not_train_is_told_apart(parse):
    parsed = parse('anial.train', {'output.json': output('failed', '5 of 8 members diverged.', error='TrainingFailed')})
    assert parsed.exit_status == 510
    assert '5 of 8 members diverged' in str(parsed.exit_message)


@pytest.mark.parametrize('name', JOBS)
@pytest.mark.parametrize(
    'content',
    [
        '',
        '{"status": "finished", "summ',
        b'\xff\xfe\x00garbage',
        '[]',
        '3',
        'null',
        '{}',
        '{"status": "finished"}',
        '{"status": "finished", "summary": null}',
        '{"status": "finished", "summary": [1]}',
        '{"status": "failed", "summary": "text", "message": 3}',
        '{"status": "failed", "summary": {}}',
        '{"status": "odd", "summary": {}}',
    ],
)
def test_an_output_that_makes_no_sense_is_an_exit_code(parse, name, content):
    parsed = parse(name, {'output.json': content})
    assert parsed.exit_status in (311, 410)
    assert parsed.exit_message


@pytest.mark.parametrize(('name', 'file'), [(name, file) for name in JOBS for file in LARGE[name]])
@pytest.mark.parametrize('content', [None, b'', b'garbage', 'truncated', 'another kind'])
def test_a_large_file_that_is_missing_or_damaged_is_an_exit_code_that_names_it(
    parse, finished_jobs, name, file, content
):
    if content == 'truncated':
        content = (finished_jobs[name] / file).read_bytes()[:-5]
    elif content == 'another kind':
        content = tensor_bytes(TensorFile('something', 1, {}, {'a': np.zeros(2)}))
    parsed = parse(name, {file: content})
    assert parsed.exit_status == 311
    assert file in str(parsed.exit_message)
    assert parsed.outputs == {}


@pytest.mark.parametrize(('name', 'file'), [(name, file) for name in JOBS for file in LARGE[name]])
def test_a_file_of_the_right_kind_without_arrays_gives_no_broken_output(parse, finished_jobs, name, file):
    kind = {'ensemble': 'ensemble', 'learning_curves': 'learning_curves', 'labels': 'labels', 'errors': 'errors'}
    stem = file.removesuffix('.safetensors')
    bare = tensor_bytes(TensorFile(kind.get(stem, 'trajectory'), 1, {}, {}))
    assert parse(name, {file: bare}).exit_status == 311


@pytest.mark.parametrize('name', JOBS)
def test_without_the_temporary_folder_the_outputs_are_unreadable(parse, name):
    assert parse(name, temporary=False).exit_status == 311


@pytest.mark.parametrize(
    'summary',
    [
        {'trajectories': []},
        {'trajectories': [{}, {}, {}]},
        {'trajectories': None},
        {'trajectories': [3, 4]},
        {},
    ],
)
def test_a_table_that_does_not_fit_the_cells_is_an_exit_code(parse, summary):
    assert parse('anial.sample', {'output.json': output(**summary)}).exit_status == 311


@pytest.mark.parametrize('rejected', [{'7': 'no such cell'}, {'one': 'no number'}, {'-1': 'no number'}, None, [1]])
def test_rejected_cells_that_do_not_exist_are_an_exit_code(parse, rejected):
    assert parse('anial.evaluate', {'output.json': output(rejected=rejected)}).exit_status == 311


@pytest.mark.parametrize('name', JOBS)
def test_exit_codes_of_broken_outputs_spoil_the_cache(name):
    from aiida.plugins import CalculationFactory

    codes = CalculationFactory(name).spec().exit_codes.values()
    spoiling = {code.status for code in codes if code.invalidates_cache}
    assert {310, 311, 400, 401} <= spoiling
