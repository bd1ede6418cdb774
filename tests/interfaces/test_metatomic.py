"""A model of metatomic, read by its calculator for ASE."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from metatensor.torch import Labels
from metatomic.torch import ModelEvaluationOptions, ModelOutput, load_atomistic_model, systems_to_torch
from metatomic_ase import MetatomicCalculator
from vesin.metatomic import compute_requested_neighbors

from aiida_anial.formats.ensembles import write_ensemble
from aiida_anial.potential.calculator import AnialCalculator


@pytest.fixture(scope='module')
def model(ensemble, tmp_path_factory):
    path = tmp_path_factory.mktemp('metatomic') / 'model.pt'
    write_ensemble(path, ensemble, file_format='metatomic')
    return path


@pytest.fixture
def expected(ensemble, crystal):
    atoms = crystal.copy()
    atoms.calc = AnialCalculator(ensemble)
    atoms.get_stress()
    return atoms.calc.results


def test_energy_forces_and_stress_are_as_in_the_engine(model, crystal, expected):
    atoms = crystal.copy()
    atoms.calc = MetatomicCalculator(str(model))
    assert atoms.get_potential_energy() == pytest.approx(expected['energy'], abs=1e-9)
    # torch's derivative of CELU has errors of 1e-8.
    np.testing.assert_allclose(atoms.get_forces(), expected['forces'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(atoms.get_stress(), expected['stress'], rtol=0, atol=1e-8)


def test_the_outputs_of_the_members_are_theirs(model, crystal, ensemble, expected):
    calculator = MetatomicCalculator(str(model))
    names = ('energy_ensemble', 'energy_uncertainty')
    found = calculator.run_model(crystal, {name: ModelOutput(sample_kind='system') for name in names})
    members = found['energy_ensemble'].block().values.numpy()
    np.testing.assert_allclose(members[0], expected['member_energies'], rtol=1e-12)
    disagreement = found['energy_uncertainty'].block().values.item() / np.sqrt(len(crystal))
    assert disagreement == pytest.approx(expected['energy_disagreement'], rel=1e-9)


def test_atoms_that_are_not_selected_are_neighbours_only(model, crystal):
    """As in LAMMPS on several ranks, each of which selects its own atoms."""
    loaded = load_atomistic_model(model)
    system = systems_to_torch(crystal, dtype=torch.float64)
    compute_requested_neighbors(system, 'angstrom', loaded)

    def energies(kind: str, selected: list[int] | None) -> np.ndarray:
        outputs = {'energy': ModelOutput(sample_kind=kind)}
        atoms = None if selected is None else Labels(['system', 'atom'], torch.tensor([[0, i] for i in selected]))
        options = ModelEvaluationOptions(length_unit='angstrom', outputs=outputs, selected_atoms=atoms)
        return loaded([system], options, check_consistency=True)['energy'].block().values.detach().numpy()

    whole, by_atom = energies('system', None), energies('atom', None)
    chosen = [0, 7, 60]
    assert by_atom.sum() == pytest.approx(whole.item(), rel=1e-12)
    np.testing.assert_allclose(energies('atom', chosen), by_atom[chosen], rtol=1e-12)
    assert energies('system', chosen).item() == pytest.approx(by_atom[chosen].sum(), rel=1e-12)


def test_the_same_ensemble_gives_the_same_bytes(model, ensemble, tmp_path):
    write_ensemble(tmp_path / 'again.pt', ensemble, file_format='metatomic')
    assert (tmp_path / 'again.pt').read_bytes() == model.read_bytes()


def test_one_member_has_no_uncertainty(ensemble, crystal, tmp_path):
    write_ensemble(tmp_path / 'one.pt', ensemble.member(0), file_format='metatomic')
    calculator = MetatomicCalculator(str(tmp_path / 'one.pt'))
    found = calculator.run_model(crystal, {'energy_uncertainty': ModelOutput(sample_kind='system')})
    assert found['energy_uncertainty'].block().values.item() == 0
