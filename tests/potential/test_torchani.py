import numpy as np
import pytest
import torch
from ase.units import Hartree

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.settings import DescriptorSettings, EngineSettings, ModelSettings
from aiida_anial.potential.torchani_model import to_torchani


class _Celu(torch.nn.Module):
    """CELU with an exact derivative; that of ``torch.celu`` has an error of 7e-9 in float64."""

    def __init__(self, alpha):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        return torch.where(x > 0, x, self.alpha * torch.expm1(x.clamp(max=0) / self.alpha))


def _torchani(ensemble, positions, lattice, *, exact=True):
    """Return energy (eV) and forces (eV/A) by torchani and autograd."""
    model = to_torchani(ensemble, dtype=torch.float64)
    if exact:
        for network in model.neural_networks.members:
            network.atomics['Al'].activation = _Celu(ensemble.model.celu_alpha)
    coordinates = torch.tensor(positions[None], requires_grad=True)
    species = torch.full((1, len(positions)), 13)
    energy = model((species, coordinates), torch.tensor(lattice), torch.tensor([True] * 3)).energies * Hartree
    (gradient,) = torch.autograd.grad(energy.sum(), coordinates)
    return energy.item(), -gradient[0].numpy()


@pytest.mark.parametrize(('n_atoms', 'shear'), [(1, 0.3), (2, 0.5), (9, 0.25), (24, 0.0), (40, 0.3)])
def test_energies_and_forces_are_those_of_torchani(ensemble, engine, make_cell, n_atoms, shear):
    positions, lattice = make_cell(n_atoms, seed=11, shear=shear)
    energy, forces = _torchani(ensemble, positions, lattice)
    prediction = engine.evaluate(Cells.from_lists([positions], [lattice], species=13))
    assert prediction.energies[0] == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(prediction.forces, forces, atol=1e-9 * max(np.abs(forces).max(), 1e-3))


def test_other_architectures_are_those_of_torchani(make_ensemble, make_cell, engine_options):
    descriptor = DescriptorSettings(
        radial_cutoff_angstrom=5.2,
        angular_cutoff_angstrom=3.5,
        radial_shifts_angstrom=(0.9, 2.0, 3.7),
        angular_shifts_angstrom=(0.9, 2.2),
        angular_zeta=14.1,
        angle_shifts_rad=(0.2, 1.1, 2.5),
    )
    model = ModelSettings(descriptor=descriptor, hidden_layers=(6,), celu_alpha=0.7, n_members=2)
    ensemble = make_ensemble(model)
    positions, lattice = make_cell(13, seed=12)
    energy, forces = _torchani(ensemble, positions, lattice)
    other = make_engine(ensemble, EngineSettings(**engine_options, dtype='float64'))
    prediction = other.evaluate(Cells.from_lists([positions], [lattice], species=13))
    assert prediction.energies[0] == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(prediction.forces, forces, atol=1e-9 * np.abs(forces).max())


def test_the_exported_model_as_it_is_agrees_within_its_own_error(ensemble, engine, make_cell):
    positions, lattice = make_cell(10, seed=13)
    energy, forces = _torchani(ensemble, positions, lattice, exact=False)
    prediction = engine.evaluate(Cells.from_lists([positions], [lattice], species=13))
    assert prediction.energies[0] == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(prediction.forces, forces, atol=1e-7 * np.abs(forces).max())


def test_the_exported_model_has_the_members_and_the_unit_of_torchani(ensemble, engine, make_cell):
    positions, lattice = make_cell(8, seed=14)
    model = to_torchani(ensemble, dtype=torch.float64)
    species, coordinates = torch.full((1, 8), 13), torch.tensor(positions[None])
    values = model((species, coordinates), torch.tensor(lattice), torch.tensor([True] * 3), ensemble_values=True)
    prediction = engine.evaluate(Cells.from_lists([positions], [lattice], species=13), forces=False)
    np.testing.assert_allclose(values.energies.detach()[:, 0] * Hartree, prediction.member_energies[:, 0], rtol=1e-12)


def test_single_precision_is_the_default(ensemble):
    assert {parameter.dtype for parameter in to_torchani(ensemble).parameters()} == {torch.float32}
