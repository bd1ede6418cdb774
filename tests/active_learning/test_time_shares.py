"""Where the time of a campaign went."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.active_learning.time_shares import Calculation, time_shares


def test_programs_share_their_time_and_what_is_around_them_is_the_engines():
    shares = time_shares(
        [
            Calculation('labels', 0, 1, 5, 6),
            Calculation('labels', 1, 2, 6, 7),
            Calculation('training', 5, 5, 6, 8),
        ],
        0,
        10,
    )
    # One label, two, then one with a training beside it; before and after them what AiiDA does, and then nothing.
    assert shares.by_kind == pytest.approx({'engine': 0.3, 'labels': 0.45, 'training': 0.05, 'idle': 0.2})
    assert (shares.two_or_more, shares.one, shares.none) == pytest.approx((0.4, 0.1, 0.5))


def test_a_program_of_two_threads_keeps_two_cores_busy():
    shares = time_shares([Calculation('training', 0, 0, 4, 4, n_cores=2), Calculation('labels', 0, 2, 8, 8)], 0, 10)
    assert (shares.two_or_more, shares.one, shares.none) == pytest.approx((0.4, 0.4, 0.2))
    # Alone for two seconds, then with two of three cores.
    assert shares.by_kind['training'] == pytest.approx((2 + 2 * 2 / 3) / 10)


def test_only_the_time_in_question_counts():
    shares = time_shares([Calculation('labels', -5, -4, 2, 30), Calculation('dynamics', 20, 20, 30, 30)], 0, 10)
    assert shares.by_kind == pytest.approx({'labels': 0.2, 'engine': 0.8})


@pytest.mark.parametrize('seed', range(5))
def test_shares_add_up_whatever_overlaps(seed):
    draws = np.sort(np.random.default_rng(seed).uniform(0, 100, (40, 4)), axis=1).tolist()
    shares = time_shares([Calculation('ab'[index % 2], *moments) for index, moments in enumerate(draws)], 10, 80)
    assert sum(shares.by_kind.values()) == pytest.approx(1)
    assert shares.two_or_more + shares.one + shares.none == pytest.approx(1)
    assert shares.by_kind.get('engine', 0) + shares.by_kind.get('idle', 0) == pytest.approx(shares.none)


def test_no_time_is_refused():
    with pytest.raises(ValueError, match='no time'):
        time_shares([], 5, 5)
