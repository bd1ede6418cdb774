"""What an ensemble says about a batch of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError

__all__ = ('Prediction', 'mean_over_members')


@dataclass(frozen=True, eq=False)
class Prediction:
    """Energies, forces and stresses of C cells with N atoms in all by M members.

    :param n_atoms: ``[C]`` atoms in each cell.
    :param energies: ``[C]`` mean over the members of the total energy, eV.
    :param member_energies: ``[M, C]`` total energies by each member, eV.
    :param forces: ``[N, 3]`` minus the gradient of the mean energy, eV/angstrom, if asked for.
    :param stresses: ``[C, 3, 3]`` dE/dstrain / volume of the mean energy, eV/angstrom^3, positive in tension, if asked
        for.
    :param member_forces: ``[M, N, 3]`` forces by each member, eV/angstrom, if asked for.
    """

    n_atoms: NDArray[np.int64]
    energies: NDArray[np.float64]
    member_energies: NDArray[np.float64]
    forces: NDArray[np.float64] | None = None
    stresses: NDArray[np.float64] | None = None
    member_forces: NDArray[np.float64] | None = None

    @property
    def energy_disagreement(self) -> NDArray[np.float64]:
        """``[C]`` standard deviation of the members' energies over the square root of the atoms, eV.

        ANI's measure (Smith et al., J. Chem. Phys. 148, 241733 (2018)); the deviation of a sample (M - 1), and 0 for
        one member.
        """
        deviation: NDArray[np.float64] = _deviation(self.member_energies) / np.sqrt(self.n_atoms)
        return deviation

    @property
    def force_disagreement(self) -> NDArray[np.float64]:
        """``[N]`` root mean square over x, y, z of the standard deviation of the members' forces, eV/angstrom.

        :raises AnialError: if the members' forces were not asked for.
        """
        if self.member_forces is None:
            raise AnialError('the force disagreement needs the forces of the members, which were not asked for.')
        disagreement: NDArray[np.float64] = np.sqrt(np.mean(_deviation(self.member_forces) ** 2, axis=-1))
        return disagreement


def mean_over_members(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis; see ``_members_last``."""
    mean: NDArray[np.float64] = _members_last(values).mean(axis=-1)
    return mean


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of a sample over the first axis, 0 for a sample of one."""
    if len(values) < 2:
        return np.zeros(values.shape[1:])
    deviation: NDArray[np.float64] = _members_last(values).std(axis=-1, ddof=1)
    return deviation


def _members_last(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with the members along the last axis.

    NumPy adds up a column that stands alone in another order than columns side by side, but rows always alike: the
    value of a cell or an atom shall not depend on what else is in the batch.
    """
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))
