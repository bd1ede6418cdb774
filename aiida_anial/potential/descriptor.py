"""Atomic environment vectors (AEVs) of one element, and their derivatives by the vectors of the pairs.

The definitions are those of Smith et al., Chem. Sci. 8, 3192 (2017), Eqs. 2 to 4, with two factors that are in the
programs NeuroChem and torchani but not in the paper: the radial terms are multiplied by 1/4, and cosines by 0.95.

==================  =======================================================================================
symbol              meaning
==================  =======================================================================================
r, u                length (angstrom) and direction of the vector from a centre to a neighbour
f_c(r)              cutoff, cos^2(pi r / 2 r_c) = (1 + cos(pi r / r_c)) / 2, and 0 beyond r_c
eta, s              width (1/angstrom^2) and shifts (angstrom) of the Gaussians
E                   radial factor of a triple: f_c f_c exp(-eta ((r_j + r_k) / 2 - s)^2), one for each of R shifts
A                   angular factor of a triple: 2 ((1 + cos(theta - theta_z)) / 2)^zeta, one for each of Z angles
G                   descriptor of an atom: the radial terms summed over pairs, then E A summed over triples
==================  =======================================================================================

With x = r - s_m, s_m the middle shift and d = s - s_m, E factorises into one factor for each pair and an exponential
for the triple: E = U(j) U(k) exp(-eta x_j x_k / 2), U = f_c exp(eta (-x^2 / 4 + d x - d^2 / 2)).

The derivatives are the chain rule written out. From here on, E without an index is the energy of the centre. With
g = dE/dG, each triple (j, k) contributes through

- P = sum_rz g_rz E_r A_z, which multiplies the derivatives of the cutoffs,
- Q = sum_rz g_rz E_r A_z (-eta ((r_j + r_k) / 2 - s_r)), the derivative of the Gaussian by r_j, equal to that by r_k,
- S = sum_rz g_rz E_r dA_z / dc, the derivative by c,

so that dE/dr_j = sum_k Q + (f_c' / f_c)(r_j) P, and the derivative across u_j is sum_k S (u_k - c u_j) / r_j.

A_z is 2 b^zeta, b = (1 + 0.95 c cos(theta_z) + sin(theta) sin(theta_z)) / 2. With y_z = b^(zeta - 1) sum_r 2 g_rz E_r,
three sums over z give both P and S: Y_0 = sum y_z, Y_c = sum y_z cos(theta_z), Y_s = sum y_z sin(theta_z),

- P = (Y_0 + 0.95 c Y_c + sin(theta) Y_s) / 2,
- S = 0.95 zeta (Y_c - 0.95 c / sin(theta) Y_s) / 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from aiida_anial.potential.environments import EachTripleOnce, Environments, neighbour_tables
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.settings import COSINE_GUARD, DescriptorSettings

__all__ = (
    'COSINE_GUARD',
    'AngularTerms',
    'Constants',
    'angular_features',
    'angular_pair_gradients',
    'angular_terms',
    'constants',
    'descriptors',
    'descriptors_of_vectors',
    'radial_derivatives',
    'radial_terms',
)

# Exponents are clamped here: exp(-60) = 1e-26 is negligible, while denormal results make exp a hundred times slower and
# slow down everything computed from them.
_MIN_EXPONENT = -60.0

# Triples in one chunk of `descriptors`: about 100 MB, including what autograd stores.
_MAX_TRIPLES = 200_000


@dataclass(frozen=True)
class Constants:
    """The constants of a descriptor as tensors of one precision on one device.

    :param settings: the descriptor.
    :param radial_shifts: ``[S]`` in angstrom.
    :param angular_shifts: ``[R]`` d in angstrom, the shifts relative to the middle one.
    :param angles: ``[Z, 3]`` for each angle theta_z: 1, its cosine, its sine.
    """

    settings: DescriptorSettings
    radial_shifts: Tensor
    angular_shifts: Tensor
    angles: Tensor


@lru_cache
def constants(settings: DescriptorSettings, dtype: torch.dtype, device: torch.device) -> Constants:
    """Return the constants of the descriptor."""
    centre = settings.angular_centre_angstrom
    shifts = [shift - centre for shift in settings.angular_shifts_angstrom]
    angles = [[1.0, math.cos(angle), math.sin(angle)] for angle in settings.angle_shifts_rad]
    return Constants(
        settings,
        torch.tensor(settings.radial_shifts_angstrom, dtype=dtype, device=device),
        torch.tensor(shifts, dtype=dtype, device=device),
        torch.tensor(angles, dtype=dtype, device=device),
    )


def _cutoff(r: Tensor, r_c: float) -> Tensor:
    """Return f_c(r), which is exactly 0 for ``r >= r_c``."""
    return torch.where(r < r_c, torch.cos(r * (math.pi / 2 / r_c)) ** 2, torch.zeros_like(r))


def _cutoff_log_slope(r: Tensor, r_c: float) -> Tensor:
    """Return f_c'(r) / f_c(r) in 1/angstrom."""
    return torch.tan(r * (math.pi / 2 / r_c)) * (-math.pi / r_c)


