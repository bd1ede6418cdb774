"""Labels by pw.x are taken over from another labelling, without any calculation."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from aiida import orm

from aiida_anial.active_learning.label_settings import LabelSettings, QeSettings
from aiida_anial.continuation.progress import labels_of
from aiida_anial.workchains.label import LabelWorkChain

pytestmark = pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')


@pytest.fixture(scope='module')
def chains(run_all, pw_code, pseudo, make_structures):
    """A labelling of two cells, and one of four: the same two, one that is known to fail, and a new one."""
    from aiida_anial.labellers.pw_inputs import pw_inputs

    mesh = {'kpoints_mesh': None, 'kpoints_distance_per_angstrom': 1.0}
    settings = QeSettings.parse({'ecutwfc_ry': 12, 'ecutrho_ry': 48, **mesh})
    cells = {name: cell.store() for name, cell in make_structures(4, seed=8).items()}

    def labelling(names, adopted):
        builder = LabelWorkChain.get_builder()
        builder.cells = {name: cells[name] for name in names}
        builder.qe = pw_inputs(settings, pw_code, pseudo)
        builder.limits = orm.Dict(LabelSettings(max_failed_fraction=0.3).to_dict())
        builder.adopted = adopted
        return builder

    (first,) = run_all(labelling(['cell_0000', 'cell_0002'], {}))
    failures = orm.Dict({'cell_0003': 'it did not converge', 'cell_0009': 'of another campaign'})
    (second,) = run_all(labelling(sorted(cells), {**labels_of(first), 'failures': failures}))
    return first, second


def test_only_cells_without_a_label_are_launched(chains):
    _, second = chains
    assert second.is_finished_ok, second.exit_message
    launched = [node.label for node in second.called if node.process_label == 'PwBaseWorkChain']
    assert launched == ['cell_0001']
    assert second.outputs.rejected.get_dict() == {'cell_0003': 'it did not converge'}


def test_the_labels_are_those_of_the_calculations_that_were_taken_over(chains):
    first, second = (chain.outputs.dataset.labelled for chain in chains)
    assert len(second) == 3
    assert (second.uuids[0], second.uuids[2]) == first.uuids
    np.testing.assert_array_equal(second.energies[[0, 2]], first.energies)
    np.testing.assert_array_equal(second.forces_of(2), first.forces_of(1))


def test_meshes_are_made_for_the_others_only(chains):
    _, second = chains
    (made,) = [node for node in second.called if node.process_label == 'make_meshes']
    assert [name for name in made.inputs if name.startswith('cell')] == ['cell_0001']


def test_the_report_counts_what_was_taken_over(chains):
    reports = [log.message for log in orm.Log.collection.get_logs_for(chains[1])]
    assert any('2 of 4 cells are labelled already' in line for line in reports)


def test_more_failures_than_may_be_are_tried_again(chains, run_all):
    """What made all of them fail, such as a computer that was misconfigured, may be gone."""
    _, second = chains
    builder = second.get_builder_restart()
    builder.cells = {'cell_0003': second.inputs.cells.cell_0003}
    builder.adopted = {'failures': orm.Dict({'cell_0003': 'the computer was not configured'})}
    (third,) = run_all(builder)
    assert third.is_finished_ok, third.exit_message
    assert third.outputs.dataset.n_configurations == 1
    assert third.outputs.rejected.get_dict() == {}
