"""A model of OpenKIM computes what the engine does, in Debian's LAMMPS."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from ase.io import write
from click.testing import CliRunner

from aiida_anial.common.cells import Cells
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.potential import write_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.worker.main import main as worker

LMP = '/usr/bin/lmp'
NAME = 'Al_of_a_test'
# Conversion of LAMMPS from eV/angstrom^3 to bar, which has the constants of another year.
BAR = 1.6021765e6
INPUT = f"""
atom_style atomic
kim init {NAME} metal
boundary p p p
read_data atoms.data
kim interactions Al
mass * 26.98
compute pe all pe/atom
compute stress all stress/atom NULL
dump atoms all custom 1 atoms.dump id x y z fx fy fz c_pe c_stress[1] c_stress[2] c_stress[3] c_stress[4] c_stress[5] &
    c_stress[6]
dump_modify atoms sort id format float %.17g
run 0
"""


@pytest.fixture(scope='module')
def collection(ensemble, tmp_path_factory):
    """A folder in which the model is installed, for programs that run there."""
    if shutil.which('kim-api-collections-management') is None or shutil.which(LMP) is None:
        pytest.fail('KIM: there is none; run scripts/install-kim.sh')
    folder = tmp_path_factory.mktemp('kim')
    write_potential(folder / 'model.safetensors', ensemble)
    source = folder / 'source' / NAME
    source.parent.mkdir()
    arguments = ['export', 'kim', f'{folder}/model.safetensors', f'{source}', '--dtype', 'float64']
    result = CliRunner().invoke(worker, arguments)
    assert (
        result.output == f'{source}: written; install it with `kim-api-collections-management install user {source}`\n'
    )
    run = ['kim-api-collections-management', 'install', 'CWD', source]
    built = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_energies_forces_and_virials_are_as_in_the_engine(collection, ensemble, crystal):
    write(collection / 'atoms.data', crystal, format='lammps-data', specorder=['Al'], units='metal')
    (collection / 'in.test').write_text(INPUT)
    result = subprocess.run([LMP, '-in', 'in.test'], cwd=collection, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    rows = np.loadtxt(collection / 'atoms.dump', skiprows=9)
    cells = Cells.from_lists([rows[:, 1:4]], [crystal.cell.array], species=13)
    expected = NumbaEngine(ensemble, EngineSettings(dtype='float64')).evaluate(cells, stress=True)
    np.testing.assert_allclose(rows[:, 4:7], expected.forces, rtol=0, atol=1e-12)
    assert rows[:, 7].sum() == pytest.approx(expected.energies[0], rel=1e-13)
    stress = [expected.stresses[0][at] for at in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    found = rows[:, 8:].sum(axis=0) / (BAR * crystal.get_volume())
    np.testing.assert_allclose(found, stress, rtol=0, atol=1e-9)


def test_a_name_that_cannot_be_one_of_c_is_refused(ensemble, tmp_path):
    write_potential(tmp_path / 'model.safetensors', ensemble)
    result = CliRunner().invoke(worker, ['export', 'kim', f'{tmp_path}/model.safetensors', f'{tmp_path}/Al-laptop'])
    assert result.exit_code == 1
    assert 'the name of the folder is that of the model: letters, digits and underscores.' in result.output
    assert not (tmp_path / 'Al-laptop').exists()
