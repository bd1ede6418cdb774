"""From the inputs of a campaign to the builder of its work chain."""

from __future__ import annotations

from typing import Any, cast

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_anial.active_learning.settings import CampaignInputs, JobSettings, LabellerSettings, QeSettings
from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.labellers.pw_base import PwBaseWorkChain
from aiida_anial.properties.settings import benchmark_set
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain

__all__ = ('campaign_builder', 'pw_inputs', 'pw_max_seconds')


def campaign_builder(
    inputs: CampaignInputs,
    *,
    worker_code: orm.AbstractCode,
    pw_code: orm.AbstractCode | None = None,
    pseudo: UpfData | None = None,
    potential: orm.SinglefileData | None = None,
    teacher: EnsembleData | None = None,
) -> ProcessBuilder:
    """Return a builder of ``ActiveLearningWorkChain``; nothing is stored.

    :param worker_code: runs ``anial-worker``.
    :param pw_code: runs ``pw.x``; needed by the labeller ``qe``, as is ``pseudo``.
    :param potential: EAM file; needed by the labeller ``eam``.
    :param teacher: needed by the labeller ``ensemble``.
    :raises AnialError: if a node that the labeller needs is missing.
    """
    builder: Any = ActiveLearningWorkChain.get_builder()
    engine = orm.Dict(inputs.engine.to_dict())
    worker = {'code': worker_code, 'engine': engine}
    builder.seed = orm.Int(inputs.seed)
    builder.campaign = orm.Dict(inputs.campaign.to_dict())
    builder.threshold_rule = orm.Dict(inputs.thresholds.to_dict())
    builder.warm_start = orm.Bool(inputs.training.warm_start)
    builder.training = {
        stage: orm.Dict(settings.to_dict())
        for stage in ('initial', 'retrain', 'final')
        if (settings := getattr(inputs.training, stage)) is not None
    }
    builder.train.worker = {
        **worker,
        'model': orm.Dict(inputs.model.to_dict()),
        'metadata': {'options': inputs.training.job.options()},
    }
    builder.validate = {**worker, 'metadata': {'options': inputs.training.job.options()}}
    builder.cycle.cell_settings = orm.Dict(inputs.cells.to_dict())
    builder.cycle.schedule_settings = orm.Dict(inputs.schedules.to_dict())
    builder.cycle.sample.worker = {
        **worker,
        'settings': orm.Dict(inputs.sampling.dynamics.to_dict()),
        'metadata': {'options': inputs.sampling.job.options()},
    }
    builder.cycle.label.limits = orm.Dict(inputs.label.limits.to_dict())
    if inputs.label.engine == 'qe':
        builder.cycle.label.qe = pw_inputs(inputs.label.qe, pw_code, pseudo)
    else:
        builder.cycle.label.evaluate = _evaluate(inputs.label, worker, potential, teacher)
    if inputs.benchmark.properties != 'none':
        names, settings = benchmark_set(quick=inputs.benchmark.properties == 'quick')
        builder.benchmark = {
            'properties': orm.List(list(names)),
            'settings': orm.Dict(settings.to_dict()),
            'worker': {**worker, 'metadata': {'options': inputs.benchmark.job.options()}},
        }
    return cast(ProcessBuilder, builder)


def pw_inputs(settings: QeSettings, code: orm.AbstractCode | None, pseudo: UpfData | None) -> dict[str, Any]:
    """Return the inputs of every ``PwBaseWorkChain``; its nodes are shared by all labels."""
    if code is None or pseudo is None:
        raise AnialError('label.engine: the labeller qe needs a code for pw.x and a pseudopotential.')
    if settings.ecutwfc_ry is None:
        raise AnialError('label.qe.ecutwfc_ry: no cutoff is given and the pseudopotential family recommends none.')
    inputs: dict[str, Any] = {
        'pw': {
            'code': code,
            'pseudos': {'Al': pseudo},
            'parameters': orm.Dict(_parameters(settings)),
            'settings': orm.Dict({}),
            'metadata': {'options': settings.job.options()},
        },
        'clean_workdir': orm.Bool(True),
    }
    if settings.kpoints_mesh is not None:
        inputs['kpoints'] = orm.KpointsData()
        inputs['kpoints'].set_kpoints_mesh(list(settings.kpoints_mesh))
    else:
        inputs['kpoints_distance'] = orm.Float(settings.kpoints_distance_per_angstrom)
        inputs['kpoints_force_parity'] = orm.Bool(False)
    return inputs


def pw_max_seconds(job: JobSettings) -> float:
    """Return after how many seconds pw.x stops by itself, so that its output is whole."""
    return float(job.max_wallclock_seconds * PwBaseWorkChain.defaults.delta_factor_max_seconds)


def _parameters(settings: QeSettings) -> dict[str, Any]:
    """Return the namelists of pw.x."""
    ours: dict[str, dict[str, Any]] = {
        'CONTROL': {'calculation': 'scf', 'tprnfor': True, 'tstress': True},
        'SYSTEM': {
            'ecutwfc': settings.ecutwfc_ry,
            'ecutrho': settings.ecutrho_ry,
            'occupations': 'smearing',
            'smearing': settings.smearing,
            'degauss': settings.degauss_ry,
        },
        'ELECTRONS': {'conv_thr': settings.conv_thr_ry},
    }
    for namelist, values in settings.parameters.items():
        ours.setdefault(namelist.upper(), {}).update(values)
    # What PwBaseWorkChain would add, in a node of its own for each label.
    ours['CONTROL'].setdefault('max_seconds', pw_max_seconds(settings.job))
    return ours


def _evaluate(
    settings: LabellerSettings,
    worker: dict[str, Any],
    potential: orm.SinglefileData | None,
    teacher: EnsembleData | None,
) -> dict[str, Any]:
    """Return the inputs of every ``EvaluateCalculation``."""
    inputs: dict[str, Any] = {
        **worker,
        'labeller': orm.Dict({'kind': settings.engine}),
        'metadata': {'options': settings.job.options()},
    }
    if settings.engine == 'eam':
        if potential is None:
            raise AnialError('label.engine: the labeller eam needs a potential file.')
        inputs['potential'] = potential
    if settings.engine == 'ensemble':
        if teacher is None:
            raise AnialError('label.engine: the labeller ensemble needs a trained potential as teacher.')
        inputs['ensemble'] = teacher
    return inputs
