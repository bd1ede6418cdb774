import numpy as np
import pytest
import torch

from aiida_anial.potential.networks import atomic_energies, atomic_energies_and_gradients
from aiida_anial.potential.settings import ModelSettings

ALPHA = 0.1


def _tensors(make_ensemble, hidden):
    ensemble = make_ensemble(ModelSettings(hidden_layers=hidden, n_members=2))
    weights = [torch.tensor(weight, requires_grad=True) for weight in ensemble.weights]
    biases = [torch.tensor(bias, requires_grad=True) for bias in ensemble.biases]
    generator = torch.Generator().manual_seed(1)
    g = torch.rand(5, ensemble.model.descriptor.n_features, dtype=torch.float64, generator=generator) * 3
    return weights, biases, g.requires_grad_()


@pytest.mark.parametrize('hidden', [(7,), (7, 6), (9, 8, 7, 5)])
def test_energies_are_those_of_plain_layers(make_ensemble, hidden):
    weights, biases, g = _tensors(make_ensemble, hidden)
    energies = atomic_energies(weights, biases, g, ALPHA)
    for member in range(2):
        x = g
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            x = x @ weight[member].T + bias[member]
            if layer < len(hidden):
                x = torch.nn.functional.celu(x, ALPHA)
        np.testing.assert_allclose(energies[member].detach(), x[:, 0].detach(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize('hidden', [(7,), (9, 8, 7)])
def test_gradients_in_closed_form_are_those_of_autograd(make_ensemble, hidden):
    weights, biases, g = _tensors(make_ensemble, hidden)
    energies, gradients = atomic_energies_and_gradients(weights, biases, g, ALPHA)
    for member in range(2):
        (expected,) = torch.autograd.grad(energies[member].sum(), g, retain_graph=True)
        np.testing.assert_allclose(gradients[member].detach(), expected, rtol=1e-12, atol=1e-14)


def test_a_loss_on_gradients_reaches_the_weights_as_the_double_backward_does(make_ensemble):
    weights, biases, g = _tensors(make_ensemble, (9, 8, 7))
    parameters = [*weights, *biases[:-1]]
    energies, gradients = atomic_energies_and_gradients(weights, biases, g, ALPHA)
    single = torch.autograd.grad(gradients.pow(2).sum(), parameters)
    energies = atomic_energies(weights, biases, g, ALPHA)
    by_autograd = [torch.autograd.grad(member.sum(), g, create_graph=True)[0] for member in energies]
    double = torch.autograd.grad(torch.stack(by_autograd).pow(2).sum(), parameters)
    for got, expected in zip(single, double, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


def test_an_activation_of_exactly_zero_has_slope_one():
    # The two branches of the activation meet at zero, as for an atom without neighbours and biases of zero.
    weights = [torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, 1, dtype=torch.float64)]
    biases = [torch.zeros(1, 1, dtype=torch.float64, requires_grad=True), torch.zeros(1, 1, dtype=torch.float64)]
    energies, gradients = atomic_energies_and_gradients(weights, biases, torch.zeros(1, 1, dtype=torch.float64), ALPHA)
    assert energies.item() == 0.0
    assert gradients.item() == 1.0
    (by_bias,) = torch.autograd.grad(energies.sum(), biases[0])
    assert by_bias.item() == 1.0
