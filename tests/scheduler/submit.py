"""Submit the processes that the test interrupts, with labels and an ensemble from a folder; run by ``verdi run``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import submit
from ase.build import bulk

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.common.labels import LabelledCells
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import read_potential
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.workchains.checkpointed import SampleWorkChain, TrainWorkChain
from aiida_anial.workchains.label import LabelWorkChain

# A job of anial-worker stops itself 10 s before this limit.
LIMIT_S = 26
UNLIMITED_S = 3600

folder = Path(sys.argv[1])
ensemble = EnsembleData(read_potential(folder / 'ensemble.safetensors')).store()


def dense_cells(n: int) -> dict[str, orm.StructureData]:
    """Return jittered cells of 108 atoms."""
    generator = np.random.default_rng(1)
    cells = {}
    for index in range(n):
        atoms = bulk('Al', cubic=True).repeat(3)
        atoms.positions += 0.05 * generator.standard_normal(atoms.positions.shape)
        cells[f'cell_{index}'] = orm.StructureData(ase=atoms)
    return cells


def training() -> dict[str, Any]:
    """Return the inputs of a training that takes some seconds."""
    return {
        'shards': {'shard_000': DatasetData(LabelledCells.read(folder / 'labelled.safetensors'))},
        'model': orm.Dict(ensemble.ensemble.model.to_dict()),
        'settings': orm.Dict({'max_steps': 1500, 'evaluation_interval': 10, 'batch_size': 8}),
        'seed': orm.Int(4),
    }


def sampling() -> dict[str, Any]:
    """Return the inputs of a sampling that takes some seconds, with such small steps that the cells hardly change."""
    schedule = Schedule(t_start_k=300, t_end_k=300, t_mod_k=0, t_0_ps=0.3, t_max_ps=0.008)
    return {
        'cells': dense_cells(2),
        'ensemble': ensemble,
        'schedules': orm.List([schedule.to_dict()] * 2),
        'settings': orm.Dict({'time_step_fs': 0.005, 'frame_interval': 100, 'min_time_ps': 0.001, 'batch_size': 1}),
        'thresholds': orm.Dict({'energy_ev_per_sqrt_atom': 1e6}),
        'seed': orm.Int(5),
    }


def job(comment: str, **settings: Any) -> dict[str, Any]:
    """Return settings of jobs with a comment by which Slurm lists them."""
    return {'max_memory_kb': 2**19, 'custom_scheduler_commands': [f'#SBATCH --comment={comment}'], **settings}


def submit_worker(chain: Any, inputs: dict[str, Any], comment: str, limit_s: int) -> int:
    """Submit a work chain that runs jobs of ``anial-worker``, and return its pk."""
    builder = chain.get_builder()
    options = JobSettings.parse(job(comment, max_wallclock_seconds=limit_s)).options()
    builder.worker = {**inputs, 'code': orm.load_code('anial-worker@cluster'), 'metadata': {'options': options}}
    return submit(builder).pk


def submit_label() -> int:
    """Submit the label of a cell for which pw.x takes some seconds, and return the pk of the work chain."""
    slow = {'ecutwfc_ry': 16, 'ecutrho_ry': 64, 'kpoints_distance_per_angstrom': 0.1, 'conv_thr_ry': 1e-10}
    qe = {**slow, 'job': job('slow', max_wallclock_seconds=10)}
    inputs = campaign_inputs('demo', {'label': {'qe': qe}})
    campaign = campaign_builder(
        inputs,
        worker_code=orm.load_code('anial-worker@cluster'),
        pw_code=orm.load_code('pw@cluster'),
        pseudo=orm.load_group(inputs.label.qe.pseudo_family).get_pseudo('Al'),
    )
    builder = LabelWorkChain.get_builder()
    builder.cells = {'slow': orm.StructureData(ase=bulk('Al', cubic=True))}
    builder.limits, builder.qe = campaign.cycle.label.limits, campaign.cycle.label.qe
    return submit(builder).pk


def submit_here() -> int:
    """Submit a job to Slurm without SSH, as the user who runs the daemon, and return its pk."""
    work = folder / 'work'
    computer = orm.Computer('here', 'localhost', '', 'core.local', 'core.slurm', str(work)).store()
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_minimum_job_poll_interval(0.5)
    computer.configure(safe_interval=0)
    executable = str(Path(sys.executable).with_name('anial-worker'))
    builder = EvaluateCalculation.get_builder()
    builder.code = orm.InstalledCode(computer, executable, label='worker').store()
    builder.cells, builder.labeller = dense_cells(1), orm.Dict({'kind': 'emt'})
    builder.metadata.options = JobSettings().options()
    return submit(builder).pk


pks = {'here': submit_here()}
for name, chain, make in (('train', TrainWorkChain, training), ('sample', SampleWorkChain, sampling)):
    pks[name] = submit_worker(chain, make(), name, LIMIT_S)
    pks[f'whole {name}'] = submit_worker(chain, make(), 'whole', UNLIMITED_S)
pks['slow'] = submit_label()
print(json.dumps(pks))
