"""Dynamics in LAMMPS, from settings to a trajectory, compared with the engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import ase
import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError, SettingsError
from aiida_anial.interfaces.lammps_dynamics import (
    ATOMS,
    END,
    INPUT,
    LOG,
    RESTART,
    LammpsSettings,
    data_file,
    input_file,
    job_header,
    triangular,
)
from aiida_anial.interfaces.lammps_output import (
    LammpsDynamics,
    can_continue,
    error_of,
    lammps_table,
    ran_out_of_time,
    read_dynamics,
)
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.sampling.trajectory import StopReason


@pytest.fixture(scope='module')
def turned(crystal) -> ase.Atoms:
    """The crystal, in an orientation that LAMMPS cannot have, with atoms outside of the cell."""
    atoms = crystal.copy()
    atoms.rotate(50, (1, 2, 3), rotate_cell=True)
    atoms.positions[::5] += atoms.cell.array[1]
    return atoms


@pytest.fixture
def run(make_plugin, turned, tmp_path):
    """Return a function that runs a dynamics of the crystal in ``tmp_path``, or goes on with that of this name."""

    def dynamics(*, name: str = 'job', limit: int | None = None, until: int | None = None, **options) -> LammpsDynamics:
        settings = LammpsSettings.parse(options)
        folder = shutil.copytree(make_plugin(dtype='float64'), tmp_path / name, dirs_exist_ok=True)
        (folder / ATOMS).write_text(data_file(turned.positions, turned.cell.array))
        text = input_file(settings, seed=7)
        if until is not None:
            # As if a time limit had ended it there.
            text = text.replace(f'run {settings.n_steps} upto', f'run {until} upto')
        (folder / INPUT).write_text(job_header(limit) + text)
        command = [folder / 'run.sh', INPUT, '2', '-log', 'none']
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stdout[-3000:]
        species = turned.numbers.astype(np.int16)
        log = (folder / LOG).read_text()
        return read_dynamics(folder, log, settings, species=species, lattice=turned.cell.array)

    return dynamics


def test_a_triangular_lattice_is_the_lattice_in_other_axes(turned):
    for lattice in (turned.cell.array, turned.cell.array[[1, 0, 2]]):
        cell, rotation = triangular(lattice)
        np.testing.assert_allclose(cell @ rotation, lattice, atol=1e-12)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
        np.testing.assert_allclose(np.triu(cell, 1), 0, atol=1e-12)
        assert (np.diag(cell) > 0).all()


def test_frames_of_a_cell_that_changes_are_those_that_the_engine_evaluates(run, turned, ensemble):
    found = run(
        ensemble='npt',
        time_ps=0.05,
        temperatures_k=[300, 500],
        pressure_gpa=5.0,
        pressure_mode='tri',
        pressure_damping_ps=0.05,
        frame_interval=20,
        force_disagreement=True,
    )
    trajectory, table = found.trajectory, found.table
    assert trajectory.stop_reason is StopReason.COMPLETED
    assert trajectory.steps.tolist() == [0, 20, 40, 50]
    np.testing.assert_allclose(trajectory.times_ps, [0, 0.02, 0.04, 0.05])
    np.testing.assert_allclose(trajectory.target_temperatures_k, [300, 380, 460, 500])
    np.testing.assert_allclose(trajectory.positions[0], turned.positions, atol=1e-9)
    np.testing.assert_allclose(trajectory.lattices[0], turned.cell.array, atol=1e-9)
    assert np.abs(trajectory.lattices[-1] - turned.cell.array).max() > 1e-3
    cells = Cells.from_lists(list(trajectory.positions), list(trajectory.lattices), species=13)
    expected = NumbaEngine(ensemble, EngineSettings(dtype='float64')).evaluate(cells, member_forces=True, stress=True)
    np.testing.assert_allclose(trajectory.energies, expected.energies, rtol=1e-12)
    np.testing.assert_allclose(trajectory.energy_disagreement, expected.energy_disagreement, rtol=1e-8)
    of_atoms = expected.force_disagreement.reshape(4, -1)
    np.testing.assert_allclose(trajectory.force_disagreement_max, of_atoms.max(axis=1), rtol=1e-8)
    np.testing.assert_allclose(trajectory.force_disagreement_mean, of_atoms.mean(axis=1), rtol=1e-8)
    assert len(table['steps']) == 6
    kinetic = 0.5 * 26.98154 * np.sum((trajectory.velocities[-1] / 0.09822695) ** 2)
    assert table['total_energies_ev'][-1] - table['energies_ev'][-1] == pytest.approx(kinetic, rel=1e-4)
    assert table['temperatures_k'][0] == pytest.approx(300, rel=1e-6)
    gpa = 160.21766
    trace = np.trace(expected.stresses[0]) * gpa
    kinetic = 2 * (table['total_energies_ev'] - table['energies_ev'])[0] / table['volumes_angstrom3'][0] * gpa
    assert table['pressures_gpa'][0, :3].sum() == pytest.approx(kinetic - trace, rel=1e-3)


def test_it_ends_where_the_members_disagree(run, turned, ensemble):
    cells = Cells.from_lists([turned.positions], [turned.cell.array], species=13)
    at_start = NumbaEngine(ensemble, EngineSettings()).evaluate(cells).energy_disagreement[0]
    found = run(time_ps=1.0, max_energy_disagreement_ev=0.5 * at_start, frame_interval=100)
    assert found.trajectory.stop_reason is StopReason.ENERGY_DISAGREEMENT
    assert found.trajectory.stop_step == found.trajectory.steps[-1] < 1000


def test_a_time_limit_leaves_what_there_is(run, tmp_path):
    found = run(ensemble='nve', time_ps=1000.0, limit=31)
    assert found.trajectory.stop_step == found.trajectory.steps[-1] < 1e6
    assert np.isnan(found.trajectory.target_temperatures_k).all()
    log = (tmp_path / 'job' / LOG).read_text()
    assert ran_out_of_time(log)
    assert can_continue(log)


# A barostat is as heavy as the temperature at the start of a job makes it, so a ramp of npt is not quite the same.
@pytest.mark.parametrize(
    'options',
    [{'ensemble': 'npt', 'pressure_mode': 'aniso'}, {'ensemble': 'nvt', 'temperatures_k': [300, 600]}],
    ids=lambda options: options['ensemble'],
)
def test_a_dynamics_over_two_jobs_is_that_of_one(run, tmp_path, options):
    options = {'time_ps': 0.1, 'frame_interval': 20, **options}
    first = run(name='two', until=40, **options)
    assert first.trajectory.stop_step == 40
    assert (tmp_path / 'two' / RESTART).exists()
    two, one = run(name='two', **options), run(name='one', **options)
    assert not (tmp_path / 'two' / RESTART).exists()
    assert two.trajectory.steps.tolist() == one.trajectory.steps.tolist() == list(range(0, 101, 20))
    for name, values in one.table.items():
        np.testing.assert_allclose(two.table[name], values, rtol=1e-8, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(two.trajectory.positions, one.trajectory.positions, atol=1e-8)
    np.testing.assert_allclose(two.trajectory.target_temperatures_k, one.trajectory.target_temperatures_k)


def test_a_log_is_that_of_its_last_job():
    limit, saved = 'New timer settings: a\nWARNING: Wall time limit reached\n', 'System init for write_restart ...\n'
    assert ran_out_of_time(limit)
    assert not can_continue(limit)
    assert can_continue(limit + saved)
    assert not ran_out_of_time(limit + saved + 'New timer settings: a\nLoop time\n')
    table = 'keywords: [Step, c_push, ]\ndata:\n  - [{}, 1, ]\n  - [{}, {}, ]\n...\n'
    other = 'keywords: [Step, Pxx, ]\ndata:\n  - [0, 1, ]\n...\n'
    joined = lammps_table(other + table.format(0, 10, 2) + table.format(10, 20, 3))
    assert joined['Step'].tolist() == [0, 10, 20]
    assert joined['c_push'].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, 'time_ps: '),
        ({'time_ps': 1.0, 'time_step_fs': 20.0}, 'time_step_fs: '),
        ({'time_ps': 1.0, 'ensemble': 'npt; shell rm'}, 'ensemble: '),
        ({'time_ps': 1.0, 'frame_interval': 15}, 'frame_interval: 15 is no multiple of check_interval'),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(SettingsError, match=message):
        LammpsSettings.parse(options)


def test_damaged_output_is_named(turned, tmp_path):
    settings, kinds = LammpsSettings(time_ps=0.1), turned.numbers.astype(np.int16)
    with pytest.raises(FileFormatError, match='the log of LAMMPS has no table'):
        read_dynamics(tmp_path, 'Loop time', settings, species=kinds, lattice=turned.cell.array)
    log = 'keywords: [Step, Time]\ndata:\n  - [0, 0, ]\n...\n'
    with pytest.raises(FileFormatError, match=r'frames.dump is missing'):
        read_dynamics(tmp_path, log, settings, species=kinds, lattice=turned.cell.array)
    for name in ('frames.dump', END):
        Path(tmp_path / name).write_text('ITEM: TIMESTEP\n0\n')
    with pytest.raises(FileFormatError, match=r'frames.dump: not a dump of 143 atoms'):
        read_dynamics(tmp_path, log, settings, species=kinds, lattice=turned.cell.array)


def test_the_error_of_a_log_is_found():
    assert error_of('LAMMPS\nERROR: Unrecognized pair style (src/force.cpp:279)\nLast') == (
        'Unrecognized pair style (src/force.cpp:279)'
    )
    assert error_of('Loop time') is None
