"""Errors that the calibrated disagreement claims, beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.training.calibration import Calibration, calibrate
from aiida_anial.training.errors import ConfigurationErrors

__all__ = ('Claims',)


@dataclass(frozen=True, eq=False)
class Claims:
    """Claimed and true errors on K fresh labels, each ``[K]``.

    :param iterations: iteration that sampled the label.
    :param claimed_energies: energy, meV/atom.
    :param energies: the same by the label, absolute.
    :param claimed_forces: force components, root mean square over the cell, eV/angstrom.
    :param forces: the same by the label.
    """

    iterations: NDArray[np.int64]
    claimed_energies: NDArray[np.float64]
    energies: NDArray[np.float64]
    claimed_forces: NDArray[np.float64]
    forces: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.iterations)

    @classmethod
    def of(cls, fresh: Mapping[int, ConfigurationErrors]) -> Self | None:
        """Return the claims of all iterations that follow a calibrated one, or None if there is none.

        The disagreement in an iteration is multiplied by the factors that the fresh labels of the one before it gave:
        no claim has seen the label that it is compared with.

        :param fresh: errors on the fresh labels, by iteration, of the ensemble that sampled them.
        """
        parts, known = [], None
        for iteration in sorted(fresh):
            if known is not None:
                parts.append(_claims(iteration, fresh[iteration], known))
            known = calibrate(fresh[iteration]) or known
        return cls(*map(np.concatenate, zip(*parts, strict=True))) if parts else None


def _claims(iteration: int, errors: ConfigurationErrors, known: Calibration) -> tuple[NDArray[np.float64], ...]:
    """Return the arrays of ``Claims`` for one iteration."""
    return (
        np.full(len(errors), iteration),
        1e3 * known.energy_factor * errors.energy_disagreement / np.sqrt(errors.n_atoms),
        1e3 * np.abs(errors.energy_errors) / errors.n_atoms,
        known.force_factor * errors.force_disagreement_mean,
        errors.force_rmse,
    )
