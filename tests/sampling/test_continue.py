"""Interrupted and continued sampling gives bitwise the same trajectories."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import tensor_bytes
from aiida_anial.sampling import sampler as sampler_module
from aiida_anial.sampling.sampler import SamplingInterrupted, sample
from aiida_anial.sampling.schedules import SamplingTask
from aiida_anial.sampling.settings import SamplingSettings, Thresholds


@pytest.fixture
def task(small_cells, crystals) -> SamplingTask:
    """Hot trajectories, one of them short; the others need several neighbour lists."""
    schedules = tuple(crystals.constant(1500.0, t_max_ps=t) for t in (0.1, 0.02, 0.1))
    return SamplingTask(
        small_cells,
        schedules,
        SamplingSettings(min_time_ps=0.0, frame_interval=20),
        Thresholds(energy_ev_per_sqrt_atom=1e9, force_max_ev_per_angstrom=1e9),
        seed=7,
    )


def go(task, engine, checkpoint, *, stop_after=10**9, lines=None, fingerprint='a'):
    """Sample until ``interrupted`` has been called ``stop_after`` times."""
    asked = itertools.count()
    return sample(
        task,
        engine=engine,
        checkpoint=checkpoint,
        fingerprint=fingerprint,
        interrupted=lambda: next(asked) >= stop_after,
        report=[].append if lines is None else lines.append,
    )


@pytest.mark.parametrize(
    ('candidate', 'changes'),
    [
        ('last', {}),
        ('highest', {}),
        ('last', {'strain_end': (0.05,) * 6}),
        ('last', {'pressure_gpa': 5.0}),
    ],
)
@pytest.mark.parametrize('interruptions', [[0], [13], [40], [19, 1, 30], [99]])
def test_same_bytes_as_without_interruption(task, engines, tmp_path, interruptions, candidate, changes):
    *others, fixed = task.schedules
    changed = [one.model_copy(update=changes) for one in others]
    settings = task.settings.model_copy(update={'candidate_at_t_max': candidate})
    task = replace(task, settings=settings, schedules=(*changed, fixed))
    scales = (0.98, 1.0, 1.03)
    whole_engine = engines.PairEngine(scales=scales)
    whole = go(task, whole_engine, tmp_path / 'unused')
    assert whole_engine.n_lists > 5
    checkpoint = tmp_path / 'checkpoint.safetensors'
    for steps in interruptions:
        with pytest.raises(SamplingInterrupted, match='trajectories have ended'):
            go(task, engines.PairEngine(scales=scales), checkpoint, stop_after=steps)
    continued = go(task, engines.PairEngine(scales=scales), checkpoint)
    assert len(whole) == len(continued) == 3
    for first, second in zip(whole, continued, strict=True):
        assert tensor_bytes(first.content()) == tensor_bytes(second.content())


def test_checkpoints_on_the_way_change_nothing(task, engines, tmp_path, monkeypatch):
    whole = go(task, engines.PairEngine(), tmp_path / 'unused')
    monkeypatch.setattr(sampler_module, '_CHECKPOINT_EVERY_S', 0.0)
    monkeypatch.setattr(sampler_module, '_CHECKPOINT_SHARE', 1e9)
    monkeypatch.setattr(sampler_module, '_REPORT_EVERY_S', 0.0)
    checkpoint, lines = tmp_path / 'checkpoint.safetensors', []
    saved = go(task, engines.PairEngine(), checkpoint, lines=lines)
    assert checkpoint.exists()
    # The last checkpoint was written when all had ended, so continuing from it only reads it.
    read = go(task, engines.PairEngine(), checkpoint)
    for first, *others in zip(whole, saved, read, strict=True):
        assert {tensor_bytes(first.content())} == {tensor_bytes(other.content()) for other in others}
    assert '1 of 3 trajectories have ended, 2 are running, the furthest at 0.050 ps' in lines


def test_continued_with_another_batch(task, engines, tmp_path):
    def with_settings(**settings) -> SamplingTask:
        return replace(task, settings=task.settings.model_copy(update=settings))

    whole = go(task, engines.PairEngine(), tmp_path / 'unused')
    checkpoint = tmp_path / 'checkpoint.safetensors'
    for settings, steps in (({'batch_size': 2}, 0), ({'batch_size': 2}, 35), ({'batch_size': 3, 'refill': False}, 50)):
        with pytest.raises(SamplingInterrupted):
            go(with_settings(**settings), engines.PairEngine(), checkpoint, stop_after=steps)
    continued = go(with_settings(batch_size=1), engines.PairEngine(), checkpoint)
    for first, second in zip(whole, continued, strict=True):
        assert tensor_bytes(first.content()) == tensor_bytes(second.content())


def test_other_seeds_give_other_trajectories(task, engines, tmp_path):
    first = go(task, engines.PairEngine(), tmp_path / 'a')
    other_task = SamplingTask(task.cells, task.schedules, task.settings, task.thresholds, seed=8)
    second = go(other_task, engines.PairEngine(), tmp_path / 'b')
    assert not np.any(first[0].positions[1:] == second[0].positions[1:])


def test_checkpoint_of_other_inputs_is_refused(task, engines, tmp_path):
    checkpoint = tmp_path / 'checkpoint.safetensors'
    with pytest.raises(SamplingInterrupted):
        go(task, engines.PairEngine(), checkpoint, stop_after=5)
    with pytest.raises(AnialError, match='other inputs'):
        go(task, engines.PairEngine(), checkpoint, fingerprint='b')


def test_damaged_checkpoint_is_named(task, engines, tmp_path):
    checkpoint = tmp_path / 'checkpoint.safetensors'
    with pytest.raises(SamplingInterrupted):
        go(task, engines.PairEngine(), checkpoint, stop_after=5)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r'checkpoint\.safetensors'):
        go(task, engines.PairEngine(), checkpoint)
