import itertools

import pytest
import torch

from aiida_anial.potential.environments import EachTripleOnce


@pytest.mark.parametrize('width', [3, 5, 9])
def test_each_triple_is_there_once(width):
    columns = torch.arange(width)[None]
    first, second = torch.broadcast_tensors(EachTripleOnce.first(columns), EachTripleOnce.second(columns))
    pairs = {frozenset(pair) for pair in zip(first.flatten().tolist(), second.flatten().tolist(), strict=True)}
    assert first.numel() == width * (width - 1) // 2
    assert pairs == {frozenset(pair) for pair in itertools.combinations(range(width), 2)}


@pytest.mark.parametrize('width', [3, 7])
def test_gathering_is_the_transpose_of_spreading(width):
    values = torch.rand(2, width, dtype=torch.float64, requires_grad=True)
    of_first = torch.rand(2, (width - 1) // 2, width, dtype=torch.float64)
    of_second = torch.rand(2, (width - 1) // 2, width, dtype=torch.float64)
    total = (of_first * EachTripleOnce.first(values) + of_second * EachTripleOnce.second(values)).sum()
    (expected,) = torch.autograd.grad(total, values)
    torch.testing.assert_close(EachTripleOnce.gather(of_first, of_second), expected)
