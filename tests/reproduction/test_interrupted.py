"""A training that was interrupted and continued from its checkpoint runs again, as a whole and job by job."""

from __future__ import annotations

import stat
import sys

import pytest
from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.reproduction.reproduce import Codes, check_single, reproduce
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.workchains.checkpointed import TrainWorkChain

pytestmark = pytest.mark.slow

# Runs the worker, and stops it when it reports a certain progress.
IMPATIENT = """#!{python}
import subprocess, sys
process = subprocess.Popen([{worker!r}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
for line in process.stdout:
    print(line, end='', flush=True)
    if 'step 40 of' in line:
        process.terminate()
sys.exit(process.wait())
"""


@pytest.fixture(scope='module')
def chain(tmp_path_factory, run_all, worker, worker_code, computer, make_labelled, tiny_model):
    """The TrainWorkChain of an interrupted training."""
    script = tmp_path_factory.mktemp('code') / 'impatient'
    script.write_text(IMPATIENT.format(python=sys.executable, worker=str(worker_code.filepath_executable)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    code = orm.InstalledCode(label='impatient', computer=computer, filepath_executable=str(script), with_mpi=False)
    builder = TrainWorkChain.get_builder()
    builder.worker = {
        **worker,
        'code': code.store(),
        'shards': {'shard_000': DatasetData(make_labelled(24)).store()},
        'model': orm.Dict(tiny_model),
        'settings': orm.Dict({'max_steps': 80, 'evaluation_interval': 10, 'batch_size': 8}),
        'seed': orm.Int(4),
    }
    (node,) = run_all(builder)
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture(scope='module')
def jobs(chain):
    """The jobs of the training, in order."""
    found = sorted((node for node in chain.called if isinstance(node, orm.CalcJobNode)), key=lambda node: node.pk)
    assert len(found) > 1
    return found


def test_the_whole_training_is_reproduced_by_a_code_that_is_not_interrupted(chain, worker_code):
    result = reproduce(chain, Codes(worker=worker_code))
    assert result.verdict == Verdict.IDENTICAL, [record for record in result.records if not record.identical]
    assert len([node for node in result.again.called if isinstance(node, orm.CalcJobNode)]) == 1


def test_the_last_job_continues_from_the_stored_checkpoint_again(jobs):
    result = reproduce(jobs[-1], Codes())
    assert result.verdict == Verdict.IDENTICAL, [record for record in result.records if not record.identical]
    assert result.again.inputs.parent_folder.uuid == jobs[-1].inputs.parent_folder.uuid


def test_an_interrupted_job_cannot_be_compared(jobs):
    with pytest.raises(AnialError, match='exit status 400'):
        check_single(jobs[0])