def _exp(exponents: Tensor) -> Tensor:
    return torch.clamp(exponents, min=_MIN_EXPONENT).exp_()


def radial_terms(r: Tensor, c: Constants) -> Tensor:
    """Return the radial terms ``[n, S, K]`` of the neighbours at distances ``r`` (``[n, K]``, angstrom)."""
    deviations = r[:, None] - c.radial_shifts[:, None]
    gaussians = _exp(deviations**2 * -c.settings.radial_eta_per_angstrom2)
    return gaussians * (_cutoff(r, c.settings.radial_cutoff_angstrom) * 0.25)[:, None]


@dataclass(frozen=True)
class AngularTerms:
    """Factors of the triples at each of n centres; ``[X, Y]`` is the layout of `EachTripleOnce`.

    :param radial: ``[n, R, X, Y]`` 2 E: the factor 2 of A is included here.
    :param power: ``[n, Z, X, Y]`` b^(zeta - 1), with b = (1 + cos(theta - theta_z)) / 2.
    :param base: ``[n, Z, X, Y]`` b.
    :param cosine: ``[n, X, Y]`` c, the cosine of the true angle between the two neighbours.
    :param guarded: ``[n, X, Y]`` cos(theta) = 0.95 c.
    :param sine: ``[n, X, Y]`` sin(theta).
    """

    radial: Tensor
    power: Tensor
    base: Tensor
    cosine: Tensor
    guarded: Tensor
    sine: Tensor


def angular_terms(r: Tensor, u: Tensor, c: Constants) -> AngularTerms:
    """Return the factors of the angular terms.

    :param r: ``[n, K]`` distances to the neighbours of n centres, angstrom.
    :param u: ``[n, 3, K]`` unit vectors to these neighbours.
    :param c: the constants of the descriptor.
    """
    cosine = (EachTripleOnce.first(u) * EachTripleOnce.second(u)).sum(1)
    guarded = cosine * COSINE_GUARD
    sine = torch.sqrt(1 - guarded**2)
    # cos(theta - theta_z) by the addition theorem, which needs no arccos.
    known = torch.stack([torch.ones_like(sine), guarded, sine], dim=1)
    base = torch.matmul(c.angles / 2, known.flatten(2)).view(len(r), -1, *sine.shape[1:])
    # exp(log) is five times faster than pow.
    power = _exp(torch.log(base).mul_(c.settings.angular_zeta - 1))
    return AngularTerms(_angular_radial(r, c), power, base, cosine, guarded, sine)


def _angular_radial(r: Tensor, c: Constants) -> Tensor:
    """Return 2 E ``[n, R, X, Y]``."""
    eta = c.settings.angular_eta_per_angstrom2
    x = r - c.settings.angular_centre_angstrom
    d = c.angular_shifts[:, None]
    exponents = d * x[:, None] - (x**2 / 4)[:, None] - d**2 / 2
    pair = torch.exp(exponents * eta) * (_cutoff(r, c.settings.angular_cutoff_angstrom) * math.sqrt(2))[:, None]
    mixed = torch.exp(EachTripleOnce.first(x) * EachTripleOnce.second(x) * (-eta / 2))
    return (EachTripleOnce.first(pair) * EachTripleOnce.second(pair)).mul_(mixed[:, None])


def angular_features(terms: AngularTerms) -> Tensor:
    """Return the angular features ``[n, R Z]``, the sums over all triples."""
    angular = terms.power * terms.base
    return torch.bmm(terms.radial.flatten(2), angular.flatten(2).transpose(1, 2)).flatten(1)


