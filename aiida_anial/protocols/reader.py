"""From the nodes of a campaign back to the inputs that it was built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.active_learning.settings import CampaignInputs, JobSettings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.properties.settings import benchmark_set
from aiida_anial.protocols.builder import pw_max_seconds
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = ('CampaignNodes', 'campaign_nodes', 'read_campaign_inputs')

_RESOURCES = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')


@dataclass(frozen=True)
class CampaignNodes:
    """What ``campaign_builder`` takes beside the settings."""

    worker_code: orm.AbstractCode
    pw_code: orm.AbstractCode | None = None
    pseudo: UpfData | None = None
    potential: orm.SinglefileData | None = None
    teacher: EnsembleData | None = None


def campaign_nodes(inputs: Mapping[str, Any]) -> CampaignNodes:
    """Return the codes and data of a campaign.

    :param inputs: nested, as those of its builder.
    """
    worker = inputs['train']['worker']['code']
    if 'qe' in inputs['cycle']['label']:
        pw = inputs['cycle']['label']['qe']['pw']
        return CampaignNodes(worker, pw_code=pw['code'], pseudo=pw['pseudos']['Al'])
    evaluate = inputs['cycle']['label']['evaluate']
    return CampaignNodes(worker, potential=evaluate.get('potential'), teacher=evaluate.get('ensemble'))


def read_campaign_inputs(inputs: Mapping[str, Any]) -> CampaignInputs:
    """Return the settings from which ``campaign_builder`` made these inputs.

    What they do not say, such as the k-points of a campaign that is not labelled by ``pw.x``, is as in the defaults.

    :param inputs: nested, as those of its builder, with the options of the jobs.
    """
    train, cycle = inputs['train']['worker'], inputs['cycle']
    sampling = cycle['sample']['worker']
    stages = {stage: node.get_dict() for stage, node in inputs['training'].items()}
    settings: dict[str, Any] = {
        'description': inputs.get('metadata', {}).get('description', ''),
        'seed': inputs['seed'].value,
        'campaign': inputs['campaign'].get_dict(),
        'model': train['model'].get_dict(),
        'cells': cycle['cell_settings'].get_dict(),
        'schedules': cycle['schedule_settings'].get_dict(),
        'sampling': {'dynamics': sampling['settings'].get_dict(), 'job': _job(sampling)},
        'thresholds': inputs['threshold_rule'].get_dict(),
        'training': {'final': None, **stages, 'warm_start': inputs['warm_start'].value, 'job': _job(train)},
        'label': _label(cycle['label']),
    }
    if 'benchmark' in inputs:
        quick = inputs['benchmark']['properties'].get_list() == list(benchmark_set(quick=True)[0])
        settings['benchmark'] = {'properties': 'quick' if quick else 'full', 'job': _job(inputs['benchmark']['worker'])}
    if 'engine' in train:
        settings['engine'] = train['engine'].get_dict()
    return CampaignInputs.parse(settings)


def _job(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a kind of job."""
    options = inputs['metadata']['options']
    known = {**{name: options['resources'].get(name) for name in _RESOURCES}, **options}
    return {name: known[name] for name in JobSettings.model_fields if known.get(name) is not None}


def _label(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the labeller."""
    limits = inputs['limits'].get_dict()
    if 'qe' in inputs:
        return {'engine': 'qe', 'limits': limits, 'qe': _qe(inputs['qe'])}
    evaluate = inputs['evaluate']
    return {'engine': evaluate['labeller']['kind'], 'limits': limits, 'job': _job(evaluate)}


def _qe(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of pw.x; namelists that no other key stands for come last."""
    namelists = {name: dict(values) for name, values in inputs['pw']['parameters'].get_dict().items()}
    for keyword in ('calculation', 'tprnfor', 'tstress'):
        namelists['CONTROL'].pop(keyword)
    job = _job(inputs['pw'])
    if namelists['CONTROL'].get('max_seconds') == pw_max_seconds(JobSettings.parse(job)):
        namelists['CONTROL'].pop('max_seconds')
    system, electrons = namelists['SYSTEM'], namelists['ELECTRONS']
    system.pop('occupations')
    mesh = inputs['kpoints'].get_kpoints_mesh()[0] if 'kpoints' in inputs else None
    return {
        'pseudo_family': _family(inputs['pw']['pseudos']['Al']),
        'ecutwfc_ry': system.pop('ecutwfc'),
        'ecutrho_ry': system.pop('ecutrho'),
        'smearing': system.pop('smearing'),
        'degauss_ry': system.pop('degauss'),
        'conv_thr_ry': electrons.pop('conv_thr'),
        'kpoints_mesh': mesh,
        'kpoints_distance_per_angstrom': inputs['kpoints_distance'].value if mesh is None else None,
        'parameters': {name: values for name, values in namelists.items() if values},
        'job': job,
    }


def _family(pseudo: UpfData) -> str:
    """Return the label of a family with this pseudopotential."""
    query = orm.QueryBuilder().append(UpfData, filters={'uuid': pseudo.uuid}, tag='pseudo')
    labels = query.append(PseudoPotentialFamily, with_node='pseudo', project='label').all(flat=True)
    return PSEUDO_FAMILY if PSEUDO_FAMILY in labels or not labels else min(labels)
