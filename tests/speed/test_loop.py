"""The loop with a teacher in place of PBE."""

from __future__ import annotations

import math

import numpy as np
import pytest
from loop import Loop

from aiida_anial.protocols.protocol import campaign_inputs


@pytest.fixture
def make_loop(make_ensemble, make_cells, campaign_overrides):
    """Return a function that makes a loop of tiny cells and networks, taught by other networks."""

    def make(selection):
        sampling = {'dynamics': {'selection': selection}}
        inputs = campaign_inputs('demo', campaign_overrides(thresholds={'mode': 'fixed'}, sampling=sampling))
        return Loop(inputs, make_ensemble(), make_cells(2), noise=(0.0, 0.0))

    return make


@pytest.mark.parametrize('selection', ['active', 'thermal', 'random'])
def test_each_rule_labels_as_many(make_loop, selection):
    loop = make_loop(selection)
    loop.run(14)
    assert [row['n_labels'] for row in loop.rows] == [16]
    (row,) = loop.rows
    assert math.isfinite(row['heldout_force_ev_per_angstrom'])
    # Only disagreement stops a trajectory, and only where it is asked.
    assert (row['counts']['n_stopped'] == 0) is (selection != 'active')


def test_labels_are_those_of_the_teacher_with_the_noise_that_was_asked_for(make_loop, make_cells):
    cells = make_cells(200)
    exact = make_loop('random')._label(cells, 1, (0.0, 0.0))
    noisy = make_loop('random')._label(cells, 1, (2.0, 0.05))
    per_atom = (noisy.energies - exact.energies) / cells.n_atoms
    assert 1000 * per_atom.std() == pytest.approx(2.0, rel=0.2)
    assert np.std(noisy.forces - exact.forces) == pytest.approx(0.05, rel=0.05)