def descriptors(positions: Tensor, neighbours: NeighbourList, settings: DescriptorSettings) -> Tensor:
    """Return the descriptors ``[N, F]`` of all atoms, differentiable with respect to the positions.

    :param positions: ``[N, 3]`` in angstrom, float32 or float64.
    :param neighbours: all pairs within the radial cutoff, and possibly more distant ones.
    :param settings: the descriptor.
    """
    centre = torch.from_numpy(neighbours.centre).to(positions.device)
    neighbour = torch.from_numpy(neighbours.neighbour).to(positions.device)
    shifts = torch.from_numpy(neighbours.shift_vectors).to(positions)
    return descriptors_of_vectors(positions[neighbour] - positions[centre] + shifts, centre, len(positions), settings)


def descriptors_of_vectors(vectors: Tensor, centre: Tensor, n_atoms: int, settings: DescriptorSettings) -> Tensor:
    """Return the descriptors ``[N, F]``, differentiable with respect to the vectors of the pairs.

    :param vectors: ``[P, 3]`` from centres to neighbours in angstrom, float32 or float64.
    :param centre: ``[P]`` index of the centre of each pair, ascending.
    :param n_atoms: the number of atoms N.
    :param settings: the descriptor.
    """
    c = constants(settings, vectors.dtype, vectors.device)
    environments = Environments.of(vectors, centre, n_atoms, settings)
    parts, order = [], []
    for table in neighbour_tables(environments, max_triples=_MAX_TRIPLES):
        r, u = environments.angular_geometry(table)
        angular = angular_features(angular_terms(r, u, c))
        radial = radial_terms(environments.radial.r[table.radial], c).sum(-1)
        parts.append(torch.cat([radial, angular], dim=1))
        order.append(table.centres)
    inverse = torch.argsort(torch.cat(order))
    return torch.cat(parts)[inverse]


def radial_derivatives(terms: Tensor, r: Tensor, g: Tensor, c: Constants) -> Tensor:
    """Return the derivatives ``[n, B, K]`` of B energies by the distances to the neighbours.

    :param terms: ``[n, S, K]`` radial terms.
    :param r: ``[n, K]`` distances, angstrom.
    :param g: ``[n, B, S]`` derivatives of the energies by the radial features.
    :param c: the constants of the descriptor.
    """
    eta = c.settings.radial_eta_per_angstrom2
    factors = _cutoff_log_slope(r, c.settings.radial_cutoff_angstrom) - 2 * eta * r
    return torch.bmm(g, terms) * factors[:, None] + torch.bmm(g * (2 * eta * c.radial_shifts), terms)


def angular_pair_gradients(terms: AngularTerms, r: Tensor, u: Tensor, g: Tensor, c: Constants) -> Tensor:
    """Return the gradients ``[n, B, 3, K]`` of B energies by the vectors to the neighbours.

    :param terms: the factors of the triples.
    :param r: ``[n, K]`` distances, angstrom.
    :param u: ``[n, 3, K]`` unit vectors.
    :param g: ``[n, B, R, Z]`` derivatives of the energies by the angular features.
    :param c: the constants of the descriptor.
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
    along = q_j + _cutoff_log_slope(r, settings.angular_cutoff_angstrom)[:, None] * p_j - sc_j / r[:, None]
    return along[:, :, None] * turned + v_j / r[:, None, None]


def _sums_over_angles(g: Tensor, terms: AngularTerms, c: Constants) -> list[tuple[Tensor, ...]]:
    """Return Y_0, Y_c and Y_s, each ``[n, B, X, Y]``, for both sets of coefficients in ``g`` ``[n, B, 2, R, Z]``."""
    n, n_energies, n_sets, _, n_angles = g.shape
    left = g.transpose(-1, -2).reshape(n, -1, g.shape[3])
    y = torch.bmm(left, terms.radial.flatten(2)).view(n, n_energies * n_sets, n_angles, -1)
    y *= terms.power.flatten(2)[:, None]
    sums = torch.matmul(c.angles.T, y).view(n, n_energies, n_sets, 3, *terms.power.shape[2:])
    return [sums[:, :, index].unbind(2) for index in range(n_sets)]
