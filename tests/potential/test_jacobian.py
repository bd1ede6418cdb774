import numpy as np
import pytest
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.descriptor import descriptors, descriptors_of_vectors
from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.potential.neighbours import joined, neighbour_lists
from aiida_anial.potential.networks import atomic_energies_and_gradients
from aiida_anial.potential.settings import DescriptorSettings

SETTINGS = DescriptorSettings()


def by_vector(pairs):
    """Return the derivatives [B, K, 3, F] by the vectors of the pairs."""
    radial = pairs.vectors[..., None] * pairs.radial[:, :, None]
    missing = radial.shape[1] - pairs.angular.shape[1]
    return torch.cat([radial, torch.nn.functional.pad(pairs.angular, (0, 0, 0, 0, 0, missing))], dim=-1)


def by_position_of(jacobian):
    """Return the derivatives [n, F, n, 3] by the positions."""
    n_atoms, n_features = jacobian.values.shape
    by_atom = jacobian.values.new_zeros(n_atoms * n_atoms, 3, n_features)
    for pairs in jacobian.pairs:
        gradients = by_vector(pairs)
        of_centre = pairs.centres[:, None] * n_atoms
        by_atom.index_add_(0, (of_centre + pairs.neighbours).flatten(), gradients.flatten(0, 1))
        by_atom.index_add_(0, pairs.centres * (n_atoms + 1), gradients.sum(1), alpha=-1)
    return by_atom.view(n_atoms, n_atoms, 3, n_features).permute(0, 3, 1, 2)


def by_strain_of(jacobian):
    """Return the derivatives [n, F, 3, 3] by a homogeneous strain."""
    by_strain = jacobian.values.new_zeros(len(jacobian.values), 3, 3, jacobian.values.shape[1])
    for pairs in jacobian.pairs:
        by_strain[pairs.centres] = torch.einsum('bka,bkcf->bacf', pairs.vectors, by_vector(pairs))
    return by_strain.permute(0, 3, 1, 2)


def _differentiable(positions, lattice):
    """Return descriptors, with the positions and the strain by which autograd can differentiate them."""
    neighbours = joined(neighbour_lists(Cells.from_lists([positions], [lattice], species=13), cutoff=7.0))
    centre, neighbour = torch.from_numpy(neighbours.centre), torch.from_numpy(neighbours.neighbour)
    moved = torch.tensor(positions, requires_grad=True)
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    vectors = moved[neighbour] - moved[centre] + torch.from_numpy(neighbours.shift_vectors)
    vectors = vectors @ (torch.eye(3) + (strain + strain.T) / 2)
    return descriptors_of_vectors(vectors, centre, len(positions), SETTINGS), moved, strain


@pytest.mark.parametrize('n_atoms', [1, 2, 7])
def test_every_derivative_is_that_of_autograd(make_cell, n_atoms):
    positions, lattice = make_cell(n_atoms, seed=6)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    g, moved, strain = _differentiable(positions, lattice)
    np.testing.assert_allclose(jacobian.values, g.detach(), atol=1e-13)
    by_positions, by_strains = by_position_of(jacobian), by_strain_of(jacobian)
    assert by_positions.shape == (n_atoms, 96, n_atoms, 3)
    assert by_strains.shape == (n_atoms, 96, 3, 3)
    for feature in range(0, 96, 3):
        by_position, by_strain = torch.autograd.grad(g[-1, feature], (moved, strain), retain_graph=True)
        np.testing.assert_allclose(by_positions[-1, feature], by_position, atol=1e-12)
        np.testing.assert_allclose(by_strains[-1, feature], by_strain, atol=1e-12)


def test_derivatives_by_positions_are_finite_differences(make_cell, slope):
    positions, lattice = make_cell(5, seed=7)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    direction = np.random.default_rng(1).normal(size=positions.shape)

    def values(step):
        moved = positions + step * direction
        neighbours = joined(neighbour_lists(Cells.from_lists([moved], [lattice], species=13), cutoff=7.0))
        return descriptors(torch.tensor(moved), neighbours, SETTINGS).numpy()

    expected = slope(values, step=2e-4)
    got = torch.einsum('ifja,ja->if', by_position_of(jacobian), torch.tensor(direction))
    np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize('n_atoms', [1, 5])
