"""Parameters of all members in one matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.descriptor import descriptors
from aiida_anial.potential.neighbours import joined, neighbour_lists
from aiida_anial.potential.networks import atomic_energies
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.parameters import draw_parameters, n_parameters, pack, split, to_ensemble


def draw(model, members, *, seed=1, attempt=0, feature_norm=2.0):
    drawn = [draw_parameters(model, seed=seed, member=m, attempt=attempt, feature_norm=feature_norm) for m in members]
    return torch.as_tensor(np.stack(drawn))


def test_split_gives_every_parameter_once(small_model):
    numbers = torch.arange(2.0 * n_parameters(small_model)).view(2, -1)
    weights, biases = split(numbers, small_model)
    assert [tuple(weight.shape) for weight in weights] == [(2, 16, 20), (2, 12, 16), (2, 1, 12)]
    assert [tuple(bias.shape) for bias in biases] == [(2, 16), (2, 12), (2, 1)]
    joined = torch.cat([part.reshape(2, -1) for part in (*weights, *biases)], dim=1)
    torch.testing.assert_close(joined.sort().values, numbers)


def test_pack_is_the_inverse(small_model):
    parameters = draw(small_model, range(8))
    ensemble = to_ensemble(parameters, small_model, self_energy=-1.0)
    np.testing.assert_array_equal(pack(ensemble), parameters.numpy())
    assert ensemble.self_energy == -1.0


def test_parameters_follow_from_seed_member_and_attempt(small_model):
    reference = draw(small_model, [3])
    assert (draw(small_model, [3]) == reference).all()
    for other in (draw(small_model, [4]), draw(small_model, [3], seed=2), draw(small_model, [3], attempt=1)):
        assert not torch.isclose(other, reference).all()


def test_untrained_members_differ_by_a_tenth_of_an_ev(emt_data):
    model = ModelSettings(n_members=40)
    cells = emt_data.cells.select(range(6))
    neighbours = joined(neighbour_lists(cells, cutoff=model.descriptor.radial_cutoff_angstrom))
    g = descriptors(torch.as_tensor(cells.positions), neighbours, model.descriptor)
    norm = float(g.square().sum(1).mean().sqrt())
    weights, biases = split(draw(model, range(40), feature_norm=norm), model)
    spread = atomic_energies(weights, biases, g, model.celu_alpha).std(dim=0)
    assert 0.03 < spread.mean() < 0.3


def test_atoms_without_neighbours_are_refused(small_model):
    with pytest.raises(AnialError, match='no atom of the dataset has a neighbour'):
        draw(small_model, [0], feature_norm=0.0)
