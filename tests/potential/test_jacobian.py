import numpy as np
import pytest
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.descriptor import descriptors, descriptors_of_vectors
from aiida_anial.potential.jacobian import descriptor_jacobian
from aiida_anial.potential.neighbours import neighbour_list
from aiida_anial.potential.networks import atomic_energies_and_gradients
from aiida_anial.potential.settings import DescriptorSettings

SETTINGS = DescriptorSettings()


def _differentiable(positions, lattice):
    """Return descriptors and the positions and strain that autograd can differentiate them by."""
    neighbours = neighbour_list(Cells.from_lists([positions], [lattice]), cutoff=7.0)
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
    assert jacobian.positions.shape == (n_atoms, 96, n_atoms, 3)
    assert jacobian.strain.shape == (n_atoms, 96, 3, 3)
    for feature in range(0, 96, 3):
        by_position, by_strain = torch.autograd.grad(g[-1, feature], (moved, strain), retain_graph=True)
        np.testing.assert_allclose(jacobian.positions[-1, feature], by_position, atol=1e-12)
        np.testing.assert_allclose(jacobian.strain[-1, feature], by_strain, atol=1e-12)


def test_derivatives_by_positions_are_finite_differences(make_cell, slope):
    positions, lattice = make_cell(5, seed=7)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    direction = np.random.default_rng(1).normal(size=positions.shape)

    def values(step):
        moved = positions + step * direction
        neighbours = neighbour_list(Cells.from_lists([moved], [lattice]), cutoff=7.0)
        return descriptors(torch.tensor(moved), neighbours, SETTINGS).numpy()

    expected = slope(values, step=2e-4)
    np.testing.assert_allclose(
        torch.einsum('ifja,ja->if', jacobian.positions, torch.tensor(direction)), expected, atol=1e-8
    )


@pytest.mark.parametrize('n_atoms', [1, 5])
def test_derivatives_by_strain_are_finite_differences(make_cell, slope, n_atoms):
    positions, lattice = make_cell(n_atoms, seed=8)
    jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    strain = np.random.default_rng(2).normal(size=(3, 3))
    strain = (strain + strain.T) / 2

    def values(step):
        deformation = np.eye(3) + step * strain
        cells = Cells.from_lists([positions @ deformation], [lattice @ deformation])
        return descriptors(torch.tensor(cells.positions), neighbour_list(cells, cutoff=7.0), SETTINGS).numpy()

    got = torch.einsum('ifab,ab->if', jacobian.strain, torch.tensor(strain))
    np.testing.assert_allclose(got, slope(values, step=5e-5), atol=2e-7)


def test_moving_all_atoms_together_changes_nothing(make_cell):
    jacobian = descriptor_jacobian(*make_cell(9, seed=9), SETTINGS, dtype=torch.float64)
    np.testing.assert_allclose(jacobian.positions.sum(2), 0, atol=1e-12)
    # Neither does turning them: what a strain does has no part that is a rotation.
    np.testing.assert_allclose(jacobian.strain, jacobian.strain.transpose(2, 3), atol=1e-12)


def test_forces_and_stress_through_the_jacobian_are_the_engines(ensemble, engine, cells):
    prediction = engine.evaluate(cells, stress=True, member_forces=True)
    weights = [torch.from_numpy(weight) for weight in ensemble.weights]
    biases = [torch.from_numpy(bias) for bias in ensemble.biases]
    for index, (positions, lattice) in enumerate(cells):
        jacobian = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
        energies, g = atomic_energies_and_gradients(weights, biases, jacobian.values, ensemble.model.celu_alpha)
        forces = -torch.einsum('mif,ifja->mja', g, jacobian.positions)
        stress = torch.einsum('if,ifab->ab', g.mean(0), jacobian.strain) / cells.volumes[index]
        total = energies.sum(1).numpy() + ensemble.self_energy * len(positions)
        np.testing.assert_allclose(prediction.member_energies[:, index], total, rtol=1e-13)
        atoms = slice(*cells.offsets[index : index + 2])
        np.testing.assert_allclose(prediction.member_forces[:, atoms], forces, atol=1e-12)
        np.testing.assert_allclose(prediction.stresses[index], stress, atol=1e-13)


def test_single_precision_is_the_default(make_cell):
    positions, lattice = make_cell(6, seed=10)
    single = descriptor_jacobian(positions, lattice, SETTINGS)
    double = descriptor_jacobian(positions, lattice, SETTINGS, dtype=torch.float64)
    assert single.positions.dtype == single.strain.dtype == single.values.dtype == torch.float32
    np.testing.assert_allclose(single.positions, double.positions, atol=2e-4)
    np.testing.assert_allclose(single.strain, double.strain, atol=1e-3)


def test_a_lonely_atom_has_no_derivatives():
    jacobian = descriptor_jacobian(np.zeros((1, 3)), np.eye(3) * 20, SETTINGS)
    for tensor in (jacobian.values, jacobian.positions, jacobian.strain):
        assert (tensor == 0).all()
