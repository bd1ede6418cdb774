"""A job gets the right files and inputs, and the right files are retrieved."""

from __future__ import annotations

import io

import numpy as np
import pytest
from aiida import orm

from aiida_anial.calculations.worker import WorkerCalculation
from aiida_anial.common.cells import Cells
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_cells
from aiida_anial.data.validation import validate_aluminium
from aiida_anial.worker.evaluate import EvaluateInputs, ValidateInputs
from aiida_anial.worker.job import Job
from aiida_anial.worker.sample import SampleInputs
from aiida_anial.worker.train import TrainInputs

JOBS = ('anial.train', 'anial.validate', 'anial.evaluate', 'anial.sample')
MODELS = dict(zip(JOBS, (TrainInputs, ValidateInputs, EvaluateInputs, SampleInputs), strict=True))


@pytest.mark.parametrize('name', JOBS)
def test_the_worker_understands_the_inputs_and_is_told_its_wall_clock(prepare, inputs, name):
    inputs[name]['engine'] = orm.Dict({'dtype': 'float64'})
    inputs[name]['metadata'] = {'options': {'max_wallclock_seconds': 77}}
    job = Job.read(prepare(name, inputs[name]).folder)
    parsed = job.parse(MODELS[name])
    assert job.max_wallclock_seconds == 77
    assert parsed.engine.dtype == 'float64'


@pytest.mark.parametrize('name', JOBS)
def test_without_engine_and_wall_clock_the_defaults_hold(prepare, inputs, name):
    inputs[name]['metadata'] = {'options': {}}
    job = Job.read(prepare(name, inputs[name]).folder)
    assert job.max_wallclock_seconds is None
    assert job.parse(MODELS[name]).engine.threads == 1


@pytest.mark.parametrize('name', JOBS)
def test_the_code_runs_the_command_of_the_job(prepare, inputs, worker_code, name):
    (code,) = prepare(name, inputs[name]).info.codes_info
    assert code.code_uuid == worker_code.uuid
    assert code.cmdline_params == [name.split('.')[1]]


@pytest.mark.parametrize('name', JOBS)
def test_large_files_come_back_for_parsing_only_and_the_rest_for_good(prepare, inputs, name):
    info = prepare(name, inputs[name]).info
    assert {'output.json', 'worker.out', 'worker.err'} <= set(info.retrieve_list)
    assert ('checkpoint.safetensors' in info.retrieve_list) is (name in ('anial.train', 'anial.sample'))
    large = {
        'anial.train': {'ensemble.safetensors', 'learning_curves.safetensors', 'errors.safetensors'},
        'anial.validate': {'errors.safetensors'},
        'anial.evaluate': {'labels.safetensors'},
        'anial.sample': {'trajectories'},
    }
    assert set(info.retrieve_temporary_list) == large[name]
    assert not set(info.retrieve_list) & large[name]


@pytest.mark.parametrize('name', ['anial.train', 'anial.validate'])
def test_shards_are_read_in_the_order_of_their_labels(prepare, inputs, name):
    shards = inputs[name]['shards']
    copied = prepare(name, inputs[name]).copied
    files = {there: uuid for there, (uuid, _) in copied.items() if there.startswith('shards/')}
    in_order = [files[there] for there in sorted(files)]
    assert in_order == [shards[label].uuid for label in sorted(shards)]


@pytest.mark.parametrize(('port', 'key'), [('settings', 'duplicate_novelty'), ('thresholds', 'novelty')])
def test_a_sampling_that_measures_novelty_needs_the_labels(prepare, inputs, port, key):
    given = inputs['anial.sample']
    given[port] = orm.Dict({**given[port].get_dict(), key: 1.0})
    with pytest.raises(ValueError, match='shards: the labels so far are needed'):
        prepare('anial.sample', given)
    given['shards'] = inputs['anial.train']['shards']
    copied = prepare('anial.sample', given).copied
    assert sum(there.startswith('shards/') for there in copied) == len(given['shards'])


