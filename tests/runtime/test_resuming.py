"""AiiDA loses the ``remote_folder`` of a job whose daemon worker dies just after the upload; nothing else is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import CalcJob

from aiida_anial.active_learning.label_settings import QeSettings
from aiida_anial.data.dataset import DatasetData
from aiida_anial.labellers.pw_inputs import pw_inputs
from aiida_anial.workchains.checkpointed import TrainWorkChain
from aiida_anial.workchains.label import LabelWorkChain


@pytest.fixture
def forgetful(monkeypatch):
    """Make AiiDA lose what it records of a job after the upload, as when it is killed before it stores it."""
    plain = CalcJob.out
    monkeypatch.setattr(
        CalcJob, 'out', lambda self, name, value=None: name == 'remote_folder' or plain(self, name, value)
    )


def check_chain(chain, jobs_under):
    """Check that a chain has finished with one job, whose work directory was lost and is deleted."""
    (job,) = jobs_under(chain)
    assert chain.is_finished_ok, chain.exit_message
    assert 'remote_folder' not in job.outputs
    assert not Path(job.get_remote_workdir()).exists()


@pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')
def test_a_label(forgetful, run_all, pw_code, pseudo, make_structures, jobs_under):
    settings = {'ecutwfc_ry': 14, 'ecutrho_ry': 56, 'kpoints_mesh': [1, 1, 1], 'degauss_ry': 0.05}
    builder = LabelWorkChain.get_builder()
    builder.cells = make_structures(1)
    builder.qe = pw_inputs(QeSettings.parse(settings), pw_code, pseudo)
    (chain,) = run_all(builder)
    assert chain.outputs.dataset.n_configurations == 1
    check_chain(chain, jobs_under)


def test_a_training(forgetful, run_all, worker, make_labelled, tiny_model, jobs_under):
    builder = TrainWorkChain.get_builder()
    builder.worker = {
        **worker,
        'shards': {'shard_000': DatasetData(make_labelled(12)).store()},
        'model': orm.Dict(tiny_model),
        'settings': orm.Dict({'max_steps': 10, 'evaluation_interval': 10, 'batch_size': 8}),
        'seed': orm.Int(4),
    }
    (chain,) = run_all(builder)
    assert 'ensemble' in chain.outputs
    check_chain(chain, jobs_under)
