"""The commands ``train`` and ``validate`` in the directory of a job."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
import torch

from aiida_anial.common.errors import AnialError, FileFormatError, SettingsError
from aiida_anial.common.tensors import read_tensors
from aiida_anial.potential.potential import read_potential
from aiida_anial.training.calibration import calibrate
from aiida_anial.training.errors import ConfigurationErrors
from aiida_anial.worker import train
from aiida_anial.worker.evaluate import validate
from aiida_anial.worker.job import Job, JobInterrupted

SETTINGS = {'max_steps': 40, 'batch_size': 6, 'evaluation_interval': 10}


@pytest.fixture
def make_job(emt_data, small_model, tmp_path):
    """Return a function that makes the folder of a training job, with the data in two shards."""

    def function(name='job', *, settings=SETTINGS, **inputs):
        directory = tmp_path / name
        (directory / 'shards').mkdir(parents=True)
        for index, part in enumerate((range(25), range(25, 40))):
            shard = type(emt_data)(
                cells=emt_data.cells.select(part),
                energies=emt_data.energies[part],
                forces=np.concatenate([emt_data.forces_of(cell) for cell in part]),
                stresses=emt_data.stresses[part],
                uuids=tuple(emt_data.uuids[cell] for cell in part),
                iterations=emt_data.iterations[part],
                origins=tuple(emt_data.origins[cell] for cell in part),
            )
            shard.write(directory / 'shards' / f'{index:03}.safetensors')
        content = {'model': small_model.to_dict(), 'settings': settings, 'engine': {}, 'seed': 3, **inputs}
        (directory / 'input.json').write_text(json.dumps(content))
        return Job.read(directory)

    return function


def test_train_writes_its_files(make_job):
    job = make_job(max_wallclock_seconds=600)
    summary = train.run(job)
    files = {path.name for path in job.directory.iterdir()}
    assert files == {
        'input.json',
        'shards',
        'ensemble.safetensors',
        'learning_curves.safetensors',
        'errors.safetensors',
    }
    assert read_potential(job.path('ensemble.safetensors')).n_members == 8
    curves = read_tensors(job.path('learning_curves.safetensors'), kind='learning_curves', schema_version=1)
    assert curves.arrays['step'].tolist() == [0, 10, 20, 30, 40]
    assert curves.arrays['validation_force_rmse'].shape == (8, 5)
    errors = ConfigurationErrors.read(job.path('errors.safetensors'))
    assert len(errors) == 40
    assert summary['n_configurations'] == 40
    json.dumps(summary, allow_nan=False)


def test_validate_agrees_with_train(make_job):
    job = make_job()
    expected = train.run(job)
    job.path('input.json').write_text(json.dumps({'engine': {'threads': 1}}))
    summary = validate(Job.read(job.directory))
    errors = ConfigurationErrors.read(job.path('errors.safetensors'))
    assert len(errors) == 40
    assert summary.pop('calibration') == asdict(calibrate(errors))
    assert summary == {key: expected[key] for key in summary}


def test_interrupted_and_continued(make_job):
    whole = make_job('whole')
    train.run(whole)
    stopped = make_job('stopped')
    questions = iter(range(1000))
    stopped.interrupted = lambda: next(questions) > 40 + 17
    with pytest.raises(JobInterrupted, match='step 18 of 40'):
        train.run(stopped)
    assert not stopped.path('ensemble.safetensors').exists()
    train.run(Job.read(stopped.directory))
    assert same_results(whole, stopped)
    assert not stopped.path('checkpoint.safetensors').exists()


def same_results(first, second):
    names = ('ensemble.safetensors', 'learning_curves.safetensors', 'errors.safetensors')
    return all(first.path(name).read_bytes() == second.path(name).read_bytes() for name in names)


@pytest.fixture
def as_in_the_worker():
    """Give torch the settings of ``anial-worker``, on which the last bits of results depend."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def test_killed_and_continued(make_job, as_in_the_worker):
    settings = {'max_steps': 1000, 'batch_size': 6, 'evaluation_interval': 100, 'checkpoint_interval_s': 0.2}
    whole, killed = make_job('whole', settings=settings), make_job('killed', settings=settings)
    command = [sys.executable, '-m', 'aiida_anial.worker.main', 'train', str(killed.directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not killed.path('checkpoint.safetensors').exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not killed.path('ensemble.safetensors').exists()
    lines = []
    killed.report = lines.append
    train.run(killed)
    train.run(whole)
    assert any(line.startswith('continuing from step') for line in lines)
    assert same_results(whole, killed)


def test_a_warm_start_takes_the_initial_ensemble(make_job):
    first = make_job('first')
    train.run(first)
    second = make_job('second', settings={**SETTINGS, 'learning_rate': 1e-6, 'final_learning_rate': 1e-6})
    second.path('initial.safetensors').write_bytes(first.path('ensemble.safetensors').read_bytes())
    train.run(second)
    old, new = (read_potential(job.path('ensemble.safetensors')) for job in (first, second))
    np.testing.assert_allclose(new.weights[0], old.weights[0], atol=1e-4)


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        ({'settings': {'max_stepss': 3}}, "input.json.settings.max_stepss: unknown key 'max_stepss'; did you mean"),
        ({'seed': -1}, 'input.json.seed: -1 is not allowed'),
        ({'sede': 1}, "input.json.sede: unknown key 'sede'; did you mean 'seed'"),
    ],
)
def test_wrong_inputs_are_named(make_job, inputs, message):
    with pytest.raises(SettingsError) as caught:
        train.run(make_job(**inputs))
    assert message in str(caught.value)


def test_no_shards(make_job):
    job = make_job()
    for path in job.path('shards').iterdir():
        path.unlink()
    with pytest.raises(FileFormatError, match='there is no dataset'):
        train.run(job)


def test_diverged_training_is_one_sentence(make_job):
    job = make_job(settings={**SETTINGS, 'learning_rate': 1.0, 'force_weight': 1e300})
    with pytest.raises(AnialError, match='members diverged'):
        train.run(job)
