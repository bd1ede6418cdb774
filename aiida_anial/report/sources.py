"""What of a campaign is released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labelled_cells import LabelledCells
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.queries.benchmarks import benchmarks_of
from aiida_anial.queries.campaign_status import campaign_status
from aiida_anial.queries.chosen_labels import chosen_labels
from aiida_anial.queries.records import records

__all__ = ('ReleaseSources', 'release_sources')


@dataclass(frozen=True)
class ReleaseSources:
    """A campaign with what a release of it is made from.

    :param campaign: the ``ActiveLearningWorkChain``.
    :param shards: its labels, by names in the order of their making.
    :param ensemble: the newest one.
    :param status: as ``campaign_status`` gives it.
    :param labels: records of the kind ``labels``.
    :param benchmarks: of the ensemble, those that have ended.
    """

    campaign: Any
    shards: dict[str, DatasetData]
    ensemble: EnsembleData
    status: dict[str, Any]
    labels: list[dict[str, Any]]
    benchmarks: list[Any]

    @property
    def training(self) -> Any:
        """The job that trained the ensemble."""
        return self.ensemble.creator

    @property
    def trained_on(self) -> LabelledCells:
        """The labels that the ensemble was trained on, in the order of the job's own table of errors."""
        shards = dict(self.training.inputs.shards)
        return LabelledCells.concatenate([shards[name].labelled for name in sorted(shards)])

    @property
    def curves(self) -> dict[str, Any]:
        """``step`` and the learning curves of the training by name."""
        arrays = self.training.outputs.learning_curves
        return {name: arrays.get_array(name) for name in arrays.get_arraynames()}


def release_sources(campaign: Any) -> ReleaseSources:
    """Return what there is to release.

    :raises AnialError: if the campaign has no labels or no ensemble.
    """
    labels = records('labels', campaigns=[campaign], sort='created')
    if not labels:
        raise AnialError(f'CAMPAIGN: {campaign.pk} has no labels, so there is nothing to release.')
    ensemble = _newest_ensemble(campaign)
    if ensemble is None:
        raise AnialError(f'CAMPAIGN: {campaign.pk} has no ensemble, so there is no potential to release.')
    shards, _ = chosen_labels(campaigns=[campaign])
    status, benchmarks = campaign_status(campaign), benchmarks_of(ensemble)
    return ReleaseSources(campaign, shards, ensemble, status, labels, benchmarks)


def _newest_ensemble(campaign: Any) -> EnsembleData | None:
    """Return the ensemble of the campaign, or where it has not ended its newest one."""
    if 'ensemble' in campaign.outputs:
        ensemble: EnsembleData = campaign.outputs.ensemble
        return ensemble
    found = records('ensembles', campaigns=[campaign], sort='-created', limit=1)
    return orm.QueryBuilder().append(EnsembleData, filters={'id': found[0]['pk']}).one()[0] if found else None
