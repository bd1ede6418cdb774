"""An ensemble that has learnt enough about crystals of EMT's aluminium to be benchmarked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_anial.common.cells import Cells
from aiida_anial.common.labelled_cells import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainer import train_ensemble

N_CELLS = 48


@pytest.fixture(scope='session')
def crystals() -> LabelledCells:
    """Strained and jittered FCC cells of four atoms, labelled by EMT."""
    generator = np.random.default_rng(5)
    cells = []
    for constant in np.linspace(3.7, 4.4, N_CELLS):
        atoms = bulk('Al', 'fcc', a=constant, cubic=True)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + 0.03 * generator.standard_normal((3, 3))), scale_atoms=True)
        atoms.positions += 0.05 * generator.standard_normal((4, 3))
        atoms.calc = EMT()
        cells.append(atoms)
    return LabelledCells(
        cells=Cells.from_lists([atoms.positions for atoms in cells], [atoms.cell[:] for atoms in cells]),
        energies=np.array([atoms.get_potential_energy() for atoms in cells]),
        forces=np.concatenate([atoms.get_forces() for atoms in cells]),
        stresses=np.array([atoms.get_stress(voigt=False) for atoms in cells]),
        uuids=tuple(str(UUID(int=index)) for index in range(N_CELLS)),
        iterations=np.zeros(N_CELLS, dtype=np.int64),
        origins=('random',) * N_CELLS,
    )


@pytest.fixture(scope='session')
def sound_ensemble(crystals, tiny_model, tmp_path_factory) -> Ensemble:
    """Two small networks for which FCC has a minimum."""
    return train_ensemble(
        crystals,
        model=ModelSettings.parse(tiny_model),
        settings=TrainingSettings.parse({'max_steps': 400, 'batch_size': 16, 'evaluation_interval': 50}),
        seed=1,
        initial=None,
        checkpoint=tmp_path_factory.mktemp('training') / 'checkpoint.safetensors',
        interrupted=lambda: False,
        report=lambda _: None,
    ).ensemble


@pytest.fixture(scope='session')
def ensemble_node(aiida_profile, sound_ensemble) -> Any:
    """The ensemble as a stored node."""
    from aiida_anial.data.ensemble import EnsembleData

    return EnsembleData(sound_ensemble).store()


@pytest.fixture(scope='session')
def pw_settings(pseudo) -> Callable[[], Any]:
    """Return a function that gives settings of pw.x that are too coarse for anything but tests."""
    from aiida_anial.protocols.settings import QeSettings

    return lambda: QeSettings.parse(
        {
            'ecutwfc_ry': 12,
            'ecutrho_ry': 48,
            'kpoints_mesh': None,
            'kpoints_distance_per_angstrom': 0.6,
            'degauss_ry': 0.05,
            'job': {'max_wallclock_seconds': 600},
        }
    )
