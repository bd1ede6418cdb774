"""Resolve the options of ``submit`` to settings and nodes; a continued campaign provides the defaults."""

from __future__ import annotations

from typing import Any

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import loaded, loaded_code
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs, read_overrides
from aiida_anial.protocols.reader import CampaignNodes

__all__ = ('WORKER_CODE', 'dataset', 'resolve_inputs', 'resolve_nodes')

WORKER_CODE = 'anial-worker@localhost'


def resolve_inputs(options: dict[str, Any], old: CampaignInputs | None = None) -> CampaignInputs:
    """Return the settings that the command line asks for.

    :param old: settings of the campaign to continue. Without a protocol they are the defaults; with one, only their
        seed and pseudopotential family are.
    """
    overrides = _overrides(options)
    if old is None:
        return campaign_inputs(options['protocol'], overrides)
    if options['protocol'] is None:
        return changed_inputs(old, overrides)
    base = campaign_inputs(options['protocol'], overrides).to_dict()
    if 'seed' not in overrides:
        base['seed'] = old.seed
    if 'pseudo_family' not in overrides.get('label', {}).get('qe', {}):
        base['label']['qe']['pseudo_family'] = old.label.qe.pseudo_family
    return CampaignInputs.parse(base)


def _overrides(options: dict[str, Any]) -> dict[str, Any]:
    """Return the overrides of the file and the command line, merged."""
    overrides = read_overrides(options['overrides']) if options['overrides'] else {}
    if options['seed'] is not None:
        overrides['seed'] = options['seed']
    if options['benchmark'] is not None:
        benchmark = overrides.setdefault('benchmark', {})
        if isinstance(benchmark, dict):
            benchmark['properties'] = options['benchmark']
    if options['pseudo_family'] is not None:
        label = overrides.setdefault('label', {})
        qe = label.setdefault('qe', {}) if isinstance(label, dict) else None
        if isinstance(qe, dict):
            qe['pseudo_family'] = options['pseudo_family']
    return overrides


def resolve_nodes(
    options: dict[str, Any],
    inputs: CampaignInputs,
    *,
    old: CampaignNodes | None = None,
    old_inputs: CampaignInputs | None = None,
) -> tuple[CampaignNodes, CampaignInputs]:
    """Return the codes and data that the labeller needs, and the settings with cutoffs.

    :param old: nodes of the campaign to continue, used unless others are given.
    :param old_inputs: settings of that campaign.
    """
    if options['worker_code'] is None and old is not None:
        worker = old.worker_code
    else:
        worker = loaded_code(options['worker_code'] or WORKER_CODE, 'anial.train', '--worker-code')
    given = old.labeller if old is not None else None
    nodes, inputs = labeller_named(inputs.label.labeller).resolve(options, inputs, old=given, old_inputs=old_inputs)
    return CampaignNodes(worker, nodes), inputs


def dataset(identifier: str) -> DatasetData:
    """Return the dataset ``identifier``.

    :raises AnialError: if there is no such node, or it is not a dataset.
    """
    node = loaded(identifier, '--dataset')
    if not isinstance(node, DatasetData):
        raise AnialError(f'--dataset: node {identifier} is a {type(node).__name__}, not a DatasetData.')
    return node
