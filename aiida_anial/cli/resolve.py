"""Resolve the options of ``submit`` to settings and nodes; a continued campaign provides the defaults."""

from __future__ import annotations

from typing import Any

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.cli import nodes
from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.nodes import loaded
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs, read_overrides
from aiida_anial.protocols.reader import CampaignNodes

__all__ = ('PW_CODE', 'WORKER_CODE', 'dataset', 'resolve_inputs', 'resolve_nodes')

PW_CODE = 'pw@localhost'
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
    found: dict[str, Any] = {'worker_code': old.worker_code if old is not None else None}
    if options['worker_code'] is not None or old is None:
        found['worker_code'] = nodes.code(_given(options['worker_code'], WORKER_CODE), 'anial.train', '--worker-code')
    if inputs.label.engine == 'qe':
        found['pw_code'] = old.pw_code if old is not None else None
        if options['pw_code'] is not None or found['pw_code'] is None:
            found['pw_code'] = nodes.code(_given(options['pw_code'], PW_CODE), 'quantumespresso.pw', '--pw-code')
        found['pseudo'] = _old_pseudo(inputs, old, old_inputs)
        if found['pseudo'] is None:
            found['pseudo'], inputs = nodes.pseudo_and_cutoffs(inputs)
    if inputs.label.engine == 'eam':
        file = old.potential if old is not None and options['potential'] is None else None
        found['potential'] = file or nodes.potential_file(options['potential'])
    if inputs.label.engine == 'ensemble':
        teacher = old.teacher if old is not None and options['teacher'] is None else None
        found['teacher'] = teacher or nodes.ensemble(options['teacher'])
    return CampaignNodes(**found), inputs


def _old_pseudo(inputs: CampaignInputs, old: CampaignNodes | None, old_inputs: CampaignInputs | None) -> Any:
    """Return the pseudopotential of the campaign to continue, or None if its family changed or cutoffs are missing."""
    if old is None or old_inputs is None or inputs.label.qe.ecutwfc_ry is None:
        return None
    return old.pseudo if inputs.label.qe.pseudo_family == old_inputs.label.qe.pseudo_family else None


def dataset(identifier: str) -> DatasetData:
    """Return the dataset ``identifier``.

    :raises AnialError: if there is no such node, or it is not a dataset.
    """
    node = loaded(identifier, '--dataset')
    if not isinstance(node, DatasetData):
        raise AnialError(f'--dataset: node {identifier} is a {type(node).__name__}, not a DatasetData.')
    return node


def _given(value: str | None, default: str) -> str:
    return default if value is None else value
