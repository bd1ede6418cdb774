"""The energy of an isolated crystal is conserved, in the precision of production trajectories."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.settings import EngineSettings

MODEL = os.environ.get('ANIAL_PUBLISHED_MODEL')


def _crystal(temperature: float) -> Atoms:
    atoms = bulk('Al', 'fcc', a=4.06, cubic=True).repeat(2)
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(1).standard_normal((len(atoms), 3)))
    return atoms


def _drift(potential, *, n_steps: int, time_step_fs: float) -> float:
    """Return the drift of the total energy in µeV per atom and ps."""
    atoms = _crystal(600.0)
    atoms.calc = AnialCalculator(potential, settings=EngineSettings())
    dynamics = VelocityVerlet(atoms, time_step_fs * units.fs)
    energies = []
    for _ in range(n_steps):
        dynamics.run(1)
        energies.append(atoms.get_total_energy() / len(atoms) * 1e6)
    return float(np.polyfit(np.arange(n_steps) * time_step_fs * 1e-3, energies, 1)[0])


def test_a_crystal_of_random_networks_keeps_its_energy(ensemble):
    """Their potential is rougher than trained ones and needs shorter time steps."""
    assert abs(_drift(ensemble, n_steps=1000, time_step_fs=0.25)) < 1.0


@pytest.mark.published
@pytest.mark.skipif(MODEL is None, reason='ANIAL_PUBLISHED_MODEL does not name the folder of the published ANI-Al')
def test_a_crystal_of_the_published_model_keeps_its_energy():
    assert abs(_drift(read_neurochem(Path(str(MODEL))), n_steps=2000, time_step_fs=1.0)) < 1.0
