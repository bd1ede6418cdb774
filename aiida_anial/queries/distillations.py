"""Distillations in the graph."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded
from aiida_anial.queries.graph import campaigns_that_trained
from aiida_anial.queries.records import records

__all__ = ('distilled_from', 'load_distillation', 'trajectories_of')

_CHAIN = 'DistillationWorkChain'


def load_distillation(identifier: str) -> Any | None:
    """Return the distillation with this pk or UUID, or None if the node is something else.

    :raises AnialError: if there is no such node.
    """
    node = loaded(identifier, 'ENSEMBLE', or_file=True)
    return node if getattr(node, 'process_label', None) == _CHAIN else None


def distilled_from(ensemble: EnsembleData) -> EnsembleData:
    """Return what was last distilled from an ensemble.

    :raises AnialError: if nothing was.
    """
    query = orm.QueryBuilder().append(EnsembleData, filters={'id': ensemble.pk}, tag='ensemble')
    filters = {'attributes.process_label': _CHAIN, 'attributes.exit_status': 0}
    query.append(orm.WorkChainNode, with_incoming='ensemble', edge_filters={'label': 'ensemble'}, filters=filters)
    query.append(EnsembleData, edge_filters={'label': 'ensemble'}, tag='distilled')
    query.order_by({'distilled': [{'ctime': 'desc'}]}).add_projection('distilled', '*')
    found: EnsembleData | None = query.first(flat=True)
    if found is None:
        raise AnialError(
            f'--distilled: nothing was distilled from ensemble {ensemble.pk}; run `aiida-anial distil {ensemble.pk}`.'
        )
    return found


def trajectories_of(ensemble: EnsembleData, campaigns: list[Any]) -> list[orm.TrajectoryData]:
    """Return the trajectories of campaigns, in order of creation.

    :param campaigns: if there are none, the campaign that trained the ensemble.
    :raises AnialError: if no campaign trained it, or there are no trajectories.
    """
    if not campaigns:
        trained = campaigns_that_trained([ensemble.pk]) if ensemble.pk is not None else {}
        if not trained:
            raise AnialError(
                'ENSEMBLE: no campaign of this profile trained it; name one whose trajectories it learns from by '
                '--campaign.'
            )
        campaigns = [orm.load_node(pk) for pk in trained.values()]
    pks = [row['pk'] for row in records('trajectories', campaigns=campaigns, columns=('pk',))]
    if len(pks) < 2:
        names = ', '.join(str(campaign.pk) for campaign in campaigns)
        raise AnialError(f'--campaign: {names} has fewer than two trajectories.')
    query = orm.QueryBuilder().append(orm.TrajectoryData, filters={'id': {'in': pks}}, tag='trajectory', project='*')
    found: list[orm.TrajectoryData] = query.order_by({'trajectory': [{'id': 'asc'}]}).all(flat=True)
    return found
