"""Random cells and random networks, whose energies have no meaning but must be consistent with their forces."""

from __future__ import annotations

import itertools

import numpy as np

from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

__all__ = ('random_cell', 'random_ensemble')


def random_cell(n_atoms: int, *, seed: int, volume: float = 17.0, shear: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and lattice of a sheared cell with all distances above 1.7 angstrom.

    :param volume: volume per atom, angstrom^3.
    """
    generator = np.random.default_rng([seed, n_atoms])
    edge = (n_atoms * volume) ** (1 / 3)
    lattice = np.diag(generator.uniform(0.9, 1.1, 3)) + shear * np.tril(generator.uniform(-1, 1, (3, 3)), -1)
    lattice *= edge / np.cbrt(np.linalg.det(lattice))
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3) @ lattice
    placed = np.zeros((0, 3))
    while len(placed) < n_atoms:
        point = generator.random(3) @ lattice
        distances = np.linalg.norm(placed[:, None] + images - point, axis=-1)
        if (distances > 1.7).all():
            placed = np.vstack([placed, point])
    return placed, lattice


def random_ensemble(model: ModelSettings, *, seed: int = 5) -> Ensemble:
    """Return an ensemble with random weights."""
    generator = np.random.default_rng(seed)
    sizes, members = model.layer_sizes, model.n_members
    weights = [generator.normal(size=(members, n_out, n_in)) * n_in**-0.5 for n_in, n_out in itertools.pairwise(sizes)]
    biases = [generator.normal(size=(members, n_out)) * 0.1 for n_out in sizes[1:]]
    return Ensemble(model, tuple(weights), tuple(biases), -2.5)
