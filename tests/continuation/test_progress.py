"""What is read from fake graphs that ended at unusual points, and from the work directory of a killed job."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState

from aiida_anial.calculations.worker import CHECKPOINT
from aiida_anial.continuation.plan import with_checkpoints
from aiida_anial.continuation.progress import labels_of, progress


@pytest.fixture
def process(aiida_profile):
    """Return a function that stores an ended process as the child of another."""

    def make(label, *, caller=None, link=None, state=ProcessState.FINISHED, exit_status=0, outputs=None, job=False):
        node = orm.CalcJobNode() if job else orm.WorkChainNode()
        node.set_process_label(label)
        node.set_process_state(state)
        node.label = link or ''
        if state == ProcessState.FINISHED:
            node.set_exit_status(exit_status)
        if caller is not None:
            kind = LinkType.CALL_CALC if job else LinkType.CALL_WORK
            node.base.links.add_incoming(caller, link_type=kind, link_label=link)
        node.store()
        for name, output in (outputs or {}).items():
            kind = LinkType.CREATE if job else LinkType.RETURN
            made = output if job else output.store()
            made.base.links.add_incoming(node, link_type=kind, link_label=name)
            made.store()
        return node

    return make


def pw_outputs(*, empty_band=True):
    """Return the outputs of a pw.x calculation."""
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.0, 0.0, 0.0]])
    bands = orm.BandsData()
    bands.set_kpointsdata(kpoints)
    bands.set_bands(np.array([[1.0, 2.0]]), units='eV', occupations=np.array([[2.0, 0.0 if empty_band else 1.0]]))
    trajectory = orm.TrajectoryData()
    trajectory.set_trajectory(['Al'], np.zeros((1, 1, 3)))
    return {'output_parameters': orm.Dict({}), 'output_trajectory': trajectory, 'output_band': bands}


def test_labels_of_finished_calculations_are_reused_and_of_killed_ones_not(process):
    labelling = process('LabelWorkChain', state=ProcessState.KILLED)
    done = process('PwBaseWorkChain', caller=labelling, link='cell_0', outputs=pw_outputs())
    process('PwBaseWorkChain', caller=labelling, link='cell_1', state=ProcessState.KILLED)
    found = labels_of(labelling)
    assert set(found) == {'parameters', 'trajectories'}
    assert {name: node.uuid for name, node in found['parameters'].items()} == {
        'cell_0': done.outputs.output_parameters.uuid
    }


@pytest.mark.parametrize(('empty_band', 'expected'), [(True, ['cell_0']), (False, [])])
def test_a_job_that_finished_before_its_caller_was_killed_is_reused_if_it_has_enough_bands(
    process, empty_band, expected
):
    labelling = process('LabelWorkChain', state=ProcessState.EXCEPTED)
    base = process('PwBaseWorkChain', caller=labelling, link='cell_0', state=ProcessState.KILLED)
    process('PwCalculation', caller=base, link='iteration_01', job=True, outputs=pw_outputs(empty_band=empty_band))
    assert sorted(labels_of(labelling).get('parameters', {})) == expected


@pytest.mark.parametrize(
    ('state', 'exit_status', 'expected'), [(ProcessState.KILLED, 410, True), (ProcessState.FINISHED, 410, False)]
)
def test_failures_are_kept_unless_the_labelling_failed_because_of_them(process, state, exit_status, expected):
    labelling = process('LabelWorkChain', state=state, exit_status=exit_status)
    process('PwBaseWorkChain', caller=labelling, link='cell_0', exit_status=410)
    found = labels_of(labelling)
    assert ('failures' in found) == expected
    if expected:
        assert 'exit status 410' in found['failures']['cell_0']


def killed_training(process, computer, folder):
    """Return a campaign that was killed in its first training, with the job's work directory ``folder``."""
    campaign = process('ActiveLearningWorkChain', state=ProcessState.KILLED)
    chain = process('TrainWorkChain', caller=campaign, link='initial_training', state=ProcessState.KILLED)
    remote = orm.RemoteData(computer=computer, remote_path=str(folder))
    job = process(
        'TrainEnsembleCalculation',
        caller=chain,
        link='iteration_01',
        state=ProcessState.KILLED,
        job=True,
        outputs={'remote_folder': remote},
    )
    return campaign, job.outputs.remote_folder


def test_the_checkpoint_of_a_killed_job_is_fetched_from_its_work_directory(process, computer, tmp_path, count_nodes):
    (tmp_path / CHECKPOINT).write_bytes(b'half of a training')
    campaign, remote = killed_training(process, computer, tmp_path)
    before = count_nodes()
    found = progress(campaign)
    assert found['training']['checkpoint'].uuid == remote.uuid
    assert count_nodes() == before
    folder = with_checkpoints(found)['training']['checkpoint']
    assert folder.get_object_content(CHECKPOINT, 'rb') == b'half of a training'
    assert folder.creator.inputs.remote.uuid == remote.uuid


@pytest.mark.parametrize('gone', ['file', 'folder'])
def test_a_missing_checkpoint_is_left_out(process, computer, tmp_path, count_nodes, gone):
    folder = tmp_path / 'work'
    folder.mkdir()
    campaign, _ = killed_training(process, computer, folder)
    if gone == 'folder':
        shutil.rmtree(folder)
    before = count_nodes()
    assert with_checkpoints(progress(campaign)) == {'training': {}}
    assert count_nodes() == before
