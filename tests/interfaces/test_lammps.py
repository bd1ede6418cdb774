"""The plugin in LAMMPS computes what the engine does, on any number of ranks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk
from click.testing import CliRunner
from llvmlite import binding

from aiida_anial.common.cells import Cells
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.potential import write_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.worker.main import main as worker

# Conversion of LAMMPS from eV/angstrom^3 to bar, which has the constants of another year.
BAR = 1.6021765e6
COLUMNS = 'id x y z fx fy fz c_pe f_atoms[1] f_atoms[2] ' + ' '.join(f'c_stress[{k}]' for k in range(1, 7))
VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
EVERYTHING = f"""
fix atoms all pair 1 anial energy_disagreement 1 force_disagreement 1
compute pe all pe/atom
compute stress all stress/atom NULL
thermo_style custom step pe pxx pyy pzz pxy pxz pyz c_anial[1] c_anial[2] c_anial[3] v_anial_disagreement
thermo_modify format float %.17g
dump atoms all custom 1 atoms.dump {COLUMNS}
dump_modify atoms sort id format float %.17g
run 0
"""


def numbers(output: str) -> np.ndarray:
    """Return the rows of the table that LAMMPS prints."""
    lines = output.splitlines()
    start = next(index for index, line in enumerate(lines) if line.split()[:1] == ['Step'])
    stop = next(index for index, line in enumerate(lines) if line.startswith('Loop time'))
    return np.array([line.split() for line in lines[start + 1 : stop] if re.match(r' +\d', line)], float)


def refused(plugin: Path, file: Path) -> str:
    """Run an input, which must fail, and return what was said."""
    command = [plugin / 'run.sh', file]
    result = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode
    return result.stdout + result.stderr


def evaluated(ensemble, atoms: ase.Atoms, dtype: str):
    cells = Cells.from_lists([atoms.positions], [atoms.cell.array], species=13)
    return NumbaEngine(ensemble, EngineSettings(dtype=dtype)).evaluate(cells, stress=True, member_forces=True)


@pytest.mark.parametrize(('dtype', 'tolerance'), [('float64', 1e-12), ('float32', 2e-6)])
@pytest.mark.parametrize('ranks', [1, 2, 5])
def test_everything_is_as_in_the_engine(make_plugin, ensemble, crystal, run_lammps, tmp_path, dtype, tolerance, ranks):
    ((_, energy, *rest),) = numbers(run_lammps(make_plugin(dtype=dtype), crystal, EVERYTHING, ranks=ranks))
    pressures, members, disagreement = np.array(rest[:6]), np.array(rest[6:9]), rest[9]
    rows = np.loadtxt(tmp_path / 'atoms.dump', skiprows=9)
    atoms = crystal.copy()
    atoms.positions = rows[:, 1:4]
    expected = evaluated(ensemble, atoms, dtype)

    def same(found, exact, size):
        np.testing.assert_allclose(found, exact, rtol=0, atol=tolerance * size)

    same(energy, expected.energies[0], len(atoms))
    same(members, expected.member_energies[:, 0], len(atoms))
    same(disagreement, expected.energy_disagreement[0], len(atoms))
    same(rows[:, 4:7], expected.forces, 1)
    same(rows[:, 9], expected.force_disagreement, 1)
    # dE/dstrain / volume, and the sums over atoms of the values of each.
    np.testing.assert_allclose(pressures, [-BAR * expected.stresses[0][at] for at in VOIGT], rtol=1e-6, atol=1)
    np.testing.assert_allclose(-rows[:, 10:].sum(axis=0) / atoms.get_volume(), pressures, rtol=1e-9, atol=1e-6)
    assert rows[:, 7].sum() == pytest.approx(energy, rel=1e-12)


def test_the_deviation_of_an_atom_is_that_of_the_energies_of_its_members(make_plugin, ensemble, run_lammps, tmp_path):
    """A single atom, whose energy is that of the cell."""
    atom = ase.Atoms('Al', positions=[[1.0, 2.0, 3.0]], cell=20 * np.eye(3), pbc=True)
    run_lammps(make_plugin(dtype='float64'), atom, EVERYTHING)
    row = np.loadtxt(tmp_path / 'atoms.dump', skiprows=9)
    expected = evaluated(ensemble, atom, 'float64')
    assert row[8] == pytest.approx(expected.energy_disagreement[0], abs=1e-12)
    assert row[9] == 0


def test_free_surfaces_and_ranks_without_atoms(make_plugin, ensemble, run_lammps, tmp_path):
    """A cluster in a box that is mostly empty, against the engine with vacuum around it."""
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    atoms.set_cell(np.diag([80.0, 80.0, 80.0]))
    atoms.positions += 5.0
    atoms.pbc = False
    lines = 'balance 1.0 x uniform\ndump atoms all custom 1 atoms.dump id x y z fx fy fz\n'
    lines += 'dump_modify atoms sort id format float %.17g\nrun 0\n'
    run_lammps(make_plugin(dtype='float64'), atoms, lines, ranks=4, boundary='f f f')
    rows = np.loadtxt(tmp_path / 'atoms.dump', skiprows=9)
    atoms.positions = rows[:, 1:4]
    np.testing.assert_allclose(rows[:, 4:], evaluated(ensemble, atoms, 'float64').forces, rtol=0, atol=1e-12)


def test_the_sum_of_forces_and_the_energy_are_conserved(make_plugin, crystal, run_lammps):
    """The potential of random weights is soft; what is tested is that forces are the gradient, step by step."""
    lines = 'velocity all create 50.0 1 mom yes\nfix nve all nve\ntimestep 0.0005\n'
    lines += 'thermo_style custom step etotal pe\nthermo_modify format float %.17g\nthermo 20\nrun 200\n'
    rows = numbers(run_lammps(make_plugin(dtype='float32'), crystal, lines, ranks=2))
    assert len(rows) == 11
    drift = np.ptp(rows[:, 1]) / len(crystal)
    assert drift < 1e-5
    assert np.ptp(rows[:, 2]) / len(crystal) > 20 * drift


def test_a_trajectory_halts_where_the_members_disagree(make_plugin, crystal, run_lammps):
    lines = (
        'velocity all create 300.0 1\nfix nve all nve\ntimestep 0.001\nthermo_style custom step v_anial_disagreement\n'
    )
    lines += 'fix stop all halt 5 v_anial_disagreement > {} error continue\nthermo 5\nrun 40\n'
    plugin = make_plugin(dtype='float32')
    first = numbers(run_lammps(plugin, crystal, lines.format(1e9)))
    assert first[-1, 0] == 40
    middle = np.sort(first[1:, 1])[len(first) // 2]
    stopped = numbers(run_lammps(plugin, crystal, lines.format(middle)))
    expected = next(step for step, value in first[1:] if value > middle)
    assert stopped[-1, 0] == expected


def test_one_member_alone_has_its_energy_and_no_disagreement(make_plugin, ensemble, crystal, run_lammps, tmp_path):
    lines = 'thermo_style custom step pe c_anial[1] c_anial[2]\nthermo_modify format float %.17g\nrun 0\n'
    ((_, energy, member, disagreement),) = numbers(run_lammps(make_plugin(dtype='float64', member=2), crystal, lines))
    expected = evaluated(ensemble, crystal, 'float64').member_energies[1, 0]
    # The data file has fewer digits than the positions.
    assert energy == pytest.approx(expected, abs=1e-4)
    assert (member, disagreement) == (pytest.approx(energy, rel=1e-12), 0)


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ('units real\natom_style atomic\n', "needs 'units metal'"),
        ('units metal\nnewton off\n', "needs 'newton on'"),
    ],
)
def test_what_does_not_fit_is_refused(make_plugin, tmp_path, lines, message):
    plugin = make_plugin(dtype='float32')
    box = 'region box block 0 10 0 10 0 10\ncreate_box 1 box\ncreate_atoms 1 single 1 1 1\n'
    (tmp_path / 'in.bad').write_text(f'{lines}{box}include {plugin}/potential.in\nrun 0\n')
    assert message in refused(plugin, tmp_path / 'in.bad')


def test_too_many_neighbours_are_named(make_plugin, tmp_path):
    plugin = make_plugin(dtype='float32')
    lines = 'units metal\nlattice fcc 1.7\nregion box block 0 5 0 5 0 5\ncreate_box 1 box\ncreate_atoms 1 box\n'
    (tmp_path / 'in.bad').write_text(
        f'{lines}include {plugin}/potential.in\nneigh_modify one 5000 page 100000\nrun 0\n'
    )
    assert re.search(r'atom \d+ has more than 1024 neighbours', refused(plugin, tmp_path / 'in.bad'))


@pytest.fixture
def copy(make_plugin, tmp_path):
    return shutil.copytree(make_plugin(dtype='float32'), tmp_path / 'copy')


def test_a_plugin_for_another_version_is_refused(copy, lmp, tmp_path):
    script = copy / 'build.sh'
    script.write_text(script.read_text().replace('"-DANIAL_LAMMPS=$version"', '-DANIAL_LAMMPS=20200101'))
    subprocess.run([script, lmp], check=True, capture_output=True)
    said = refused(copy, copy / 'in.stop')
    assert 'for version 20200101 of LAMMPS, and this is 20250722: run its build.sh again' in said


def test_a_processor_without_a_feature_is_refused(copy, lmp, tmp_path):
    header = copy / 'anial_model.h'
    header.write_text(re.sub(r'ANIAL_FEATURES .*', 'ANIAL_FEATURES ANIAL_CHECK("avx512er")', header.read_text()))
    subprocess.run([copy / 'build.sh', lmp], check=True, capture_output=True)
    said = refused(copy, copy / 'in.stop')
    assert 'for processors with avx512er, which this one has not: export with --cpu avx2' in said


def test_another_lammps_than_that_of_the_build_is_refused_before_it_runs(copy, tmp_path):
    other = tmp_path / 'lmp'
    other.write_text('#!/bin/sh\necho "Large-scale Atomic/Molecular Massively Parallel Simulator - 1 Jan 2020"\n')
    other.chmod(0o755)
    heading = (copy / 'lammps').read_text().splitlines()[1]
    (copy / 'lammps').write_text(f'{other}\n{heading}\n')
    said = refused(copy, copy / 'in.stop')
    assert said.startswith(f'run.sh: {other} is not the LAMMPS that the plugin was built for')


@pytest.mark.parametrize('processor', ['avx2', 'avx512'])
def test_code_for_a_chosen_processor_needs_what_that_has(
    make_plugin, processor, ensemble, crystal, run_lammps, tmp_path
):
    plugin = make_plugin(dtype='float32', processor=processor)
    features = re.findall(r'ANIAL_CHECK\("(\w+)"\)', (plugin / 'anial_model.h').read_text())
    assert ('avx512f' in features) == (processor == 'avx512')
    code = subprocess.run(['objdump', '-d', plugin / 'anial.o'], check=True, capture_output=True, text=True).stdout
    assert ('%zmm' in code) == (processor == 'avx512')
    lines = 'thermo_style custom step pe\nthermo_modify format float %.17g\nrun 0\n'
    if not all(binding.get_host_cpu_features().get(feature) for feature in features):
        pytest.skip(f'this processor is none of {processor}; the code was read, not run')
    ((_, energy),) = numbers(run_lammps(plugin, crystal, lines))
    assert energy == pytest.approx(evaluated(ensemble, crystal, 'float32').energies[0], abs=1e-3)


def test_the_worker_exports_a_file_and_says_what_to_do_next(ensemble, lmp, tmp_path):
    write_potential(tmp_path / 'model.safetensors', ensemble)
    folder = tmp_path / 'plugin'
    arguments = ['export', 'lammps', f'{tmp_path}/model.safetensors', f'{folder}']
    result = CliRunner().invoke(worker, [*arguments, '--lmp', f'{lmp}'])
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f'{folder}: anialplugin.so is for {lmp}, version 20250722; try `{folder}/run.sh {folder}/in.crystal`\n'
    )
    again = CliRunner().invoke(worker, arguments)
    assert (again.exit_code, again.output) == (1, f'Error: {folder}: already exists; give the name of a new folder.\n')


@pytest.mark.parametrize('name', ['in.crystal', 'in.stop'])
def test_the_inputs_beside_the_plugin_run_from_any_folder(make_plugin, tmp_path, name):
    plugin = make_plugin(dtype='float32')
    (tmp_path / name).write_text(re.sub(r'run \d+', 'run 2', (plugin / name).read_text()))
    result = subprocess.run([plugin / 'run.sh', name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
