"""Small labelled cells and small networks."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.settings import DescriptorSettings, ModelSettings
from aiida_anial.training.emt_labels import emt_labels


def random_cells(n_cells: int, seed: int) -> Cells:
    """Return random aluminium cells of 4 to 9 atoms, no two closer than 2.1 A."""
    generator = np.random.default_rng(seed)
    positions, lattices = [], []
    for _ in range(n_cells):
        edges = generator.uniform(4.4, 5.6, 3)
        atoms: list[np.ndarray] = []
        for _ in range(400):
            point = generator.uniform(0, edges)
            deltas = np.array(atoms).reshape(-1, 3) - point
            deltas -= edges * np.rint(deltas / edges)
            if (np.linalg.norm(deltas, axis=1) > 2.1).all() and len(atoms) < 9:
                atoms.append(point)
        positions.append(np.array(atoms))
        lattices.append(np.diag(edges))
    return Cells.from_lists(positions, lattices, species=13)


@pytest.fixture(scope='session')
def emt_data() -> LabelledCells:
    """Forty random cells labelled with EMT."""
    return emt_labels(random_cells(40, seed=3))


@pytest.fixture(scope='session')
def small_model() -> ModelSettings:
    """Eight small networks on a coarse descriptor."""
    descriptor = DescriptorSettings(
        radial_cutoff_angstrom=5.0,
        angular_cutoff_angstrom=4.0,
        radial_eta_per_angstrom2=10.0,
        radial_shifts_angstrom=tuple(1.5 + 0.4 * k for k in range(8)),
        angular_eta_per_angstrom2=4.0,
        angular_shifts_angstrom=(1.5, 2.2, 2.9),
        angular_zeta=8.0,
        angle_shifts_rad=(0.4, 1.2, 2.0, 2.8),
    )
    return ModelSettings(descriptor=descriptor, hidden_layers=(16, 12), n_members=8)
