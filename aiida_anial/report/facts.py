"""Collect the facts of a data card: counts, ranges, levels of theory, errors, versions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.queries.rejections import reason_counts, rejections
from aiida_anial.report.ranges import label_counts, label_ranges
from aiida_anial.report.sources import ReleaseSources

__all__ = ('campaign_facts',)

_ROLES = {'train': 'training', 'validation': 'validation', 'test': 'test'}


def campaign_facts(sources: ReleaseSources) -> dict[str, Any]:
    """Return the facts of the card that do not depend on the files of the release."""
    theories = _theories(sources)
    summary = sources.training.outputs.summary.get_dict()
    fresh = [row for row in sources.status['iterations'] if row['fresh_energy_rmse_mev_per_atom'] is not None]
    return {
        'n_labels': len(sources.labels),
        'n_atoms': sum(label['n_atoms'] for label in sources.labels),
        'campaign': _campaign(sources),
        'ensemble': {'n_members': sources.ensemble.base.attributes.get('n_members')},
        'counts': label_counts(sources.labels),
        'ranges': label_ranges(sources.labels),
        'theories': theories,
        'theory_units': LevelOfTheory.UNITS,
        'uses_pw': any(theory['settings'] and theory['settings']['code'] == 'pw.x' for theory in theories),
        'errors': [{'name': name, **summary[role]} for role, name in _ROLES.items()],
        'tested': summary['test'],
        'fresh': fresh[-1] if fresh else None,
        'rejected': reason_counts(reason for reasons in rejections(sources.campaign) for reason in reasons.values()),
        'versions': _versions(sources, theories),
    }


def _campaign(sources: ReleaseSources) -> dict[str, Any]:
    """Return the state of the campaign."""
    campaign, status = sources.campaign, sources.status
    created = sorted(label['created'] for label in sources.labels)
    state = status['process_state']
    return {
        'uuid': campaign.uuid,
        'label': campaign.label,
        'is_finished': campaign.is_finished,
        'state': f'{state} [{status["exit_status"]}]' if campaign.is_finished else state,
        'exit_message': status['exit_message'] or '',
        'verdict': status['verdict'],
        'unusual': status['unusual'],
        'converged': status['converged'],
        'n_iterations': max(row['index'] for row in status['iterations']),
        'first_label': created[0][:10],
        'last_label': created[-1][:10],
    }


def _theories(sources: ReleaseSources) -> list[dict[str, Any]]:
    """Return the levels of theory of the shards, each with its number of labels."""
    found: list[dict[str, Any]] = []
    for shard in sources.shards.values():
        theory = shard.level_of_theory
        values = theory.to_dict() if theory is not None else None
        same = [known for known in found if known['settings'] == values]
        if same:
            same[0]['n_labels'] += shard.n_configurations
        else:
            found.append({'settings': values, 'n_labels': shard.n_configurations})
    return found


def _versions(sources: ReleaseSources, theories: list[dict[str, Any]]) -> dict[str, str]:
    """Return the versions of the programs that computed the labels, trained the ensemble and wrote the release."""
    machine = sources.training.outputs.summary.base.extras.get('machine', None) or {}
    own: Mapping[str, str] = sources.campaign.base.attributes.get('version', {})
    found = {
        **{values['code']: values['version'] for theory in theories if (values := theory['settings'])},
        'aiida-core': own.get('core'),
        'aiida-anial, which ran the campaign': own.get('plugin'),
        **{f'{name} (training)': text for name, text in machine.get('versions', {}).items()},
        'aiida-anial, which wrote this release': version('aiida-anial'),
    }
    return {name: text for name, text in found.items() if text}
