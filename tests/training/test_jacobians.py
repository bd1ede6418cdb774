"""The three forms of the Jacobian are the same linear map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.training.jacobians import (
    VOIGT,
    DenseJacobian,
    SparseJacobian,
    SparseTensorJacobian,
    smaller_jacobian,
)

# More members than a kernel processes at a time.
MEMBERS = 11
FORMS = {
    'dense': lambda jacobian, device: DenseJacobian.of(SparseJacobian.of(jacobian), device),
    'sparse': lambda jacobian, device: SparseJacobian.of(jacobian),
    'tensors': SparseTensorJacobian.of,
}


@pytest.fixture(params=['smaller than the cutoff', 'with an atom alone', 'several blocks'])
def jacobian(request, emt_data, small_model):
    """The Jacobian of a cell."""
    positions, lattice = emt_data.cells.one(5)
    if request.param != 'smaller than the cutoff':
        # Two copies of a cell with a gap between them, and an atom without neighbours.
        n_repeats = 7 if request.param == 'several blocks' else 1
        positions = np.concatenate([positions + k * lattice[0] for k in range(n_repeats)])
        lattice = np.diag([n_repeats * lattice[0, 0] + 12.0, *np.diag(lattice)[1:]])
        if request.param == 'with an atom alone':
            lattice = lattice + np.diag([0.0, 12.0, 12.0])
            positions = np.concatenate([positions, [np.diag(lattice) - 6.0]])
    return descriptor_jacobian(positions, lattice, small_model.descriptor, dtype=torch.float64)


@pytest.fixture(params=FORMS)
def form(request, jacobian):
    """One of the three forms of the Jacobian."""
    return FORMS[request.param](jacobian, 'cpu')


@pytest.fixture
def matrix(jacobian):
    """The Jacobian as a matrix [n F, 3 n + 6]."""
    (n_atoms, n_features), n_radial = jacobian.values.shape, jacobian.pairs[0].radial.shape[2]
    by_position, by_strain = torch.zeros(2, n_atoms, n_features, max(n_atoms, 3), 3, dtype=torch.float64)
    for pairs in jacobian.pairs:
        for row, centre in enumerate(pairs.centres):
            for k, (neighbour, vector) in enumerate(zip(pairs.neighbours[row], pairs.vectors[row], strict=True)):
                gradients = torch.zeros(n_features, 3, dtype=torch.float64)
                gradients[:n_radial] = pairs.radial[row, k][:, None] * vector
                if k < pairs.angular.shape[1]:
                    gradients[n_radial:] = pairs.angular[row, k].T
                by_position[centre, :, neighbour] += gradients
                by_position[centre, :, centre] -= gradients
                by_strain[centre, :, :3] += vector[:, None] * gradients[:, None]
    rows, columns = np.transpose(VOIGT)
    parts = [by_position[:, :, :n_atoms].flatten(2), by_strain[:, :, rows, columns]]
    return torch.cat(parts, dim=2).flatten(0, 1)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


def test_the_map_is_the_product_with_the_matrix(jacobian, form, matrix):
    n_atoms, n_features = jacobian.values.shape
    # Part of a batch, so not contiguous.
    g = random(MEMBERS, n_atoms + 5, n_features)[:, 2 : 2 + n_atoms]
    expected = g.flatten(1) @ matrix
    by_position, by_strain = form.apply(g)
    np.testing.assert_allclose(by_position.flatten(1), expected[:, :-6], rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_strain, expected[:, -6:], rtol=0, atol=1e-11)


def test_the_adjoint_is_the_product_with_its_transpose(jacobian, form, matrix):
    n_atoms = len(jacobian.values)
    by_position, by_strain = random(MEMBERS, n_atoms + 2, 3)[:, 1 : 1 + n_atoms], random(MEMBERS, 6)
    expected = torch.cat([by_position.flatten(1), by_strain], dim=1) @ matrix.T
    np.testing.assert_allclose(form.adjoint(by_position, by_strain).flatten(1), expected, rtol=0, atol=1e-12)


def test_the_smaller_form_is_taken(emt_data, small_model):
    positions, lattice = emt_data.cells.one(0)
    few = descriptor_jacobian(positions, lattice, small_model.descriptor)
    n_repeats = 12
    rows = np.concatenate([positions + k * lattice[0] for k in range(n_repeats)])
    many = descriptor_jacobian(rows, lattice * np.array([[n_repeats], [1], [1]]), small_model.descriptor)
    for jacobian, form in ((few, DenseJacobian), (many, SparseJacobian)):
        chosen = smaller_jacobian(jacobian, 'cpu')
        assert type(chosen) is form
        sparse = SparseJacobian.of(jacobian)
        assert chosen.n_bytes == min(sparse.n_bytes, sparse.n_bytes_dense)
