import dataclasses

import numpy as np
import pytest

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.engine import Prediction, make_engine
from aiida_anial.potential.settings import EngineSettings


def test_a_member_alone_predicts_what_it_predicts_in_the_ensemble(ensemble, engine, cells):
    together = engine.evaluate(cells, member_forces=True)
    alone = make_engine(ensemble.member(1), EngineSettings(dtype='float64')).evaluate(cells)
    np.testing.assert_allclose(alone.energies, together.member_energies[1], rtol=1e-13)
    np.testing.assert_allclose(alone.forces, together.member_forces[1], atol=1e-12)


def test_there_is_no_member_beyond_the_last(ensemble):
    with pytest.raises(AnialError, match='no member 3 among 3'):
        ensemble.member(3)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'self_energy': float('nan')}, 'self energy'),
        ({'weights': ()}, '0 layers of weights'),
        ({'biases': 'one short'}, 'biases of layer 1'),
        ({'weights': 'not finite'}, 'weights of layer 0 is not finite'),
        ({'weights': 'integers'}, 'weights of layer 0 are int64'),
    ],
)
def test_numbers_that_make_no_ensemble_are_refused(ensemble, change, message):
    weights, biases = list(ensemble.weights), list(ensemble.biases)
    if change.get('weights') == 'not finite':
        weights[0] = weights[0].copy()
        weights[0][2, 3, 4] = np.inf
        change = {'weights': tuple(weights)}
    elif change.get('weights') == 'integers':
        change = {'weights': (weights[0].astype(np.int64), *weights[1:])}
    elif 'biases' in change:
        biases[1] = biases[1][:, :-1]
        change = {'biases': tuple(biases)}
    with pytest.raises(AnialError, match=message):
        dataclasses.replace(ensemble, **change)


def test_disagreement_is_the_deviation_of_a_sample():
    member_energies = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    member_forces = np.zeros((3, 5, 3))
    member_forces[:, 0, 0] = [0.0, 3.0, 6.0]
    prediction = Prediction(np.array([4, 1]), member_energies.mean(0), member_energies, member_forces=member_forces)
    # Standard deviations: 2 eV for 4 atoms and 0 for 1; 3 eV/A in one force component, 0 in the others.
    np.testing.assert_allclose(prediction.energy_disagreement, [1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(prediction.force_disagreement, [np.sqrt(3), 0, 0, 0, 0], atol=1e-15)


def test_one_member_does_not_disagree():
    prediction = Prediction(np.array([2]), np.ones(1), np.ones((1, 1)), member_forces=np.ones((1, 2, 3)))
    assert prediction.energy_disagreement == [0.0]
    assert prediction.force_disagreement.tolist() == [0.0, 0.0]


def test_force_disagreement_needs_the_forces_of_the_members():
    with pytest.raises(AnialError, match='not requested'):
        _ = Prediction(np.array([2]), np.ones(1), np.ones((1, 1))).force_disagreement
