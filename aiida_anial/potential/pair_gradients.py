"""The chain rule from descriptors to the vectors of pairs, by hand; symbols as in `descriptor`.

With g = dE/dG of the centre, a triple (j, k) needs only

- P = sum_rz g_rz E_r A_z, the energy that the cutoffs act on,
- Q = sum_rz g_rz E_r A_z (-eta ((r_j + r_k) / 2 - s_r)), the derivative of the Gaussian by r_j and by r_k alike,
- S = sum_rz g_rz E_r dA_z / dc, the derivative by c,

whence dE/dr_j = sum_k Q + (f_c' / f_c)(r_j) P, and the angle turns neighbour j with sum_k S (u_k - c u_j) / r_j.

A_z = 2 b^zeta has b = (1 + 0.95 c cos(theta_z) + sin(theta) sin(theta_z)) / 2. With y_z = b^(zeta - 1) sum_r 2 g_rz E_r
three sums over z give both P and S: Y_0 = sum y_z, Y_c = sum y_z cos(theta_z), Y_s = sum y_z sin(theta_z),

- P = (Y_0 + 0.95 c Y_c + sin(theta) Y_s) / 2,
- S = 0.95 zeta (Y_c - 0.95 c / sin(theta) Y_s) / 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aiida_anial.potential.descriptor import COSINE_GUARD, AngularTerms, Constants, cutoff_log_slope
from aiida_anial.potential.environments import EachTripleOnce

__all__ = ('angular_pair_gradients', 'radial_derivatives')


def radial_derivatives(terms: Tensor, r: Tensor, g: Tensor, c: Constants) -> Tensor:
    """Return the derivatives ``[n, B, K]`` of B energies by the distances of the neighbours.

    :param terms: ``[n, S, K]`` radial terms.
    :param r: ``[n, K]`` distances, angstrom.
    :param g: ``[n, B, S]`` derivatives of the energies by the radial features.
    :param c: the descriptor's constants.
    """
    eta = c.settings.radial_eta_per_angstrom2
    factors = cutoff_log_slope(r, c.settings.radial_cutoff_angstrom) - 2 * eta * r
    return torch.bmm(g, terms) * factors[:, None] + torch.bmm(g * (2 * eta * c.radial_shifts), terms)


def angular_pair_gradients(terms: AngularTerms, r: Tensor, u: Tensor, g: Tensor, c: Constants) -> Tensor:
    """Return the gradients ``[n, B, 3, K]`` of B energies by the vectors to the neighbours.

    :param terms: each triple once.
    :param r: ``[n, K]`` distances, angstrom.
    :param u: ``[n, 3, K]`` directions.
    :param g: ``[n, B, R, Z]`` derivatives of the energies by the angular features.
    :param c: the descriptor's constants.
    """
    settings = c.settings
    eta, zeta = settings.angular_eta_per_angstrom2, settings.angular_zeta
    x = r - settings.angular_centre_angstrom
    both = torch.stack([g, g * c.angular_shifts[:, None]], dim=2)
    sums = _sums_over_angles(both, terms, c)
    p, shifted = (0.5 * (y_0 + terms.guarded[:, None] * y_c + terms.sine[:, None] * y_s) for y_0, y_c, y_s in sums)
    middle = (EachTripleOnce.first(x) + EachTripleOnce.second(x)) / 2
    q = (shifted - middle[:, None] * p) * eta
    _, y_c, y_s = sums[0]
    s = (y_c - (terms.guarded / terms.sine)[:, None] * y_s) * (COSINE_GUARD * zeta / 2)

    scalars = torch.stack([p, q, s * terms.cosine[:, None]], dim=2)
    p_j, q_j, sc_j = EachTripleOnce.gather(scalars, scalars).unbind(2)
    turned, s = u[:, None], s[:, :, None]
    v_j = EachTripleOnce.gather(s * EachTripleOnce.second(turned), s * EachTripleOnce.first(turned))
    along = q_j + cutoff_log_slope(r, settings.angular_cutoff_angstrom)[:, None] * p_j - sc_j / r[:, None]
    return along[:, :, None] * turned + v_j / r[:, None, None]


def _sums_over_angles(g: Tensor, terms: AngularTerms, c: Constants) -> list[tuple[Tensor, ...]]:
    """Return, for each of the sets ``[n, B, R, Z]`` in ``g`` (``[n, B, 2, R, Z]``), Y_0, Y_c, Y_s ``[n, B, X, Y]``."""
    n, n_energies, n_sets, _, n_angles = g.shape
    left = g.transpose(-1, -2).reshape(n, -1, g.shape[3])
    y = torch.bmm(left, terms.radial.flatten(2)).view(n, n_energies * n_sets, n_angles, -1)
    y *= terms.power.flatten(2)[:, None]
    sums = torch.matmul(c.angles.T, y).view(n, n_energies, n_sets, 3, *terms.power.shape[2:])
    return [sums[:, :, index].unbind(2) for index in range(n_sets)]
