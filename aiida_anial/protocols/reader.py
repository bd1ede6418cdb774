"""Read the settings, codes and data of a campaign back from its input nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.labellers.labeller import Nodes
from aiida_anial.labellers.registry import labeller_of
from aiida_anial.properties.registry import benchmark_set

__all__ = ('CampaignNodes', 'campaign_nodes', 'inferred_campaign_inputs', 'read_campaign_inputs')


@dataclass(frozen=True)
class CampaignNodes:
    """The codes and data that ``campaign_builder`` takes in addition to the settings.

    :param worker_code: code of ``anial-worker``.
    :param labeller: codes and data of the labeller, by the name of the argument of ``campaign_builder``.
    """

    worker_code: orm.AbstractCode
    labeller: Nodes = field(default_factory=dict)


def campaign_nodes(inputs: Mapping[str, Any]) -> CampaignNodes:
    """Return the codes and data of a campaign.

    :param inputs: inputs of the campaign, nested like those of its builder.
    """
    label = inputs['cycle']['label']
    labeller = labeller_of(label)
    return CampaignNodes(inputs['train']['worker']['code'], labeller.read_nodes(label[labeller.namespace]))


def read_campaign_inputs(inputs: Mapping[str, Any]) -> CampaignInputs:
    """Return the settings from which ``campaign_builder`` made these inputs.

    :param inputs: inputs of the campaign with the options of its jobs, nested like those of its builder.
    """
    if 'settings' in inputs:
        return CampaignInputs.parse(inputs['settings'].get_dict())
    return inferred_campaign_inputs(inputs)


def inferred_campaign_inputs(inputs: Mapping[str, Any]) -> CampaignInputs:
    """Infer the settings of a campaign of an earlier version, which did not store them in a node.

    Settings that cannot be inferred, such as the k-points of a campaign that is not labelled by ``pw.x``, get their
    default values.

    :param inputs: inputs of the campaign with the options of its jobs, nested like those of its builder.
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
    if 'engine' in sampling:
        settings['engine'] = sampling['engine'].get_dict()
    if 'engine' in train and train['engine']['threads'] != settings.get('engine', {}).get('threads'):
        settings['training']['threads'] = train['engine']['threads']
    return CampaignInputs.parse(settings)


def _job(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job settings of one kind of job."""
    return JobSettings.from_options(inputs['metadata']['options']).to_dict()


def _label(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the labels, including those of the labeller."""
    labeller = labeller_of(inputs)
    settings = labeller.read_settings(inputs[labeller.namespace])
    return {'labeller': labeller.name, 'limits': inputs['limits'].get_dict(), **settings}
