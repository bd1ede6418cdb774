"""How large the errors of an ensemble are where its members disagree by a given amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.training.errors import ConfigurationErrors, summarise

__all__ = ('Calibration', 'calibrate', 'summarise_fresh')

# The estimate has no finite mean with fewer.
_LEAST_MEMBERS = 4


@dataclass(frozen=True)
class Calibration:
    """Factors between the disagreement of an ensemble and its root mean square error.

    :param energy_factor: error of the energy over sqrt(atoms), in units of the energy disagreement.
    :param force_factor: error of a force component, in units of the mean force disagreement of the configuration.
    :param energy_coverage: fraction of the configurations whose error is below the claimed one; 0.68 for Gaussian
        errors.
    :param force_coverage: the same for the forces, root mean square over the configuration; about a half.
    """

    energy_factor: float
    force_factor: float
    energy_coverage: float
    force_coverage: float

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> Self | None:
        """Return the calibration in a summary of errors, or None if there is none."""
        values = summary.get('calibration')
        return None if values is None else cls(**values)


def calibrate(errors: ConfigurationErrors) -> Calibration | None:
    """Return the calibration of an ensemble from its errors on labels that no member was trained on.

    The squared factor is (M - 3) / (M - 1) times the mean of (error / disagreement)^2 over the configurations, for M
    members. The factor in front takes out what the scatter of a disagreement of few members adds to the mean. With
    alpha of Imbalzano et al., J. Chem. Phys. 154, 074102 (2021), DOI 10.1063/5.0036522, Eq. 6, the squared factor is
    alpha^2 + 1/M: the spread of the truth, and the error of the mean of M members.

    :return: None for fewer than four members, or if members agree to the last digit on a configuration.
    """
    n_members = len(errors.member_energies)
    energies = np.abs(errors.energy_errors) / np.sqrt(errors.n_atoms)
    if n_members < _LEAST_MEMBERS or not (errors.energy_disagreement > 0).all():
        return None
    energy_factor, energy_coverage = _factor(energies, errors.energy_disagreement, n_members)
    force_factor, force_coverage = _factor(errors.force_rmse, errors.force_disagreement_mean, n_members)
    return Calibration(energy_factor, force_factor, energy_coverage, force_coverage)


def summarise_fresh(errors: ConfigurationErrors) -> dict[str, Any]:
    """Return the summary of errors on labels that no member was trained on, with the ``calibration`` or None."""
    found = calibrate(errors)
    return {**summarise(errors), 'calibration': None if found is None else asdict(found)}


def _factor(errors: NDArray[np.float64], disagreement: NDArray[np.float64], n_members: int) -> tuple[float, float]:
    """Return the factor, and the fraction of the errors below the claimed ones."""
    ratios = errors / disagreement
    factor = float(np.sqrt((n_members - 3) / (n_members - 1) * np.mean(ratios**2)))
    return factor, float(np.mean(ratios < factor))
