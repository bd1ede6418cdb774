"""The calibration of the disagreement, on Gaussian members and truths whose widths are known."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.training.calibration import Calibration, calibrate
from aiida_anial.training.errors import ConfigurationErrors

N_CONFIGURATIONS = 20000


def gaussian_errors(n_members: int, *, energy_width: float, force_width: float) -> ConfigurationErrors:
    """Return errors of members that scatter with a width of their own around a value on each configuration.

    :param energy_width: width of the truth around that value, in units of the members' width; so for the forces.
    """
    generator = np.random.default_rng(5)
    n_atoms = generator.integers(2, 30, N_CONFIGURATIONS)
    own = generator.uniform(0.01, 1.0, N_CONFIGURATIONS) * np.sqrt(n_atoms)
    members = own * generator.standard_normal((n_members, N_CONFIGURATIONS))
    # One force component each, so that the force disagreement is that of the component.
    forces = generator.standard_normal((n_members, N_CONFIGURATIONS))
    force_error = np.abs(forces.mean(axis=0) - force_width * generator.standard_normal(N_CONFIGURATIONS))
    unused = np.zeros(N_CONFIGURATIONS)
    return ConfigurationErrors(
        n_atoms=n_atoms,
        label_energies=energy_width * own * generator.standard_normal(N_CONFIGURATIONS),
        member_energies=members,
        energy_disagreement=members.std(axis=0, ddof=1) / np.sqrt(n_atoms),
        force_rmse=force_error,
        force_max_error=unused,
        force_mae=unused,
        force_disagreement_mean=forces.std(axis=0, ddof=1),
        force_disagreement_max=unused,
        stress_rmse=unused,
        member_force_rmse=np.abs(forces),
        member_force_mae=np.abs(forces),
        roles=np.zeros((n_members, N_CONFIGURATIONS), dtype=np.int8),
    )


@pytest.mark.parametrize('n_members', [5, 8, 16])
def test_the_factor_is_the_width_of_the_truth_and_that_of_the_mean(n_members):
    found = calibrate(gaussian_errors(n_members, energy_width=1.5, force_width=0.4))
    assert found.energy_factor == pytest.approx(np.sqrt(1.5**2 + 1 / n_members), rel=0.05)
    assert found.force_factor == pytest.approx(np.sqrt(0.4**2 + 1 / n_members), rel=0.05)


def test_coverage_of_gaussian_errors():
    """The claimed error is one standard deviation; the scatter of the disagreement takes a little from 0.683."""
    found = calibrate(gaussian_errors(16, energy_width=3.0, force_width=3.0))
    assert found.energy_coverage == pytest.approx(0.67, abs=0.02)
    assert found.force_coverage == pytest.approx(0.67, abs=0.02)


def test_too_few_members_have_no_calibration():
    assert calibrate(gaussian_errors(3, energy_width=1.0, force_width=1.0)) is None


def test_a_summary_without_calibration():
    assert Calibration.from_summary({'energy_rmse_mev_per_atom': 1.0}) is None
    assert Calibration.from_summary({'calibration': None}) is None
