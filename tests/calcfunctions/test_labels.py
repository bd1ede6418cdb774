"""Labels from the outputs of pw.x and of an evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.calcfunctions.collect_evaluated import collect_evaluated
from aiida_anial.calcfunctions.collect_labels import collect_labels
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.pw_outputs import pw_kpoints, pw_level_of_theory

# CODATA: one eV/angstrom^3 is 1.602176634e-19 J / 1e-30 m^3.
GPA_PER_EV_ANGSTROM3 = 160.2176634

SETTINGS = {'max_force_ev_per_angstrom': 50.0}
SOURCE = {'iteration': 2, 'origin': 'active_learning'}


@pytest.fixture
def pw_outputs(fake_job):
    """Return a function that makes the outputs of a finished pw.x job, two ionic steps where the last one counts."""

    def make(n_atoms: int, *, energy: float = -10.0, force: float = 1.0, stress: Any = 0.0) -> dict[str, Any]:
        forces = np.zeros((2, n_atoms, 3))
        forces[0] = 777.0
        forces[1, -1, 0] = force
        stresses = np.zeros((2, 3, 3))
        stresses[0] = 777.0
        stresses[1] = stress
        node = orm.TrajectoryData()
        node.set_trajectory(symbols=['Al'] * n_atoms, positions=np.zeros((2, n_atoms, 3)))
        node.set_array('forces', forces)
        node.set_array('stress', stresses)
        parameters = orm.Dict({'energy': energy, 'energy_one_electron': 55.0, 'energy_smearing': -0.5})
        job = fake_job('quantumespresso.pw', outputs={'output_parameters': parameters, 'output_trajectory': node})
        return {'parameters': parameters, 'trajectories': node, 'job': job}

    return make


def collect(structures, outputs, failures=None, settings=None):
    return collect_labels(
        settings=orm.Dict(settings or SETTINGS),
        source=orm.Dict(SOURCE),
        failures=orm.Dict(failures or {}),
        cells={label: structures[label] for label in outputs},
        parameters={label: output['parameters'] for label, output in outputs.items()},
        trajectories={label: output['trajectories'] for label, output in outputs.items()},
    )


def test_labels_carry_energy_forces_stress_and_origin_of_their_own_job(make_structures, pw_outputs):
    structures = make_structures(3)
    compressed = np.diag([16.02176634, 32.04353268, 0.0])
    outputs = {
        'cell_0000': pw_outputs(4, energy=-10.0, force=1.5, stress=compressed),
        'cell_0001': pw_outputs(4, energy=-20.0, force=2.5),
        'cell_0002': pw_outputs(4, energy=-30.0, force=3.5),
    }
    result = collect(structures, outputs)
    labelled = result['dataset'].labelled
    assert labelled.energies.tolist() == [-10.0, -20.0, -30.0]
    assert [labelled.forces_of(index)[-1, 0] for index in range(3)] == [1.5, 2.5, 3.5]
    # pw.x's stress is positive in compression, and in GPa.
    np.testing.assert_allclose(labelled.stresses[0], -compressed / GPA_PER_EV_ANGSTROM3, rtol=1e-6)
    np.testing.assert_allclose(labelled.stresses[0, 0, 0], -0.1, rtol=1e-6)
    assert labelled.uuids == tuple(outputs[label]['job'].uuid for label in sorted(outputs))
    assert labelled.iterations.tolist() == [2, 2, 2]
    assert set(labelled.origins) == {'active_learning'}
    assert result['rejected'].get_dict() == {}


def test_each_label_belongs_to_its_cell(make_structures, pw_outputs):
    structures = make_structures(3)
    outputs = {label: pw_outputs(4) for label in ('cell_0002', 'cell_0000')}
    labelled = collect(structures, outputs)['dataset'].labelled
    for index, label in enumerate(('cell_0000', 'cell_0002')):
        sites = [site.position for site in structures[label].sites]
        np.testing.assert_allclose(labelled.cells.one(index)[0], sites)


def test_a_shard_is_linked_to_every_structure_and_every_output(make_structures, pw_outputs):
    structures = make_structures(2)
    outputs = {label: pw_outputs(4) for label in structures}
    dataset = collect(structures, outputs)['dataset']
    linked = {link.node.pk for link in dataset.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC)}
    for label in structures:
        assert {structures[label].pk, outputs[label]['parameters'].pk, outputs[label]['trajectories'].pk} <= linked


@pytest.mark.parametrize(
    ('bad', 'why'),
    [
        ({'force': 51.0}, 'a force of 51.0 eV/angstrom is above the limit of 50'),
        ({'force': -51.0}, 'a force of 51.0 eV/angstrom'),
        ({'force': np.nan}, 'not finite'),
        ({'stress': np.inf}, 'not finite'),
    ],
)
def test_an_unsound_label_is_rejected_with_its_reason(make_structures, pw_outputs, bad, why):
    structures = make_structures(2)
    outputs = {'cell_0000': pw_outputs(4), 'cell_0001': pw_outputs(4, **bad)}
    result = collect(structures, outputs, failures={'cell_0007': 'it crashed'})
    assert result['dataset'].n_configurations == 1
    rejected = result['rejected'].get_dict()
    assert rejected.keys() == {'cell_0001', 'cell_0007'}
    assert why in rejected['cell_0001']
    assert rejected['cell_0007'] == 'it crashed'


def test_a_force_at_the_limit_is_sound(make_structures, pw_outputs):
    structures = make_structures(1)
    result = collect(structures, {'cell_0000': pw_outputs(4, force=50.0)})
    assert result['dataset'].n_configurations == 1


def test_when_every_calculation_has_failed_there_is_no_dataset_but_the_reasons(make_structures, pw_outputs):
    result = collect(make_structures(1), {}, failures={'cell_0000': 'it crashed'})
    assert 'dataset' not in result
    assert result['rejected'].get_dict() == {'cell_0000': 'it crashed'}


def test_the_default_limit_of_the_force_holds_where_none_is_given(make_structures, pw_outputs):
    result = collect(make_structures(1), {'cell_0000': pw_outputs(4, force=50.1)}, settings={'max_concurrent': 1})
    assert 'above the limit of 50' in result['rejected']['cell_0000']


@pytest.fixture
def evaluation(fake_job, make_labelled):
    """The labels of a finished evaluation of three cells."""
    labelled = make_labelled(3)
    labels = orm.ArrayData()
    for name in ('energies', 'forces', 'stresses'):
        labels.set_array(name, getattr(labelled, name).copy())
    return labels, labelled, fake_job


def evaluate(structures, labels, failures=None, max_force=50.0) -> dict[str, Any]:
    return collect_evaluated(
        settings=orm.Dict({'max_force_ev_per_angstrom': max_force}),
        source=orm.Dict(SOURCE),
        labels=labels,
        failures=orm.Dict(failures or {}),
        cells=structures,
    )


def test_evaluated_labels_are_those_of_the_cells_in_the_order_of_their_names(evaluation, make_structures):
    labels, labelled, fake_job = evaluation
    job = fake_job('anial.evaluate', inputs={'labeller': orm.Dict({'kind': 'emt'})}, outputs={'labels': labels})
    structures = {name: cell.store() for name, cell in make_structures(3).items()}
    found = evaluate(structures, labels)['dataset']
    assert isinstance(found, DatasetData)
    np.testing.assert_array_equal(found.labelled.energies, labelled.energies)
    np.testing.assert_array_equal(found.labelled.forces, labelled.forces)
    np.testing.assert_array_equal(found.labelled.stresses, labelled.stresses)
    assert set(found.labelled.uuids) == {job.uuid}
    linked = {link.node.pk for link in found.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC)}
    assert {labels.pk, *(node.pk for node in structures.values())} <= linked


def test_a_cell_that_could_not_be_evaluated_costs_only_itself(evaluation, make_structures):
    labels, labelled, fake_job = evaluation
    energies, forces = labels.get_array('energies'), labels.get_array('forces')
    energies[1], forces[4:8] = np.nan, np.nan
    labels.set_array('energies', energies)
    labels.set_array('forces', forces)
    fake_job('anial.evaluate', inputs={'labeller': orm.Dict({'kind': 'emt'})}, outputs={'labels': labels})
    result = evaluate(make_structures(3), labels, failures={'cell_0001': 'no luck'})
    assert result['dataset'].labelled.energies.tolist() == [labelled.energies[0], labelled.energies[2]]
    np.testing.assert_array_equal(result['dataset'].labelled.forces_of(1), labelled.forces_of(2))
    assert result['rejected'].get_dict() == {'cell_0001': 'no luck'}


def test_evaluated_labels_with_unphysical_forces_are_rejected(evaluation, make_structures):
    labels, labelled, fake_job = evaluation
    fake_job('anial.evaluate', inputs={'labeller': orm.Dict({'kind': 'emt'})}, outputs={'labels': labels})
    largest = [np.linalg.norm(labelled.forces_of(index), axis=1).max() for index in range(3)]
    limit = sorted(largest)[1] + 1e-9
    result = evaluate(make_structures(3), labels, max_force=float(limit))
    assert list(result['rejected'].get_dict()) == [f'cell_{int(np.argmax(largest)):04d}']
    assert result['dataset'].n_configurations == 2


def test_every_label_is_a_node_with_the_numbers_to_query_by(make_structures, pw_outputs):
    structures = make_structures(2)
    stress = np.diag([3.0, 6.0, 0.0])
    outputs = {name: pw_outputs(4, energy=-20.0, force=1.5, stress=stress) for name in structures}
    result = collect(structures, outputs)
    cell = structures['cell_0001']
    values = result['labels']['cell_0001'].base.attributes.all
    assert values['row'] == 1
    assert values['calculation'] == outputs['cell_0001']['job'].uuid == result['dataset'].labelled.uuids[1]
    assert (values['iteration'], values['origin'], values['n_atoms']) == (2, 'active_learning', 4)
    assert values['energy_per_atom_ev'] == -5.0
    assert values['max_force_ev_per_angstrom'] == pytest.approx(1.5)
    assert values['pressure_gpa'] == pytest.approx(3.0)
    # Four atoms of 26.98 g/mol.
    grams = 4 * 26.9815385 / 6.02214076e23
    assert values['density_g_per_cm3'] == pytest.approx(grams / (cell.get_cell_volume() * 1e-24), rel=1e-6)
    assert values['content_hash'] == result['dataset'].labelled.hashes()[1]
    creators = {node.creator.pk for node in (*result['labels'].values(), result['dataset'])}
    assert len(creators) == 1


@pytest.mark.parametrize(
    ('system', 'expected'),
    [
        ({'ecutwfc': 16.0}, {'ecutwfc_ry': 16.0, 'ecutrho_ry': 64.0, 'smearing': None}),
        (
            {'ecutwfc': 16.0, 'ecutrho': 80.0, 'occupations': 'smearing', 'smearing': 'mv', 'degauss': 0.02},
            {'ecutrho_ry': 80.0, 'smearing': 'cold', 'degauss_ry': 0.02},
        ),
        ({'ecutwfc': 16.0, 'occupations': 'smearing', 'degauss': 0.1}, {'smearing': 'gaussian', 'degauss_ry': 0.1}),
    ],
)
def test_the_level_of_theory_is_read_from_the_calculation(fake_job, system, expected):
    parameters = orm.Dict(
        {'creator_version': '6.7', 'dft_exchange_correlation': 'PBE', 'monkhorst_pack_grid': [2, 2, 3]}
    )
    fake_job(
        'quantumespresso.pw',
        inputs={'parameters': orm.Dict({'SYSTEM': system})},
        outputs={'output_parameters': parameters},
    )
    theory = pw_level_of_theory(parameters)
    assert theory.to_dict().items() >= expected.items()
    assert (theory.code, theory.functional, theory.kpoints_mesh) == ('pw.x', 'PBE', (2, 2, 3))
    assert pw_kpoints(parameters) == '2x2x3'
    by_distance = pw_level_of_theory(parameters, kpoints_distance=0.3)
    assert by_distance.kpoints_mesh is None
    assert by_distance.differences(theory) == [
        'kpoints_mesh none and 2x2x3',
        'kpoints_distance_per_angstrom 0.3 and none',
    ]


def test_versions_of_a_program_are_no_difference():
    old, new = (LevelOfTheory(code='pw.x', version=version, functional='PBE') for version in ('6.7', '7.4'))
    assert old.differences(new) == []
    assert old.key != new.key
    assert old.differences(LevelOfTheory(code='pw.x', functional='PZ')) == ['functional PBE and PZ']
