"""Cells of several sizes and shapes, with labels by effective medium theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import DATASET_FORMATS
from aiida_anial.formats.exported import ExportedDataset

# The second looks like a number, which readers of text could convert.
LEVELS = ('3fa0c11d22ab', '0123456789e5')


def sheared(n_atoms: int, generator: np.random.Generator) -> Atoms:
    """Return a strained, rotated and jittered crystal, with atoms outside the cell."""
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True).repeat((n_atoms // 4, 1, 1))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.06 * generator.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.1 * generator.standard_normal((n_atoms, 3))
    atoms.positions[0] -= atoms.cell.array[1]
    # Whole multiples of 1e-6, like all structures of this package.
    return Atoms(atoms.numbers, atoms.positions.round(6), cell=atoms.cell.array.round(6), pbc=True, calculator=EMT())


@pytest.fixture(scope='session')
def make_atoms() -> Callable[..., list[Atoms]]:
    """Return a function that makes ASE's atoms, with ASE's EMT as their calculator."""

    def make(sizes: tuple[int, ...] = (8, 4, 12, 4, 8), *, seed: int = 3) -> list[Atoms]:
        generator = np.random.default_rng(seed)
        return [sheared(n_atoms, generator) for n_atoms in sizes]

    return make


@pytest.fixture(scope='session')
def atoms(make_atoms) -> list[Atoms]:
    """Five cells of three sizes, not ordered by size."""
    return make_atoms()


def emt_labels(images: list[Atoms]) -> LabelledCells:
    """Return labels of ``images`` by ASE's EMT."""
    return LabelledCells(
        cells=Cells.from_lists([one.positions for one in images], [one.cell.array for one in images], species=13),
        energies=np.array([one.get_potential_energy() for one in images]),
        forces=np.concatenate([one.get_forces() for one in images]),
        stresses=np.array([one.get_stress(voigt=False) for one in images]),
        uuids=tuple(str(UUID(int=(7 << 100) + index)) for index in range(len(images))),
        iterations=np.arange(len(images)) // 2,
        origins=('random',) * (len(images) - 1) + ('active_learning',),
    )


@pytest.fixture(scope='session')
def label() -> Callable[[list[Atoms]], LabelledCells]:
    """Return a function that labels ASE's atoms with ASE's EMT."""
    return emt_labels


@pytest.fixture(scope='session')
def dataset(atoms) -> ExportedDataset:
    """The labels of ``atoms``, the third twice, by two levels of theory."""
    labelled = emt_labels([*atoms, atoms[2]])
    labelled = replace(labelled, energies=labelled.energies + np.array([0, 0, 0, 0, 0, 0.1]))
    header = {'levels_of_theory': {LEVELS[0]: {'code': 'emt'}}, 'filters': ['n < "9" \\ µ', {'b': [1, 2.5], 'a': None}]}
    return ExportedDataset(labelled, (LEVELS[0],) * 5 + (LEVELS[1],), header)


@pytest.fixture(params=DATASET_FORMATS)
def file_format(request: pytest.FixtureRequest) -> str:
    """Each format of datasets."""
    return request.param