@pytest.mark.parametrize('name', ['anial.evaluate', 'anial.sample'])
def test_cells_are_written_in_the_order_of_their_labels(prepare, inputs, name):
    inputs[name]['cells'] = dict(reversed(inputs[name]['cells'].items()))
    found = Cells.read(prepare(name, inputs[name]).folder / 'cells.safetensors')
    np.testing.assert_array_equal(found.positions, to_cells(inputs[name]['cells']).positions)


def test_every_copied_file_exists_in_its_node(prepare, inputs, make_ensemble):
    inputs['anial.train']['initial'] = EnsembleData(make_ensemble()).store()
    for name in JOBS:
        for uuid, file, _ in prepare(name, inputs[name]).info.local_copy_list:
            assert orm.load_node(uuid).base.repository.get_object_content(file, 'rb')


def test_seed_schedules_and_thresholds_arrive_as_given(prepare, inputs):
    given = inputs['anial.sample']
    written = prepare('anial.sample', given).inputs
    assert written['seed'] == 8
    assert written['schedules'] == given['schedules'].get_list()
    assert written['thresholds'] == given['thresholds'].get_dict()
    assert prepare('anial.train', inputs['anial.train']).inputs['seed'] == 7


def test_training_starts_from_the_initial_ensemble_only_if_there_is_one(prepare, inputs, make_ensemble):
    assert 'initial.safetensors' not in prepare('anial.train', inputs['anial.train']).copied


def test_training_gets_the_initial_ensemble(prepare, inputs, make_ensemble):
    initial = EnsembleData(make_ensemble()).store()
    prepared = prepare('anial.train', {**inputs['anial.train'], 'initial': initial})
    assert prepared.copied['initial.safetensors'][0] == initial.uuid


@pytest.mark.parametrize('name', ['anial.train', 'anial.sample'])
def test_a_job_continues_from_the_checkpoint_of_its_parent(prepare, inputs, name):
    parent = orm.FolderData()
    parent.base.repository.put_object_from_filelike(io.BytesIO(b'state'), WorkerCalculation.CHECKPOINT)
    parent.store()
    prepared = prepare(name, {**inputs[name], 'parent_folder': parent})
    assert prepared.copied['checkpoint.safetensors'] == (parent.uuid, 'checkpoint.safetensors')


@pytest.mark.parametrize('name', ['anial.train', 'anial.sample'])
def test_a_parent_without_a_checkpoint_is_refused_before_the_job_is_made(prepare, inputs, name):
    with pytest.raises(ValueError, match=r'parent_folder: .*no checkpoint'):
        prepare(name, {**inputs[name], 'parent_folder': orm.FolderData().store()})


@pytest.mark.parametrize(('filename', 'there'), [('Al99.eam.alloy', 'alloy'), ('Al_mm.eam.fs', 'fs')])
def test_the_style_of_an_eam_file_follows_from_its_name(prepare, inputs, filename, there):
    potential = orm.SinglefileData(io.BytesIO(b'text'), filename=filename).store()
    given = {**inputs['anial.evaluate'], 'labeller': orm.Dict({'kind': 'eam'}), 'potential': potential}
    prepared = prepare('anial.evaluate', given)
    assert prepared.copied == {f'potential.eam.{there}': (potential.uuid, filename)}


def test_the_teacher_is_copied_for_the_labeller_ensemble(prepare, inputs, make_ensemble):
    teacher = EnsembleData(make_ensemble()).store()
    given = {**inputs['anial.evaluate'], 'labeller': orm.Dict({'kind': 'ensemble'}), 'ensemble': teacher}
    assert prepare('anial.evaluate', given).copied['ensemble.safetensors'][0] == teacher.uuid


