"""Dynamics in LAMMPS as jobs."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import CalculationFactory, WorkflowFactory
from ase.build import bulk

from aiida_anial.calcfunctions.export_sources import export_sources
from aiida_anial.cli.code_checks import code_check
from aiida_anial.common.cells import Cells
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_structure
from aiida_anial.potential.numba_engine import NumbaEngine
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.queries.records import records


@pytest.fixture(scope='module')
def ensemble(make_ensemble, aiida_profile) -> EnsembleData:
    return EnsembleData(make_ensemble()).store()


@pytest.fixture(scope='module')
def potential(ensemble) -> Any:
    settings = {'filename': 'plugin', 'program': 'lammps', 'dtype': 'float64', 'processor': 'host'}
    return export_sources(settings=orm.Dict(settings), ensemble=ensemble)


@pytest.fixture
def builder(lammps_code, potential) -> Any:
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=2)
    builder = CalculationFactory('anial.lammps').get_builder()
    builder.code = lammps_code
    builder.potential = potential
    builder.structure = to_structure(atoms.positions, atoms.cell.array, atoms.numbers)
    builder.settings = orm.Dict({'time_ps': 0.02, 'frame_interval': 10})
    builder.seed = orm.Int(3)
    builder.metadata.options.resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 2}
    return builder


def test_a_dynamics_on_two_ranks_leaves_a_trajectory_with_its_provenance(run_all, builder, ensemble):
    (node,) = run_all(builder)
    assert node.is_finished_ok, (node.exit_message, node.outputs.retrieved.list_object_names())
    assert 'on 2 procs for 20 steps' in node.outputs.retrieved.base.repository.get_object_content('log.lammps')
    trajectory = node.outputs.trajectory
    assert trajectory.base.attributes.get('stop_reason') == 'completed'
    assert trajectory.get_array('steps').tolist() == [0, 10, 20]
    start = node.inputs.structure.get_ase().positions
    np.testing.assert_allclose(trajectory.get_array('positions')[0], start, atol=1e-9)
    engine = NumbaEngine(ensemble.ensemble, EngineSettings(dtype='float64'))
    last = trajectory.get_step_structure(2).get_ase()

    found = engine.evaluate(Cells.from_lists([last.positions], [last.cell.array], species=13))
    assert trajectory.get_array('energies')[-1] == pytest.approx(found.energies[0], rel=1e-9)
    assert node.outputs.table.get_array('pressures_gpa').shape == (3, 6)
    (row,) = records('trajectories', {'pk': trajectory.pk})
    assert (row['stop_reason'], row['iteration']) == ('completed', None)
    assert node.inputs.potential.creator.inputs.ensemble.uuid == ensemble.uuid


@pytest.mark.slow
def test_a_dynamics_goes_on_after_its_wall_clock(run_all, builder, jobs_under):
    builder.settings = orm.Dict({'ensemble': 'nve', 'time_ps': 1.5, 'frame_interval': 500, 'check_interval': 100})
    builder.metadata.options.max_wallclock_seconds = 31
    chain = WorkflowFactory('anial.lammps.base').get_builder()
    chain.lammps = builder
    (node,) = run_all(chain)
    assert node.is_finished_ok, node.exit_message
    jobs = jobs_under(node)
    assert [job.exit_status for job in jobs] == [400] * (len(jobs) - 1) + [0]
    assert len(jobs) >= 2
    for earlier, later in pairwise(jobs):
        assert later.inputs.parent_folder.uuid == earlier.outputs.remote_folder.uuid
    assert node.outputs.trajectory.uuid == jobs[-1].outputs.trajectory.uuid
    assert node.outputs.trajectory.get_array('steps').tolist() == [0, 500, 1000, 1500]
    assert node.outputs.table.get_array('steps').tolist() == list(range(0, 1501, 100))
    total = node.outputs.table.get_array('total_energies_ev')
    assert np.ptp(total) / 108 < 1e-3
    assert all(job.outputs.remote_folder.is_cleaned for job in jobs)


def test_a_script_that_saves_nothing_is_not_run_again(run_all, builder, jobs_under):
    lines = [
        'units metal',
        'read_data atoms.data',
        'include ${anial}/potential.in',
        'velocity all create 300 1',
        'fix motion all nve',
        'run 1000000',
    ]
    del builder.settings, builder.seed
    builder.script = orm.SinglefileData(io.BytesIO('\n'.join(lines).encode()), filename='in.own')
    builder.metadata.options.max_wallclock_seconds = 31
    chain = WorkflowFactory('anial.lammps.base').get_builder()
    chain.lammps = builder
    (node,) = run_all(chain)
    assert node.exit_status == 401
    assert 'saved no `dynamics.restart` to go on from' in node.exit_message
    assert len(jobs_under(node)) == 1


def test_a_script_runs_as_it_is(run_all, builder):
    lines = ['units metal', 'read_data atoms.data', 'include ${anial}/potential.in', 'run 0', 'write_data after.data']
    del builder.settings, builder.seed
    builder.script = orm.SinglefileData(io.BytesIO('\n'.join(lines).encode()), filename='in.own')
    builder.metadata.options.additional_retrieve_list = ['after.data']
    (node,) = run_all(builder)
    assert node.is_finished_ok, node.exit_message
    assert set(node.outputs) == {'remote_folder', 'retrieved'}
    assert '108 atoms' in node.outputs.retrieved.base.repository.get_object_content('after.data')


@pytest.mark.parametrize(
    ('missing', 'message'),
    [
        (('settings',), 'settings: give either settings or a script'),
        (('seed',), 'seed: a dynamics by settings needs it'),
    ],
)
def test_a_dynamics_without_what_it_needs_is_refused(builder, local_runner, missing, message):
    for name in missing:
        del builder[name]
    with pytest.raises(ValueError, match=message):
        local_runner.submit(builder)


def test_an_error_of_lammps_is_told(run_all, builder):
    builder.settings = orm.Dict({'time_ps': 0.02, 'temperatures_k': [0, 0]})
    (node,) = run_all(builder)
    assert node.exit_status == 410
    assert 'LAMMPS stopped: Target temperature for fix nvt cannot be 0.0' in node.exit_message


def test_a_plugin_that_cannot_be_built_is_told(run_all, builder, monkeypatch):
    builder.metadata.options.environment_variables = {'CXX': '/bin/false'}
    (node,) = run_all(builder)
    assert node.exit_status == 312
    assert 'the compiler failed' in node.exit_message


def test_settings_that_cannot_be_are_refused(builder):
    with pytest.raises(ValueError, match=r'settings.time_ps: '):
        builder.settings = orm.Dict({'time_ps': -1.0})


def test_a_folder_that_is_no_plugin_is_refused(builder):
    with pytest.raises(ValueError, match='is no plugin of LAMMPS'):
        builder.potential = orm.FolderData()


def test_doctor_asks_lammps_for_its_version(lammps_code):
    found = code_check(lammps_code)
    assert found.passed
    assert '22 Jul 2025' in found.finding