def test_derivatives_by_strain_are_finite_differences(make_cell, slope, n_atoms):
    positions, lattice = make_cell(n_atoms, seed=8)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    strain = np.random.default_rng(2).normal(size=(3, 3))
    strain = (strain + strain.T) / 2

    def values(step):
        deformation = np.eye(3) + step * strain
        cells = Cells.from_lists([positions @ deformation], [lattice @ deformation], species=13)
        return descriptors(torch.tensor(cells.positions), joined(neighbour_lists(cells, cutoff=7.0)), SETTINGS).numpy()

    got = torch.einsum('ifab,ab->if', by_strain_of(jacobian), torch.tensor(strain))
    np.testing.assert_allclose(got, slope(values, step=5e-5), atol=2e-7)


def test_moving_all_atoms_together_changes_nothing(make_cell):
    jacobian = descriptor_jacobian(*make_cell(9, seed=9), SETTINGS, dtype=torch.float64)
    np.testing.assert_allclose(by_position_of(jacobian).sum(2), 0, atol=1e-12)
    # Neither does rotating them: the derivatives by strain are symmetric.
    np.testing.assert_allclose(by_strain_of(jacobian), by_strain_of(jacobian).transpose(2, 3), atol=1e-12)


def test_forces_and_stress_through_the_jacobian_are_the_engines(ensemble, engine, cells):
    prediction = engine.evaluate(cells, stress=True, member_forces=True)
    weights = [torch.from_numpy(weight) for weight in ensemble.weights]
    biases = [torch.from_numpy(bias) for bias in ensemble.biases]
    for index, (positions, lattice) in enumerate(cells):
        jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
        energies, g = atomic_energies_and_gradients(weights, biases, jacobian.values, ensemble.model.celu_alpha)
        forces = -torch.einsum('mif,ifja->mja', g, by_position_of(jacobian))
        stress = torch.einsum('if,ifab->ab', g.mean(0), by_strain_of(jacobian)) / cells.volumes[index]
        total = energies.sum(1).numpy() + ensemble.self_energy * len(positions)
        np.testing.assert_allclose(prediction.member_energies[:, index], total, rtol=1e-13)
        atoms = slice(*cells.offsets[index : index + 2])
        np.testing.assert_allclose(prediction.member_forces[:, atoms], forces, atol=1e-12)
        np.testing.assert_allclose(prediction.stresses[index], stress, atol=1e-13)


def test_single_precision_is_the_default(make_cell):
    positions, lattice = make_cell(6, seed=10)
    single = descriptor_jacobian(positions, lattice, SETTINGS)
    double = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    assert by_position_of(single).dtype == by_strain_of(single).dtype == single.values.dtype == torch.float32
    np.testing.assert_allclose(by_position_of(single), by_position_of(double), atol=2e-4)
    np.testing.assert_allclose(by_strain_of(single), by_strain_of(double), atol=1e-3)


def test_a_lonely_atom_has_no_derivatives():
    jacobian = descriptor_jacobian(np.zeros((1, 3)), np.eye(3) * 20, SETTINGS)
    for tensor in (jacobian.values, by_position_of(jacobian), by_strain_of(jacobian)):
        assert (tensor == 0).all()


def test_neighbours_within_the_angular_cutoff_come_first(make_cell):
    positions, lattice = make_cell(12, seed=11)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    assert sorted(torch.cat([pairs.centres for pairs in jacobian.pairs]).tolist()) == list(range(12))
    for pairs in jacobian.pairs:
        r = pairs.vectors.norm(dim=2)
        near = (r > 0) & (r < 5.0)
        assert (near.int().diff(dim=1) <= 0).all()
        assert near.sum(dim=1).max() == pairs.angular.shape[1]
        assert (r < 7.0).all()
        # Dummies have no gradients, nor have neighbours beyond the angular cutoff angular ones.
        assert (pairs.radial[r == 0] == 0).all()
        assert (pairs.angular[~near[:, : pairs.angular.shape[1]]] == 0).all()
        assert (pairs.angular[near[:, : pairs.angular.shape[1]]] != 0).any(dim=(1, 2)).all()