@pytest.mark.parametrize(
    ('name', 'change', 'expected'),
    [
        ('anial.train', {'settings': {'max_step': 3}}, r"training\.max_step: .*did you mean 'max_steps'"),
        ('anial.train', {'settings': {'learning_rate': '1e-3'}}, r"training\.learning_rate: '1e-3' is not allowed"),
        ('anial.train', {'model': {'n_members': 0}}, r'model\.n_members: 0 is not allowed'),
        ('anial.train', {'engine': {'device': 'gpu'}}, r"engine\.device: 'gpu' is not allowed"),
        ('anial.evaluate', {'labeller': {'kind': 'lj'}}, r"labeller\.kind: 'lj' is not allowed"),
        ('anial.evaluate', {'labeller': {}}, r'labeller\.kind: this key is required'),
        ('anial.evaluate', {'labeller': {'kind': 'eam'}}, r'potential: the labeller `eam` needs this input'),
        ('anial.evaluate', {'labeller': {'kind': 'ensemble'}}, r'ensemble: the labeller `ensemble` needs this input'),
        ('anial.sample', {'thresholds': {}}, r'thresholds\.energy_ev_per_sqrt_atom: this key is required'),
        ('anial.sample', {'settings': {'frame_interval': 15}}, r'sampling.frame_interval: 15'),
        ('anial.sample', {'schedules': [{'t_max_ps': 1.0}]}, r'schedules: there are 1 for 2 cells'),
    ],
)
def test_a_wrong_input_is_refused_in_one_sentence(prepare, inputs, name, change, expected):
    nodes = {key: orm.List(value) if isinstance(value, list) else orm.Dict(value) for key, value in change.items()}
    with pytest.raises(ValueError, match=expected):
        prepare(name, {**inputs[name], **nodes})


@pytest.mark.parametrize('name', ['anial.evaluate', 'anial.sample'])
def test_cells_that_the_networks_do_not_know_or_without_periodicity_are_refused(prepare, inputs, make_ensemble, name):
    teacher = EnsembleData(make_ensemble()).store()
    given = inputs[name] | {'ensemble': teacher}
    if name == 'anial.evaluate':
        given['labeller'] = orm.Dict({'kind': 'ensemble'})
    copper = orm.StructureData(cell=(4 * np.eye(3)).tolist())
    copper.append_atom(position=(0, 0, 0), symbols='Cu')
    slab = orm.StructureData(cell=(4 * np.eye(3)).tolist(), pbc=(True, True, False))
    slab.append_atom(position=(0, 0, 0), symbols='Al')
    for cell, expected in (
        (copper, r'only Al is supported by the model, this cell holds Cu'),
        (slab, r'periodic in three directions'),
    ):
        cells = {**given['cells'], 'cell_0001': cell}
        with pytest.raises(ValueError, match=rf'cells\.cell_0001: .*{expected}'):
            prepare(name, {**given, 'cells': cells})


@pytest.mark.parametrize(
    ('name', 'key'), [('anial.train', 'shards'), ('anial.validate', 'shards'), ('anial.evaluate', 'cells')]
)
def test_nothing_to_work_on_is_refused(prepare, inputs, name, key):
    with pytest.raises(ValueError, match=rf'{key}: '):
        prepare(name, {**inputs[name], key: {}})


def test_the_schedules_of_a_sampling_are_checked_before_the_job_is_made(prepare, inputs):
    broken = orm.List([{'t_start_k': 300.0}] * 2)
    with pytest.raises(ValueError, match=r'schedules\.0\.t_'):
        prepare('anial.sample', {**inputs['anial.sample'], 'schedules': broken})


def test_cells_of_two_elements_are_written_for_a_labeller_that_may_know_them(prepare, inputs):
    alloy = orm.StructureData(cell=(4 * np.eye(3)).tolist())
    for symbol, position in (('Cu', (0, 0, 0)), ('Al', (2, 2, 0)), ('Cu', (2, 0, 2))):
        alloy.append_atom(position=position, symbols=symbol)
    cells = {'a': alloy}
    assert to_cells(cells).species.tolist() == [29, 13, 29]
    prepare('anial.evaluate', {**inputs['anial.evaluate'], 'cells': cells})


def test_a_campaign_labels_aluminium_alone():
    copper = orm.StructureData(cell=(4 * np.eye(3)).tolist())
    copper.append_atom(position=(0, 0, 0), symbols='Cu')
    assert validate_aluminium({'a': copper}, None) == (
        'cells.a: only Al is supported by the model, this cell holds Cu.'
    )
