"""The loss and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aiida_anial.potential.descriptor import descriptors_of_vectors
from aiida_anial.potential.neighbours import joined, neighbour_lists
from aiida_anial.potential.networks import atomic_energies
from aiida_anial.potential.settings import DescriptorSettings, ModelSettings
from aiida_anial.training import targets as store
from aiida_anial.training.jacobians import VOIGT, DenseJacobian, SparseJacobian, SparseTensorJacobian
from aiida_anial.training.loss import add_loss_gradients, squared_errors
from aiida_anial.training.parameters import draw_parameters, split
from aiida_anial.training.targets import Batch, JacobianStore, Targets, least_squares_self_energy

FORCE_WEIGHT, STRESS_WEIGHT = 0.7, 0.3
FORMS = [
    lambda jacobian, device: DenseJacobian.of(SparseJacobian.of(jacobian), device),
    lambda jacobian, device: SparseJacobian.of(jacobian),
    SparseTensorJacobian.of,
]


def make_targets(data, model, dtype=torch.float64):
    kept = JacobianStore(
        data.cells, model.descriptor, dtype=dtype, device='cpu', memory_gib=1.0, check=lambda index: None
    )
    return Targets(data, kept, self_energy=least_squares_self_energy(data))


def make_parameters(model, feature_norm):
    drawn = [draw_parameters(model, seed=5, member=m, attempt=0, feature_norm=feature_norm) for m in range(8)]
    return torch.as_tensor(np.stack(drawn))


def symmetric(voigt):
    tensor = np.zeros((3, 3))
    for value, (a, b) in zip(voigt, VOIGT, strict=True):
        tensor[a, b] = tensor[b, a] = value
    return tensor


class TestClosedForm:
    """One hidden neuron in its linear regime: E = sum over atoms of (v (w . G + 9) + c), dE/dG = v w.

    The cell has two atoms with two features, dE/dr = sum over i and f of v w_f dG_if/dr.
    """

    v, w, c = 0.5, np.array([2.0, -1.0]), 0.25
    features = np.array([[0.1, 0.2], [0.3, -0.4]])
    matrix = np.random.default_rng(0).normal(size=(12, 4))
    label_energy, label_forces = 9.0, np.arange(6.0).reshape(2, 3)
    label_virial = np.array([0.3, -0.2, 0.1, 0.05, -0.04, 0.02])

    def errors(self):
        model = ModelSettings(
            descriptor=DescriptorSettings(
                radial_shifts_angstrom=(2.0,), angular_shifts_angstrom=(2.0,), angle_shifts_rad=(1.0,)
            ),
            hidden_layers=(1,),
            n_members=1,
        )
        parameters = torch.tensor([[*self.w, 9.0, self.v, self.c]], dtype=torch.float64)
        batch = Batch(
            features=torch.tensor(self.features),
            jacobians=(DenseJacobian(torch.tensor(self.matrix)),),
            n_atoms=(2,),
            energies=torch.tensor([self.label_energy], dtype=torch.float64),
            by_position=torch.tensor(-self.label_forces),
            by_strain=torch.tensor(self.label_virial[None]),
        )
        return squared_errors(parameters, batch, model)

    def expected(self):
        energy = sum(self.v * (self.w @ g + 9.0) + self.c for g in self.features)
        derivatives = self.matrix @ np.tile(self.v * self.w, 2)
        forces, virial = -derivatives[:6].reshape(2, 3), symmetric(derivatives[6:])
        return (
            (energy - self.label_energy) ** 2,
            ((forces - self.label_forces) ** 2).sum(),
            ((virial - symmetric(self.label_virial)) ** 2).sum(),
        )

    def test_terms(self):
        errors = self.errors()
        for computed, expected in zip((errors.energies, errors.forces, errors.virials), self.expected(), strict=True):
            assert computed.item() == pytest.approx(expected, rel=1e-12)

    def test_weights(self):
        energy, forces, virial = self.expected()
        loss = self.errors().loss(force_weight=FORCE_WEIGHT, stress_weight=STRESS_WEIGHT).item()
        assert loss == pytest.approx(energy + FORCE_WEIGHT * forces + STRESS_WEIGHT * virial, rel=1e-12)


def double_backward_loss(parameters, data, index, model, self_energy):
    """Return Eq. 1 of every member on one configuration, with forces and virial by automatic differentiation."""
    cells = data.cells.select([index])
    neighbours = joined(neighbour_lists(cells, cutoff=model.descriptor.radial_cutoff_angstrom))
    positions = torch.as_tensor(cells.positions).requires_grad_()
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    centre, neighbour = torch.as_tensor(neighbours.centre), torch.as_tensor(neighbours.neighbour)
    vectors = positions[neighbour] - positions[centre] + torch.as_tensor(neighbours.shift_vectors)
    vectors = vectors + vectors @ (strain + strain.T) / 2
    g = descriptors_of_vectors(vectors, centre, len(positions), model.descriptor)
    weights, biases = split(parameters, model)
    losses = []
    for energy in atomic_energies(weights, biases, g, model.celu_alpha).sum(dim=1):
        by_position, by_strain = torch.autograd.grad(energy, (positions, strain), create_graph=True)
        forces = (by_position + torch.as_tensor(data.forces_of(index))).square().sum()
        virial = (by_strain - torch.as_tensor(data.stresses[index] * cells.volumes[0])).square().sum()
        label_energy = data.energies[index] - self_energy * len(positions)
        losses.append((energy - label_energy) ** 2 + FORCE_WEIGHT * forces + STRESS_WEIGHT * virial)
    return torch.stack(losses)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('small', [True, False])
def test_weight_gradients_equal_those_through_the_descriptor(emt_data, small_model, small, form, monkeypatch):
    monkeypatch.setattr(store, 'smaller_jacobian', form)
    model = small_model if small else ModelSettings(hidden_layers=(24, 16))
    indices = [4, 0, 7] if small else [2]
    data = emt_data
    targets = make_targets(data, model)
    parameters = make_parameters(model, targets.feature_norm)
    shares = torch.rand(8, len(indices), dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    batch = targets.batch(indices)
    loss = squared_errors(parameters, batch, model).loss(force_weight=FORCE_WEIGHT, stress_weight=STRESS_WEIGHT)
    gradients = torch.zeros_like(parameters)
    weights = {'force_weight': FORCE_WEIGHT, 'stress_weight': STRESS_WEIGHT}
    add_loss_gradients(parameters, batch, model, shares=shares, **weights, out=gradients)

    parameters.requires_grad_()
    self_energy = least_squares_self_energy(data)
    reference = torch.stack([double_backward_loss(parameters, data, i, model, self_energy) for i in indices], dim=1)
    (expected,) = torch.autograd.grad((reference * shares).sum(), parameters)
    torch.testing.assert_close(loss, reference.detach(), rtol=1e-12, atol=0)
    assert (gradients - expected).abs().max() < 1e-12 * expected.abs().max()


def test_self_energy_is_that_of_least_squares(emt_data):
    n_atoms = emt_data.cells.n_atoms
    expected = np.linalg.lstsq(n_atoms[:, None].astype(float), emt_data.energies, rcond=None)[0][0]
    assert least_squares_self_energy(emt_data) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('form', FORMS)
def test_jacobians_beyond_the_memory_are_computed_anew(emt_data, small_model, form, monkeypatch):
    monkeypatch.setattr(store, 'smaller_jacobian', form)
    data = emt_data

    def keep(memory_gib):
        return JacobianStore(
            data.cells,
            small_model.descriptor,
            dtype=torch.float32,
            device='cpu',
            memory_gib=memory_gib,
            check=lambda index: None,
        )

    large, none, some = keep(1.0), keep(0.0), keep(1e-4)
    assert large.n_kept == len(data)
    assert none.n_kept == 0
    assert 0 < some.n_kept < len(data)
    for index, n_atoms in enumerate(data.cells.n_atoms.tolist()):
        g = torch.rand(2, n_atoms, small_model.descriptor.n_features)
        for kept, computed in zip(
            large.jacobians([index])[0].apply(g), none.jacobians([index])[0].apply(g), strict=True
        ):
            assert torch.equal(kept, computed)
