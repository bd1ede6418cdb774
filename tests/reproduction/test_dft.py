"""Labels by the real ``pw.x`` are reproduced within the tolerances of their convergence threshold."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from aiida import orm
from ase import units

from aiida_anial.reproduction.comparison import compare
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.steps import load_step, obstacle
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.workchains.label import LabelWorkChain

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')]

CONV_THR_RY = 1e-7


@pytest.fixture(scope='module')
def chain(run_all, pw_code, pseudo, make_structures):
    """The labelling of two cells, with too few bands at first, so that each label takes two jobs."""
    from aiida_anial.active_learning.label_settings import QeSettings
    from aiida_anial.labellers.pw_inputs import pw_inputs

    settings = QeSettings.parse(
        {
            'ecutwfc_ry': 14,
            'ecutrho_ry': 56,
            'kpoints_mesh': None,
            'kpoints_distance_per_angstrom': 1.0,
            'degauss_ry': 0.05,
            'conv_thr_ry': CONV_THR_RY,
            'parameters': {'SYSTEM': {'nbnd': 10}},
            'job': {'max_wallclock_seconds': 600},
        }
    )
    builder = LabelWorkChain.get_builder()
    builder.cells = make_structures(2, seed=3)
    builder.qe = pw_inputs(settings, pw_code, pseudo)
    (node,) = run_all(builder)
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture(scope='module')
def label(chain):
    """The work chain of one label."""
    return min((node for node in chain.called if node.process_label == 'PwBaseWorkChain'), key=lambda node: node.pk)


@pytest.fixture(scope='module')
def jobs(label):
    """The jobs of the label, in order."""
    return sorted((node for node in label.called if isinstance(node, orm.CalcJobNode)), key=lambda node: node.pk)


def by_quantity(records):
    return {record.quantity: record for record in records}


def test_a_label_runs_again_with_the_cache_on(label, caching):
    result = reproduce(label, Codes())
    assert result.verdict in {Verdict.IDENTICAL, Verdict.WITHIN}, result.records
    assert not any(node.base.caching.is_created_from_cache for node in result.again.called_descendants)
    folders = [node.outputs.remote_folder for node in result.again.called if isinstance(node, orm.CalcJobNode)]
    assert folders
    assert all(folder.is_cleaned for folder in folders)

    records = by_quantity(result.records)
    assert {'energy', 'forces', 'stress', 'fermi_energy', 'creator_version', 'number_of_electrons'} <= set(records)
    assert not {'wall_time_seconds', 'scf_iterations', 'bands', 'remote_path'} & set(records)
    assert records['energy'].tolerance == pytest.approx(CONV_THR_RY * units.Ry)
    assert [records[name].unit for name in ('energy', 'forces', 'stress')] == ['eV', 'eV/Å', 'GPa']
    assert records['creator_version'].note


def test_for_the_output_of_a_job_that_continued_another_the_whole_label_runs_again(label, jobs):
    assert len(jobs) > 1
    assert load_step(str(label.outputs.output_parameters.pk)).uuid == label.uuid
    assert load_step(jobs[-1].uuid).uuid == label.uuid
    assert 'work directory of another job, which is not stored' in obstacle(jobs[-1])
    assert load_step(str(jobs[0].outputs.output_parameters.pk)).uuid == jobs[0].uuid


def test_a_job_by_itself_is_cleaned_as_the_original_was(jobs):
    assert jobs[0].outputs.remote_folder.is_cleaned
    result = reproduce(jobs[0], Codes())
    assert result.verdict.is_fine, result.records
    assert result.again.process_label == 'PwCalculation'
    assert result.again.outputs.remote_folder.is_cleaned


@pytest.mark.parametrize('process', ['collect_labels', 'make_meshes'])
def test_functions_around_the_labels(chain, process):
    (step,) = [node for node in chain.called if node.process_label == process]
    assert reproduce(step, Codes()).verdict == Verdict.IDENTICAL


@pytest.mark.parametrize(('factor', 'verdict'), [(0.9, Verdict.WITHIN), (1.1, Verdict.FAILED)])
def test_the_tolerance_of_an_energy_is_its_convergence_threshold(jobs, copy_of, factor, verdict):
    parameters = jobs[0].outputs.output_parameters.get_dict()
    deviation = factor * CONV_THR_RY * units.Ry
    parameters['energy'] += deviation
    tampered = copy_of(jobs[0], outputs={'output_parameters': orm.Dict(parameters)})
    records = by_quantity(compare(tampered, jobs[0]))
    assert records['energy'].verdict == verdict
    assert records['energy'].deviation == pytest.approx(deviation, rel=1e-5)
    assert records['forces'].verdict == Verdict.IDENTICAL


def test_forces_and_stress_have_tolerances_too(jobs, copy_of):
    trajectory = jobs[0].outputs.output_trajectory
    tolerances = by_quantity(compare(jobs[0], copy_of(jobs[0])))
    for name in ('forces', 'stress'):
        other = trajectory.clone()
        values = np.array(other.get_array(name))
        values.flat[0] += 1.1 * tolerances[name].tolerance
        other.set_array(name, values)
        records = by_quantity(compare(copy_of(jobs[0], outputs={'output_trajectory': other}), jobs[0]))
        assert [quantity for quantity, one in records.items() if one.verdict == Verdict.FAILED] == [name]


def test_a_badly_converged_calculation_stays_within_its_tolerance(jobs, run_all):
    """Other starting wavefunctions and another mixing give different results within the threshold."""
    builder = jobs[0].get_builder_restart()
    builder.metadata.pop('call_link_label', None)
    runs = []
    for changes in ({}, {'startingwfc': 'random', 'mixing_beta': 0.3, 'mixing_mode': 'local-TF'}):
        parameters = builder.parameters.get_dict()
        parameters['ELECTRONS'].update({'conv_thr': 1e-5, **changes})
        again = jobs[0].get_builder_restart()
        again.metadata.pop('call_link_label', None)
        again.parameters = orm.Dict(parameters)
        runs.append(again)
    records = by_quantity(compare(*run_all(*runs)))
    for name in ('energy', 'forces', 'stress'):
        assert records[name].verdict == Verdict.WITHIN
        assert 1e-4 * records[name].tolerance < records[name].deviation < records[name].tolerance


def test_another_version_of_pw_is_reported_and_relaxes_no_tolerance(jobs, copy_of):
    parameters = jobs[0].outputs.output_parameters.get_dict()
    older = copy_of(jobs[0], outputs={'output_parameters': orm.Dict({**parameters, 'creator_version': '6.1'})})
    records = compare(older, jobs[0])
    (version,) = [record for record in records if not record.identical]
    assert version.verdict == Verdict.OTHER_VERSION
    assert version.note == f'6.1 became {parameters["creator_version"]}'

    changed = {**parameters, 'creator_version': '6.1', 'energy': parameters['energy'] + 1.0}
    records = compare(copy_of(jobs[0], outputs={'output_parameters': orm.Dict(changed)}), jobs[0])
    assert by_quantity(records)['energy'].verdict == Verdict.FAILED
