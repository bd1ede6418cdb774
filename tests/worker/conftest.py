"""A small ensemble and small cells in the directory of a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.potential import write_potential
from aiida_anial.potential.settings import DescriptorSettings, ModelSettings

MODEL = ModelSettings(
    descriptor=DescriptorSettings(
        radial_cutoff_angstrom=5.0,
        angular_cutoff_angstrom=4.0,
        radial_eta_per_angstrom2=4.0,
        radial_shifts_angstrom=(1.5, 2.5, 3.5),
        angular_eta_per_angstrom2=2.0,
        angular_shifts_angstrom=(2.0, 3.0),
        angular_zeta=8.0,
        angle_shifts_rad=(0.5, 1.5, 2.5),
    ),
    hidden_layers=(6,),
    n_members=3,
)


@pytest.fixture
def ensemble() -> Ensemble:
    """An ensemble of networks with random weights."""
    generator, sizes = np.random.default_rng(1), MODEL.layer_sizes
    return Ensemble(
        MODEL,
        tuple(0.3 * generator.standard_normal((3, n, m)) for m, n in pairwise(sizes)),
        tuple(0.3 * generator.standard_normal((3, n)) for n in sizes[1:]),
        self_energy=-2.0,
    )


@pytest.fixture
def cells() -> Cells:
    """Three jittered crystals of 4, 3 and 2 atoms."""
    generator = np.random.default_rng(2)
    basis = 4.1 * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = [basis[:n] + 0.05 * generator.standard_normal((n, 3)) for n in (4, 3, 2)]
    return Cells.from_lists(positions, [4.1 * np.eye(3)] * 3, species=13)


@pytest.fixture
def make_job(tmp_path, ensemble, cells) -> Callable[..., Path]:
    """Return a function that creates the directory of a job with the given inputs."""

    def make(name: str = 'job', **inputs: Any) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        (directory / 'input.json').write_text(json.dumps(inputs))
        cells.write(directory / 'cells.safetensors')
        write_potential(directory / 'ensemble.safetensors', ensemble)
        return directory

    return make
