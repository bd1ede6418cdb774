"""From settings to the builders of a campaign and of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.label_settings import QeSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.settings import Settings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.labellers.pw_inputs import pw_inputs
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.properties.registry import BenchmarkSettings, benchmark_set
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain
from aiida_anial.workchains.benchmark import BenchmarkWorkChain

__all__ = ('DFT_SETTINGS', 'BenchmarkSubjects', 'benchmark_builder', 'campaign_builder')


def campaign_builder(inputs: CampaignInputs, *, worker_code: orm.AbstractCode, **nodes: Any) -> ProcessBuilder:
    """Return a builder of ``ActiveLearningWorkChain``; nothing is stored.

    :param worker_code: code of ``anial-worker``.
    :param nodes: codes and data that the labeller needs: ``pw_code`` and ``pseudo`` for ``qe``, ``potential`` for
        ``eam``, ``teacher`` for ``ensemble``.
    :raises AnialError: if a node that the labeller needs is missing.
    """
    builder: Any = ActiveLearningWorkChain.get_builder()
    worker = {'code': worker_code, 'engine': _named('engine', inputs.engine)}
    threads = inputs.training.threads or inputs.engine.threads
    builder.settings = _named('all settings', inputs)
    builder.seed = orm.Int(inputs.seed)
    builder.campaign = _named('campaign', inputs.campaign)
    builder.threshold_rule = _named('thresholds', inputs.thresholds)
    builder.warm_start = orm.Bool(inputs.training.warm_start)
    builder.training = {
        stage: _named(f'training, {stage}', settings)
        for stage in ('initial', 'retrain', 'final')
        if (settings := getattr(inputs.training, stage)) is not None
    }
    builder.train.worker = {
        'code': worker_code,
        'engine': _named('engine of trainings', inputs.engine.model_copy(update={'threads': threads})),
        'model': _named('model', inputs.model),
        'metadata': {'options': inputs.training.job.options()},
    }
    builder.validate = {**worker, 'metadata': {'options': inputs.training.job.options()}}
    builder.cycle.cell_settings = _named('cells', inputs.cells)
    builder.cycle.schedule_settings = _named('schedules', inputs.schedules)
    builder.cycle.sample.worker = {
        **worker,
        'settings': _named('dynamics', inputs.sampling.dynamics),
        'metadata': {'options': inputs.sampling.job.options()},
    }
    labeller = labeller_named(inputs.label.labeller)
    builder.cycle.label.limits = _named('limits of labels', inputs.label.limits)
    builder.cycle.label[labeller.namespace] = labeller.inputs(inputs.label, nodes, worker)
    if inputs.benchmark.properties != 'none':
        names, settings = benchmark_set(quick=inputs.benchmark.properties == 'quick')
        builder.benchmark = {
            'properties': orm.List(list(names)),
            'settings': _named('properties', settings),
            'worker': {**worker, 'metadata': {'options': inputs.benchmark.job.options()}},
        }
    return cast(ProcessBuilder, builder)


def _named(name: str, settings: Settings) -> orm.Dict:
    """Return settings as a node with a name, which `verdi node graph generate` shows."""
    return orm.Dict(settings.to_dict(), label=name, description=name)


DFT_SETTINGS = QeSettings(kpoints_distance_per_angstrom=0.15, degauss_ry=0.05, conv_thr_ry=1e-10)
"""Settings of DFT references: 19 k-points per direction for the primitive cell, and a smearing wide enough for them.

With this mesh and the 0.02 Ry of the labels, the shear constants of aluminium would depend on the mesh by tens of GPa.
"""


@dataclass(frozen=True, eq=False)
class BenchmarkSubjects:
    """The potentials of a benchmark, and DFT.

    :param ensemble: main subject; None to compute references alone.
    :param references: other ensembles, by name.
    :param potentials: EAM files, by name.
    :param pw_code: code of ``pw.x``; None for a benchmark without DFT.
    :param pseudo: pseudopotential for DFT.
    :param qe: settings of DFT, with cutoffs.
    """

    ensemble: EnsembleData | None = None
    references: Mapping[str, EnsembleData] = field(default_factory=dict)
    potentials: Mapping[str, orm.SinglefileData] = field(default_factory=dict)
    pw_code: orm.AbstractCode | None = None
    pseudo: UpfData | None = None
    qe: QeSettings = DFT_SETTINGS


def benchmark_builder(
    subjects: BenchmarkSubjects,
    names: Sequence[str],
    settings: BenchmarkSettings,
    *,
    worker_code: orm.AbstractCode | None = None,
    job: JobSettings | None = None,
    max_concurrent: int = 2,
) -> ProcessBuilder:
    """Return a builder of ``BenchmarkWorkChain``; nothing is stored.

    :param subjects: what is benchmarked.
    :param names: names of the properties.
    :param settings: settings of the properties.
    :param worker_code: code of ``anial-worker``; needed unless there is only DFT.
    :param job: settings of the jobs of ``anial-worker``.
    :param max_concurrent: number of jobs that may run at once.
    :raises AnialError: if DFT lacks a pseudopotential or a cutoff.
    """
    builder: Any = BenchmarkWorkChain.get_builder()
    if subjects.ensemble is not None:
        builder.ensemble = subjects.ensemble
    builder.references = dict(subjects.references)
    builder.potentials = dict(subjects.potentials)
    builder.properties = orm.List(list(names))
    builder.settings = _named('properties', settings)
    builder.max_concurrent = orm.Int(max_concurrent)
    if worker_code is not None:
        builder.worker = {
            'code': worker_code,
            'engine': _named('engine', EngineSettings()),
            'metadata': {'options': (job or JobSettings()).options()},
        }
    if subjects.pw_code is not None:
        inputs = pw_inputs(subjects.qe, subjects.pw_code, subjects.pseudo)
        inputs.pop('kpoints_force_parity')
        builder.dft = {'kpoints_distance': inputs.pop('kpoints_distance'), 'qe': inputs}
    return cast(ProcessBuilder, builder)
