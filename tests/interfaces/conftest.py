"""LAMMPS, a small ensemble as its plugin, and a crystal that both it and the engine evaluate."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from support.potentials import random_ensemble

from aiida_anial.interfaces.folder import write_folder
from aiida_anial.interfaces.lammps import build_plugin
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

MEMBERS = 3


@pytest.fixture(scope='session')
def ensemble() -> Ensemble:
    return random_ensemble(ModelSettings(hidden_layers=(20, 12), n_members=MEMBERS))


@pytest.fixture(scope='session')
def make_plugin(ensemble, lmp, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that exports the ensemble and builds the plugin, once for the same options."""
    made: dict[tuple, Path] = {}

    def make(**options) -> Path:
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp('lammps') / 'plugin'
            write_folder(made[key], ensemble, program='lammps', **options)
            build_plugin(made[key], lmp)
        return made[key]

    return make


@pytest.fixture(scope='session')
def crystal() -> ase.Atoms:
    """A sheared crystal with displaced atoms and a vacancy, in the orientation of LAMMPS."""
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (3, 3, 4)
    atoms.rattle(0.2, seed=1)
    del atoms[5]
    shear = np.array([[1.0, 0.0, 0.0], [0.1, 1.0, 0.0], [-0.07, 0.05, 1.0]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.wrap()
    return atoms


@pytest.fixture
def run_lammps(tmp_path) -> Callable[..., str]:
    """Return a function that runs lines of an input for some atoms, and returns what LAMMPS prints."""

    def run(plugin: Path, atoms: ase.Atoms, lines: str, *, ranks: int = 1, boundary: str = 'p p p') -> str:
        write(tmp_path / 'atoms.data', atoms, format='lammps-data', specorder=['Al'], units='metal')
        head = f'units metal\nboundary {boundary}\nread_data atoms.data\ninclude {plugin}/potential.in\n'
        (tmp_path / 'in.test').write_text(head + lines)
        command = [plugin / 'run.sh', 'in.test', str(ranks)]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return result.stdout

    return run
