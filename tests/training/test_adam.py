"""The stacked optimiser."""

from __future__ import annotations

import pytest
import torch

from aiida_anial.training.optimiser import Adam


@pytest.fixture
def target():
    return torch.tensor([[1.0, -2.0, 3.0], [0.1, 0.2, -0.3]], dtype=torch.float64)


def gradient(parameters, target):
    return 4 * (parameters - target) ** 3 + 0.3


def test_each_member_moves_as_with_torch(target):
    rates = (0.1, 0.02)
    stacked = torch.zeros_like(target)
    adam = Adam.zeros_like(stacked)
    for _ in range(30):
        adam.step(stacked, gradient(stacked, target), torch.tensor(rates, dtype=torch.float64))
    for member, rate in enumerate(rates):
        single = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        reference = torch.optim.Adam([single], lr=rate)
        for _ in range(30):
            single.grad = gradient(single.detach(), target[member])
            reference.step()
        torch.testing.assert_close(stacked[member], single.detach(), rtol=1e-12, atol=1e-13)


def test_a_member_without_rate_stands_still(target):
    parameters = torch.ones_like(target)
    adam = Adam.zeros_like(parameters)
    rates = torch.tensor([0.0, 0.1], dtype=torch.float64)
    gradients = torch.tensor([[5.0] * 3, [1.0] * 3], dtype=torch.float64)
    adam.step(parameters, gradients, rates)
    assert (parameters[0] == 1).all()
    assert (adam.first[0] == 0).all()
    assert adam.counts.tolist() == [0, 1]
    # The first step of Adam has the length of the learning rate, whatever the gradient.
    torch.testing.assert_close(parameters[1], torch.full((3,), 0.9, dtype=torch.float64))


def test_forgetting_a_member(target):
    parameters = torch.zeros_like(target)
    adam = Adam.zeros_like(parameters)
    adam.step(parameters, gradient(parameters, target), torch.ones(2, dtype=torch.float64))
    kept = adam.second[0].clone()
    adam.forget(torch.tensor([1]))
    assert (adam.first[1] == 0).all()
    assert adam.counts.tolist() == [1, 0]
    assert (adam.second[0] == kept).all()
