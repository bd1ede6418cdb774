"""``anial-worker sample`` on a real engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError, SettingsError
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.sampling.trajectory import Trajectory
from aiida_anial.worker import sample
from aiida_anial.worker.job import Job, JobInterrupted

SETTINGS = {'frame_interval': 10, 'min_time_ps': 0.01, 'min_contact_angstrom': 0.2, 'max_temperature_k': 1e7}


def inputs(*lengths_ps, energy=1e3, **others):
    """Return the content of ``input.json`` for trajectories of these lengths."""
    schedule = {'t_start_k': 900, 't_end_k': 300, 't_mod_k': 500, 't_0_ps': 0.1}
    return {
        'settings': SETTINGS,
        'thresholds': {'energy_ev_per_sqrt_atom': energy, 'force_mean_ev_per_angstrom': 1e3},
        'schedules': [schedule | {'t_max_ps': length} for length in lengths_ps],
        'engine': {'dtype': 'float64'},
        'seed': 4,
    } | others


def stop_after(directory, checks: int | None) -> Job:
    """Return a job whose time is up after it has checked its clock this many times; None for never."""
    asked = iter(range(10**9))
    limit = 10**9 if checks is None else 1000
    started = 0 if checks is None else checks - 950  # because a margin of 5 % is kept
    return Job(directory, json.loads((directory / 'input.json').read_text()), limit, started, lambda: next(asked))


def files(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / 'trajectories').iterdir())}


def test_files_and_table(make_job):
    directory = make_job(**inputs(0.02, 0.035, 0.02, energy=0.7))
    summary = sample.run(Job.read(directory))
    assert list(files(directory)) == ['000.safetensors', '001.safetensors', '002.safetensors']
    assert not (directory / 'checkpoint.safetensors').exists()
    engine = make_engine(read_potential(directory / 'ensemble.safetensors'), EngineSettings(dtype='float64'))
    for index, row in enumerate(summary['trajectories']):
        trajectory = Trajectory.read(directory / 'trajectories' / f'{index:03d}.safetensors')
        assert row == json.loads(json.dumps(trajectory.row(), allow_nan=False))
        frames = Cells.from_lists(trajectory.positions, trajectory.lattices, species=13)
        prediction = engine.evaluate(frames, member_forces=True)
        np.testing.assert_allclose(trajectory.energies, prediction.energies, rtol=1e-10)
        np.testing.assert_allclose(trajectory.energy_disagreement, prediction.energy_disagreement, rtol=1e-7)
        by_atom = prediction.force_disagreement.reshape(len(trajectory.steps), -1)
        np.testing.assert_allclose(trajectory.force_disagreement_max, by_atom.max(axis=1), rtol=1e-7)
        np.testing.assert_allclose(trajectory.force_disagreement_mean, by_atom.mean(axis=1), rtol=1e-7)
        too_much = trajectory.energy_disagreement[trajectory.times_ps >= 0.01] > 0.7
        assert (row['stop_reason'] == 'energy_disagreement') == too_much.any()
        assert not too_much[:-1].any()
    assert {row['stop_reason'] for row in summary['trajectories']} == {'completed', 'energy_disagreement'}


def test_wall_clock(make_job):
    whole, pieces = make_job('whole', **inputs(0.03, 0.02, 0.03)), make_job('pieces', **inputs(0.03, 0.02, 0.03))
    expected = sample.run(stop_after(whole, None))
    with pytest.raises(
        JobInterrupted, match=r'interrupted: 0 of 3 .* ended, 3 are running, the furthest at 0\.012 ps\.'
    ):
        sample.run(stop_after(pieces, 12))
    with pytest.raises(JobInterrupted, match='1 of 3 trajectories have ended, 2 are running'):
        sample.run(stop_after(pieces, 10))
    assert not (pieces / 'trajectories').exists()
    assert sample.run(stop_after(pieces, None)) == expected
    assert files(whole) == files(pieces)


@pytest.mark.parametrize('batch', [{'batch_size': 1}, {'batch_size': 2}, {'batch_size': 2, 'refill': False}])
def test_same_files_in_any_batch(make_job, batch):
    whole, pieces = make_job('whole', **inputs(0.03, 0.017, 0.02)), make_job('pieces', **inputs(0.03, 0.017, 0.02))
    values = json.loads((pieces / 'input.json').read_text())
    (pieces / 'input.json').write_text(json.dumps(values | {'settings': SETTINGS | batch}))
    assert sample.run(Job.read(whole)) == sample.run(Job.read(pieces))
    assert files(whole) == files(pieces)


def test_novelty_is_measured_from_the_labels(make_job, make_labelled):
    values = inputs(0.03, 0.02, 0.02, thresholds={'energy_ev_per_sqrt_atom': 1e3, 'novelty': 1e-6})
    directory = make_job('one', **values)
    with pytest.raises(FileFormatError, match='there is no dataset'):
        sample.run(Job.read(directory))
    (directory / 'shards').mkdir()
    make_labelled(5).write(directory / 'shards' / 'a.safetensors')
    rows = sample.run(Job.read(directory))['trajectories']
    assert [row['stop_reason'] for row in rows] == ['novelty'] * 3
    assert all(row['candidate_novelty'] > 0 for row in rows)


def test_a_checkpoint_belongs_to_the_labels_that_novelty_is_measured_from(make_job, make_labelled):
    directory = make_job(**inputs(0.03, 0.03, 0.03, settings=SETTINGS | {'duplicate_novelty': 0.1}))
    (directory / 'shards').mkdir()
    make_labelled(5).write(directory / 'shards' / 'a.safetensors')
    with pytest.raises(JobInterrupted):
        sample.run(stop_after(directory, 10))
    make_labelled(6).write(directory / 'shards' / 'b.safetensors')
    with pytest.raises(AnialError, match='other inputs'):
        sample.run(Job.read(directory))


@contextmanager
def worker(directory) -> Iterator[subprocess.Popen]:
    """Run the command in its own process, which is killed at the end of the block if it still runs."""
    command = [sys.executable, '-m', 'aiida_anial.worker.main', 'sample', str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def status(directory) -> str:
    return json.loads((directory / 'output.json').read_text())['status']


def test_sigterm_and_continue(make_job):
    """The signal is sent when the first trajectory ends, which leaves time for the others even on the slower engine."""
    values = inputs(0.02, 0.25, 0.25, engine={'engine': 'torch', 'dtype': 'float64'})
    whole, pieces = make_job('whole', **values), make_job('pieces', **values)
    with worker(whole) as uninterrupted:
        with worker(pieces) as process:
            assert 'trajectory 0 ended at 0.020 ps' in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=100) == 0
        assert status(pieces) == 'interrupted'
        assert (pieces / 'checkpoint.safetensors').exists()
        with worker(pieces) as process:
            assert process.wait(timeout=100) == 0
        assert uninterrupted.wait(timeout=100) == 0
    assert status(whole) == status(pieces) == 'finished'
    assert files(whole) == files(pieces)


def test_checkpoint_of_other_inputs(make_job, ensemble):
    directory = make_job(**inputs(0.03, 0.03, 0.03))
    with pytest.raises(JobInterrupted):
        sample.run(stop_after(directory, 3))
    values = json.loads((directory / 'input.json').read_text())
    # The time limit and the batch size may differ from those of the checkpoint.
    batch = {'settings': SETTINGS | {'batch_size': 1, 'refill': False}}
    for changed in ({'max_wallclock_seconds': 9000}, batch):
        (directory / 'input.json').write_text(json.dumps(values | changed))
        with pytest.raises(JobInterrupted):
            sample.run(stop_after(directory, 3))
    for changed in (
        {'seed': 5},
        {'thresholds': {'energy_ev_per_sqrt_atom': 2.0}},
        {'settings': SETTINGS | {'skin_angstrom': 0.6}},
    ):
        (directory / 'input.json').write_text(json.dumps(values | changed))
        with pytest.raises(AnialError, match='other inputs'):
            sample.run(stop_after(directory, None))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'schedules': []}, 'schedules'),
        ({'seed': -1}, r'input\.json\.seed'),
        ({'thresholds': {}}, r'input\.json\.thresholds\.energy_ev_per_sqrt_atom: this key is required'),
        ({'settings': {'time_step': 1.0}}, "did you mean 'time_step_fs'"),
        ({'settings': SETTINGS | {'min_time_ps': 0.03}}, 'min_time_ps'),
    ],
)
def test_impossible_inputs_are_named(make_job, changes, message):
    directory = make_job(**(inputs(0.03, 0.03, 0.03) | changes))
    with pytest.raises(SettingsError, match=message):
        sample.run(Job.read(directory))


def test_wrong_numbers_and_files_are_named(make_job):
    directory = make_job(**inputs(0.03, 0.03))
    with pytest.raises(SettingsError, match='there are 2 for 3 cells'):
        sample.run(Job.read(directory))
    (directory / 'cells.safetensors').write_bytes((directory / 'ensemble.safetensors').read_bytes())
    with pytest.raises(FileFormatError, match=r"cells\.safetensors: holds 'ensemble' where 'cells' is needed"):
        sample.run(Job.read(directory))
