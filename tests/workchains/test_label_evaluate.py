"""Labels from a potential: sound ones are kept, the others are rejected, and too many of those are an error."""

from __future__ import annotations

import io

import numpy as np
import pytest
from aiida import orm
from ase import Atoms
from ase.calculators.emt import EMT

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.structures import to_structure
from aiida_anial.workchains.label import LabelWorkChain

LATTICE = 4.05 * np.eye(3)


def close_pair() -> orm.StructureData:
    """Return two atoms a third of an angstrom apart, which EMT repels with hundreds of eV/angstrom."""
    return to_structure(np.array([[0, 0, 0], [0.3, 0, 0]]), LATTICE, np.array([13, 13]))


@pytest.fixture(scope='module')
def chains(run_all, worker, make_structures, make_ensemble):
    """Labellings by name, run side by side."""
    cells = make_structures(4)
    emt = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    garbage = orm.SinglefileData(io.BytesIO(b'this is no potential'), filename='x.eam.alloy')
    teacher = EnsembleData(make_ensemble()).store()

    def limits(**values: object) -> orm.Dict:
        return orm.Dict(LabelSettings.parse(values).to_dict())

    given = {
        'sound': {
            'cells': cells,
            'evaluate': emt,
            'source': orm.Dict({'iteration': 3, 'origin': 'active_learning'}),
        },
        'all unphysical': {'cells': cells, 'evaluate': emt, 'limits': limits(max_force_ev_per_angstrom=1e-4)},
        'one unphysical': {
            'cells': {**cells, 'cell_0001b': close_pair()},
            'evaluate': emt,
            'limits': limits(max_failed_fraction=0.2),
        },
        'one too many': {
            'cells': {**cells, 'cell_0001b': close_pair()},
            'evaluate': emt,
            'limits': limits(max_failed_fraction=0.19),
        },
        'no potential': {
            'cells': cells,
            'evaluate': {**worker, 'labeller': orm.Dict({'kind': 'eam'}), 'potential': garbage},
        },
        'teacher': {
            'cells': cells,
            'evaluate': {**worker, 'labeller': orm.Dict({'kind': 'ensemble'}), 'ensemble': teacher},
        },
        'few limits': {'cells': cells, 'evaluate': emt, 'limits': orm.Dict({'max_concurrent': 1})},
    }
    builders = []
    for inputs in given.values():
        builder = LabelWorkChain.get_builder()
        for name, value in inputs.items():
            setattr(builder, name, value)
        builders.append(builder)
    return dict(zip(given, run_all(*builders), strict=True))


def test_emt_labels_are_those_of_ase(chains):
    chain = chains['sound']
    assert chain.is_finished_ok
    labelled = chain.outputs.dataset.labelled
    assert len(labelled) == 4
    for index, cell in enumerate(chain.inputs.cells[name] for name in sorted(chain.inputs.cells)):
        positions = [site.position for site in cell.sites]
        atoms = Atoms('Al4', positions=positions, cell=cell.cell, pbc=True, calculator=EMT())
        assert labelled.energies[index] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labelled.forces_of(index), atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(labelled.stresses[index], atoms.get_stress(voigt=False), atol=1e-12)
    assert labelled.iterations.tolist() == [3] * 4
    assert set(labelled.origins) == {'active_learning'}


def test_a_label_carries_the_uuid_of_its_calculation_from_which_its_structure_is_found(chains):
    chain = chains['sound']
    labelled = chain.outputs.dataset.labelled
    for index, name in enumerate(sorted(chain.inputs.cells)):
        job = orm.load_node(labelled.uuids[index])
        assert isinstance(job, orm.CalcJobNode)
        sites = [site.position for site in job.inputs.cells[name].sites]
        np.testing.assert_allclose(labelled.cells.one(index)[0], sites)


def test_when_all_labels_are_unphysical_the_reasons_are_attached_to_the_failure(chains):
    chain = chains['all unphysical']
    assert chain.exit_status == 410
    assert '4 of 4' in chain.exit_message
    assert 'dataset' not in chain.outputs
    rejected = chain.outputs.rejected.get_dict()
    assert sorted(rejected) == sorted(chain.inputs.cells)
    assert all('above the limit of 0.0001' in why for why in rejected.values())


def test_an_unphysical_label_is_rejected_and_the_others_stay(chains):
    chain = chains['one unphysical']
    assert chain.is_finished_ok
    assert list(chain.outputs.rejected.get_dict()) == ['cell_0001b']
    assert 'unphysical' in chain.outputs.rejected['cell_0001b']
    sound = chains['sound'].outputs.dataset.labelled
    np.testing.assert_array_equal(chain.outputs.dataset.labelled.energies, sound.energies)


def test_more_failures_than_allowed_are_an_error_that_keeps_the_labels(chains):
    chain = chains['one too many']
    assert chain.exit_status == 410
    assert '1 of 5' in chain.exit_message
    assert chain.outputs.dataset.n_configurations == 4


def test_a_potential_that_cannot_be_read_is_the_reason_of_the_failure(chains):
    chain = chains['no potential']
    assert chain.exit_status == 420
    assert 'not a LAMMPS EAM file' in chain.exit_message


def test_a_teacher_gives_labels_like_its_calculator(chains):
    chain = chains['teacher']
    assert chain.is_finished_ok
    labelled = chain.outputs.dataset.labelled
    teacher = chain.inputs.evaluate.ensemble
    positions, lattice = labelled.cells.one(2)
    atoms = Atoms('Al4', positions=positions, cell=lattice, pbc=True, calculator=teacher.get_ase_calculator())
    assert labelled.energies[2] == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    np.testing.assert_allclose(labelled.forces_of(2), atoms.get_forces(), atol=1e-3)


def test_limits_that_are_not_given_are_the_defaults(chains):
    assert chains['few limits'].is_finished_ok


def test_the_report_counts(chains):
    reports = [log.message for log in orm.Log.collection.get_logs_for(chains['one unphysical'])]
    assert any('labelled 4 of 5 cells' in line for line in reports)


@pytest.mark.parametrize(
    ('labellers', 'expected'), [((), 'exactly one labeller'), (('qe', 'evaluate'), 'exactly one labeller')]
)
def test_no_labeller_or_two_are_refused(run_all, worker, pw_code, pseudo, make_structures, labellers, expected):
    given = {
        'evaluate': {**worker, 'labeller': orm.Dict({'kind': 'emt'})},
        'qe': {
            'pw': {
                'code': pw_code,
                'pseudos': {'Al': pseudo},
                'parameters': orm.Dict({}),
                'metadata': worker['metadata'],
            },
            'kpoints_distance': orm.Float(0.8),
        },
    }
    builder = LabelWorkChain.get_builder()
    builder.cells = make_structures(1)
    for name in labellers:
        setattr(builder, name, given[name])
    with pytest.raises(ValueError, match=expected):
        run_all(builder)
