"""Descriptors of a cell together with all their derivatives, for training on forces and stresses.

With G and J = dG/dr at hand, forces are -(dE/dG) J, a product that is linear in the derivatives of the networks: a
loss on forces then costs one backward pass through small matrices. Formulas and symbols as in `descriptor`; here the
derivatives by the vector to neighbour j, for every feature, need of the sum over k only

- sum_k E_r A_z and sum_k x_k E_r A_z for dE/dr_j, whose own factors depend on j and r alone, and
- sum_k E_r (dA_z / dc) (u_k - c u_j) for the angle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.cells import Cells
from aiida_anial.potential.descriptor import (
    COSINE_GUARD,
    Constants,
    angular_terms,
    constants,
    cutoff_log_slope,
    radial_terms,
)
from aiida_anial.potential.environments import Environments, Shell, neighbour_tables
from aiida_anial.potential.neighbours import neighbour_list
from aiida_anial.potential.settings import DescriptorSettings
from aiida_anial.potential.triples import AllTriples

__all__ = ('DescriptorJacobian', 'descriptor_jacobian')

# Triples worked on at once: 50 numbers each, twice, make some 10 MB.
_MAX_TRIPLES = 16_000


@dataclass(frozen=True)
class DescriptorJacobian:
    """The descriptors of the n atoms of a cell and how they change.

    :param values: ``[n, F]`` descriptors.
    :param positions: ``[n, F, n, 3]`` derivatives by the positions of the atoms, 1/angstrom, periodic images merged.
    :param strain: ``[n, F, 3, 3]`` derivatives by a strain of the cell with all that is in it, r -> (1 + strain) r.
        Summed over pairs these are symmetric, since descriptors do not change under rotations.
    """

    values: Tensor
    positions: Tensor
    strain: Tensor


@torch.no_grad()
def descriptor_jacobian(
    positions: NDArray[np.float64],
    lattice: NDArray[np.float64],
    settings: DescriptorSettings,
    *,
    dtype: torch.dtype = torch.float32,
) -> DescriptorJacobian:
    """Return descriptors and derivatives of one cell.

    :param positions: ``[n, 3]`` in angstrom.
    :param lattice: ``[3, 3]`` lattice vectors in angstrom, one a row.
    :param settings: the descriptor.
    :param dtype: precision of the work and of the result.
    """
    cells = Cells.from_lists([positions], [lattice])
    pairs = neighbour_list(cells, cutoff=settings.radial_cutoff_angstrom)
    c = constants(settings, dtype, torch.device('cpu'))
    vectors = torch.from_numpy(pairs.vectors(cells.positions)).to(dtype)
    centre, neighbour = torch.from_numpy(pairs.centre), torch.from_numpy(pairs.neighbour)
    environments = Environments.of(vectors, centre, len(positions), settings)
    radial = _Sums(environments.radial, neighbour, settings.n_radial)
    angular = _Sums(environments.angular, neighbour, settings.n_angular)
    for table in neighbour_tables(environments, max_triples=_MAX_TRIPLES):
        radial.add(table.centres, table.radial, *_radial_slopes(*environments.radial_geometry(table), c))
        angular.add(table.centres, table.angular, *_angular_slopes(*environments.angular_geometry(table), c))
    return DescriptorJacobian(
        torch.cat([radial.values, angular.values], dim=1),
        torch.cat([radial.by_position(), angular.by_position()], dim=1),
        torch.cat([radial.strain, angular.strain], dim=1),
    )


class _Sums:
    """Sums over the pairs of one shell of the features that are made from it.

    :param shell: the pairs.
    :param neighbour: ``[P]`` the neighbour of every pair that there is.
    :param n_features: F.
    """

    def __init__(self, shell: Shell, neighbour: Tensor, n_features: int) -> None:
        n_atoms = len(shell.counts)
        self._vectors = (shell.u * shell.r).T.contiguous()
        self._neighbour = torch.cat([neighbour[shell.index], neighbour.new_zeros(1)])
        self._by_atom = self._vectors.new_zeros(n_atoms * n_atoms, n_features * 3)
        self.values = self._vectors.new_zeros(n_atoms, n_features)
        self.strain = self._vectors.new_zeros(n_atoms, n_features, 3, 3)

    def add(self, centres: Tensor, pairs: Tensor, values: Tensor, slopes: Tensor) -> None:
        """Add the features of n centres.

        :param centres: ``[n]``.
        :param pairs: ``[n, K]`` of the shell.
        :param values: ``[n, F]``.
        :param slopes: ``[n, K, F, 3]`` derivatives by the vectors of the pairs.
        """
        flat = slopes.flatten(2)
        self.values[centres] = values
        self.strain[centres] = torch.bmm(flat.transpose(1, 2), self._vectors[pairs]).view(*values.shape, 3, 3)
        # The pair that stands for nothing brings a zero to atom 0.
        places = centres[:, None] * len(self.values) + self._neighbour[pairs]
        self._by_atom.index_add_(0, places.flatten(), flat.flatten(0, 1))

    def by_position(self) -> Tensor:
        """Return the derivatives ``[n, F, n, 3]`` by the positions of neighbours and centre."""
        n_atoms, n_features = self.values.shape
        by_atom = self._by_atom.view(n_atoms, n_atoms, n_features, 3)
        atoms = torch.arange(n_atoms)
        by_atom[atoms, atoms] -= by_atom.sum(1)
        return by_atom.transpose(1, 2)


def _radial_slopes(r: Tensor, u: Tensor, c: Constants) -> tuple[Tensor, Tensor]:
    """Return the radial features ``[n, S]`` and their derivatives ``[n, K, S, 3]`` by the vectors ``r u``.

    :param r: ``[n, K]`` distances, angstrom.
    :param u: ``[n, 3, K]`` directions.
    """
    terms = radial_terms(r, c)
    log_slopes = (r[:, None] - c.radial_shifts[:, None]) * (-2 * c.settings.radial_eta_per_angstrom2)
    slopes = terms * (log_slopes + cutoff_log_slope(r, c.settings.radial_cutoff_angstrom)[:, None])
    return terms.sum(-1), slopes.transpose(1, 2)[..., None] * u.transpose(1, 2)[:, :, None]


def _angular_slopes(r: Tensor, u: Tensor, c: Constants) -> tuple[Tensor, Tensor]:
    """Return the angular features ``[n, R Z]`` and their derivatives ``[n, K, R Z, 3]`` by the vectors ``r u``.

    :param r: ``[n, K]`` distances, angstrom.
    :param u: ``[n, 3, K]`` directions.
    """
    terms = angular_terms(r, u, AllTriples, c)
    angular = terms.power * terms.base
    rotated = c.angles[:, 1, None, None] - (terms.guarded / terms.sine)[:, None] * c.angles[:, 2, None, None]
    angular_slope = terms.power * rotated * (COSINE_GUARD * c.settings.angular_zeta / 2)
    n, width, eta = *r.shape, c.settings.angular_eta_per_angstrom2
    two_different = 1 - torch.eye(width, dtype=r.dtype)
    x = r - c.settings.angular_centre_angstrom
    turns = (u[:, :, None, :] - terms.cosine[:, None] * u[:, :, :, None]) / r[:, None, :, None]
    by_angle = angular_slope[:, None] * turns[:, :, None]
    of_k = torch.cat([angular[:, None], (angular * x[:, None, None, :])[:, None], by_angle], dim=1)
    # For each j the sum over k of [R, k] times [k, 5 Z].
    left = (terms.radial * two_different).permute(0, 2, 1, 3).flatten(0, 1)
    right = of_k.permute(0, 3, 4, 1, 2).reshape(n * width, width, -1)
    sums = torch.bmm(left, right).view(n, width, len(c.angular_shifts), 5, len(c.angles))

    own = cutoff_log_slope(r, c.settings.angular_cutoff_angstrom) - eta / 2 * x
    factors = own[..., None, None] + eta * c.angular_shifts[:, None]
    along = factors * sums[..., 0, :] - eta / 2 * sums[..., 1, :]
    slopes = along[..., None] * u.transpose(1, 2)[:, :, None, None] + sums[..., 2:, :].transpose(-1, -2)
    return sums[..., 0, :].sum(1).flatten(1) / 2, slopes.flatten(2, 3)
