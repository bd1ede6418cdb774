"""Atomic environment vectors of one element: the radial and angular symmetry functions of ANI.

The definitions are those of Smith et al., Chem. Sci. 8, 3192 (2017), Eqs. 2 to 4, with the factors that the NeuroChem
and torchani programs have and the paper has not: 1/4 before the radial terms and the cosine of an angle times 0.95.

==================  =======================================================================================
symbol              meaning
==================  =======================================================================================
r, u                length (angstrom) and direction of the vector from a centre to a neighbour
f_c(r)              cutoff, cos^2(pi r / 2 r_c) = (1 + cos(pi r / r_c)) / 2, and 0 beyond r_c
eta, s              width (1/angstrom^2) and shifts (angstrom) of the Gaussians
E                   of a triple: f_c f_c exp(-eta ((r_j + r_k) / 2 - s)^2), one for each of R shifts
A                   of a triple: 2 ((1 + cos(theta - theta_z)) / 2)^zeta, one for each of Z angles
G                   descriptor of an atom: the radial terms summed over pairs, then E A summed over triples
==================  =======================================================================================

With x = r - s_m, s_m the middle shift and d = s - s_m, E factorises into numbers of the pairs and one exponential of
the triple: E = U(j) U(k) exp(-eta x_j x_k / 2), U = f_c exp(eta (-x^2 / 4 + d x - d^2 / 2)).
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
    'angular_terms',
    'constants',
    'cutoff_log_slope',
    'descriptors',
    'descriptors_of_vectors',
    'radial_terms',
)

# The least exponent that is worked out: 1e-26 is nothing beside other terms, while results too small for the precision
# take exp a hundred times as long and slow down what is done with them.
_MIN_EXPONENT = -60.0

# Triples worked on at once by `descriptors`: some 100 MB with what autograd keeps of them.
_MAX_TRIPLES = 200_000


@dataclass(frozen=True)
class Constants:
    """The numbers of a descriptor as tensors of one precision on one device.

    :param settings: where they come from.
    :param radial_shifts: ``[S]`` in angstrom.
    :param angular_shifts: ``[R]`` in angstrom, counted from the middle shift.
    :param angles: ``[Z, 3]`` 1, cosine and sine of each angle.
    """

    settings: DescriptorSettings
    radial_shifts: Tensor
    angular_shifts: Tensor
    angles: Tensor


@lru_cache
def constants(settings: DescriptorSettings, dtype: torch.dtype, device: torch.device) -> Constants:
    """Return the numbers that ``settings`` stand for."""
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
    """Return f_c(r), exactly 0 from ``r_c`` on."""
    return torch.where(r < r_c, torch.cos(r * (math.pi / 2 / r_c)) ** 2, torch.zeros_like(r))


def cutoff_log_slope(r: Tensor, r_c: float) -> Tensor:
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
    """The factors of the triples at each of n centres, in a layout ``[X, Y]`` of `triples`.

    :param radial: ``[n, R, X, Y]`` E, with the 2 of A in it.
    :param power: ``[n, Z, X, Y]`` b^(zeta - 1), with b = (1 + cos(theta - theta_z)) / 2.
    :param base: ``[n, Z, X, Y]`` b.
    :param cosine: ``[n, X, Y]`` c, the cosine of the angle between the two neighbours.
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

    :param r: ``[n, K]`` distances of the neighbours of n centres, angstrom.
    :param u: ``[n, 3, K]`` their directions.
    :param c: the descriptor's constants.
    """
    cosine = (EachTripleOnce.first(u) * EachTripleOnce.second(u)).sum(1)
    guarded = cosine * COSINE_GUARD
    sine = torch.sqrt(1 - guarded**2)
    # cos(theta - theta_z) without the angle: no arccos, and no branch of it.
    known = torch.stack([torch.ones_like(sine), guarded, sine], dim=1)
    base = torch.matmul(c.angles / 2, known.flatten(2)).view(len(r), -1, *sine.shape[1:])
    # exp and log together are five times as fast as pow.
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
    """Return the angular features ``[n, R Z]`` from triples that are there once."""
    angular = terms.power * terms.base
    return torch.bmm(terms.radial.flatten(2), angular.flatten(2).transpose(1, 2)).flatten(1)


def descriptors(positions: Tensor, neighbours: NeighbourList, settings: DescriptorSettings) -> Tensor:
    """Return the descriptors ``[N, F]`` of all atoms, differentiable by the positions.

    :param positions: ``[N, 3]`` in angstrom, float32 or float64.
    :param neighbours: all pairs within the radial cutoff at least.
    :param settings: the descriptor.
    """
    centre = torch.from_numpy(neighbours.centre).to(positions.device)
    neighbour = torch.from_numpy(neighbours.neighbour).to(positions.device)
    shifts = torch.from_numpy(neighbours.shift_vectors).to(positions)
    return descriptors_of_vectors(positions[neighbour] - positions[centre] + shifts, centre, len(positions), settings)


def descriptors_of_vectors(vectors: Tensor, centre: Tensor, n_atoms: int, settings: DescriptorSettings) -> Tensor:
    """Return the descriptors ``[N, F]``, differentiable by the vectors of the pairs.

    :param vectors: ``[P, 3]`` from centres to neighbours in angstrom, float32 or float64.
    :param centre: ``[P]`` index of each centre, ascending.
    :param n_atoms: N.
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
