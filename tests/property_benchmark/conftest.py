"""An ensemble that has learnt enough about crystals of EMT's aluminium to be benchmarked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from aiida_anial.potential.ensemble import Ensemble

N_CELLS = 48


@pytest.fixture(scope='session')
def shard(run_all, worker) -> Any:
    """Strained and jittered FCC cells of four atoms, labelled by EMT."""
    from aiida import orm

    from aiida_anial.data.structures import to_structure
    from aiida_anial.workchains.label import LabelWorkChain

    generator = np.random.default_rng(5)
    builder: Any = LabelWorkChain.get_builder()
    cells = {}
    for index, constant in enumerate(np.linspace(3.7, 4.4, N_CELLS)):
        atoms = bulk('Al', 'fcc', a=constant, cubic=True)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + 0.03 * generator.standard_normal((3, 3))), scale_atoms=True)
        positions = atoms.positions + 0.05 * generator.standard_normal((4, 3))
        cells[f'cell_{index:02d}'] = to_structure(positions, atoms.cell[:], atoms.numbers)
    builder.cells = cells
    builder.evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    (node,) = run_all(builder)
    return node.outputs.dataset


@pytest.fixture(scope='session')
def training(run_all, worker, tiny_model, shard) -> Any:
    """The training of two small networks for which FCC has a minimum."""
    from aiida import orm

    from aiida_anial.workchains.checkpointed import TrainWorkChain

    builder: Any = TrainWorkChain.get_builder()
    builder.worker = {
        **worker,
        'shards': {'shard_000': shard},
        'model': orm.Dict(tiny_model),
        'settings': orm.Dict({'max_steps': 400, 'batch_size': 16, 'evaluation_interval': 50}),
        'seed': orm.Int(1),
    }
    (node,) = run_all(builder)
    return node


@pytest.fixture(scope='session')
def ensemble_node(training) -> Any:
    """The ensemble as a stored node."""
    return training.outputs.ensemble


@pytest.fixture(scope='session')
def sound_ensemble(ensemble_node) -> Ensemble:
    """The networks themselves."""
    networks: Ensemble = ensemble_node.ensemble
    return networks


@pytest.fixture(scope='session')
def pw_settings(pseudo) -> Callable[[], Any]:
    """Return a function that gives settings of pw.x that are too coarse for anything but tests."""
    from aiida_anial.active_learning.label_settings import QeSettings

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
