"""Frames drawn from trajectories."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy.stats import chisquare

from aiida_anial.common.errors import AnialError
from aiida_anial.sampling.frames import FrameSettings, draw

LENGTHS = {f'trajectory_{number:02d}': 5 + number for number in range(20)}


def test_no_trajectory_is_in_both_parts_and_no_frame_is_drawn_twice():
    drawn = draw(LENGTHS, FrameSettings(n_frames=50, n_test_frames=7), seed=1)
    assert (len(drawn.learn), len(set(drawn.learn)), len(set(drawn.test))) == (50, 50, 7)
    assert not {name for name, _ in drawn.learn} & {name for name, _ in drawn.test}
    assert all(0 <= index < LENGTHS[name] for name, index in [*drawn.learn, *drawn.test])


def test_all_frames_are_drawn_where_there_are_fewer():
    drawn = draw(LENGTHS, FrameSettings(), seed=2)
    assert len(drawn.learn) + len(drawn.test) == sum(LENGTHS.values())
    assert len({name for name, _ in drawn.test}) == 2


def test_frames_depend_on_the_seed_and_not_on_the_order_of_the_trajectories():
    settings = FrameSettings(n_frames=5, n_test_frames=2)
    first = draw(LENGTHS, settings, seed=3)
    assert draw(dict(reversed(LENGTHS.items())), settings, seed=3) == first
    assert draw(LENGTHS, settings, seed=4) != first
    # The same on every machine.
    assert first.test == [('trajectory_01', 2), ('trajectory_07', 5)]


def test_all_frames_to_learn_from_have_the_same_probability():
    lengths = {'a': 30, 'b': 10}
    counts: Counter[tuple[str, int]] = Counter()
    for seed in range(4000):
        counts.update(draw(lengths, FrameSettings(n_frames=3, n_test_frames=1), seed=seed).learn)
    for name, length in lengths.items():
        assert chisquare([counts[name, index] for index in range(length)]).pvalue > 1e-3


def test_one_trajectory_is_too_few():
    with pytest.raises(AnialError, match=r'trajectories: .* two of them'):
        draw({'a': 100}, FrameSettings(), seed=1)
