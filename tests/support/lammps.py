"""LAMMPS of ``make install-lammps``, and its code."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm

from aiida_anial.cli import installation

LMP = Path(__file__).parents[2] / '.lammps' / 'bin' / 'lmp'


@pytest.fixture(scope='session')
def lmp() -> Path:
    if not LMP.exists():
        pytest.fail('LAMMPS: there is none; run make install-lammps')
    return LMP


@pytest.fixture(scope='module')
def lammps_code(installed, lmp) -> orm.InstalledCode:
    """The code that ``setup --lmp`` makes."""
    assert installation.lammps_code(lmp).startswith('code lmp@localhost: ')
    found = orm.load_code('lmp@localhost')
    assert f'export PATH={lmp.parent}:"$PATH"' in found.prepend_text
    return found
