"""Collect the shards, the ensemble and the records of a campaign for a release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.queries.benchmarks import benchmarks_of
from aiida_anial.queries.campaign_status import campaign_status, newest_ensemble
from aiida_anial.queries.columns import Kind
from aiida_anial.queries.graph import called_by, inputs_of, outputs_of
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import chosen_labels, records
from aiida_anial.runtime.bulk_files import arrays_of
from aiida_anial.training.errors import ConfigurationErrors

__all__ = (
    'ReleaseSources',
    'fresh_errors',
    'published_columns',
    'published_iterations',
    'published_records',
    'release_sources',
)


@dataclass(frozen=True)
class ReleaseSources:
    """A campaign and the nodes and records that its release contains.

    :param campaign: the ``ActiveLearningWorkChain``.
    :param shards: its labels, by names in order of creation.
    :param ensemble: its newest ensemble.
    :param status: result of ``campaign_status``.
    :param labels: records of the kind ``labels``.
    :param benchmarks: benchmarks of the ensemble that have ended.
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
        """The labels that the ensemble was trained on, in the order in which the job read them."""
        shards = dict(self.training.inputs.shards)
        return LabelledCells.concatenate([shards[name].labelled for name in sorted(shards)])

    @property
    def fresh_errors(self) -> dict[int, ConfigurationErrors]:
        """Errors on the fresh labels, by iteration, of the ensemble that sampled them."""
        return fresh_errors(self.campaign)

    @property
    def curves(self) -> dict[str, Any]:
        """``step`` and the learning curves of the training, by name."""
        arrays = self.training.outputs.learning_curves
        return {name: arrays.get_array(name) for name in arrays.get_arraynames()}


def fresh_errors(campaign: Any) -> dict[int, ConfigurationErrors]:
    """Return the errors on the fresh labels of a campaign, by iteration, of the ensemble that sampled them."""
    iterations = called_by([campaign], 'AlIterationWorkChain')[campaign.pk]
    numbers = inputs_of(iterations, 'cycle__iteration')
    jobs = called_by(iterations, 'ValidateCalculation')
    outputs = outputs_of([job for several in jobs.values() for job in several], 'errors')
    arrays = arrays_of(node.pk for node in outputs.values())
    found = {}
    for iteration in iterations:
        for job in jobs[iteration.pk]:
            if job.is_finished_ok:
                errors = ConfigurationErrors(**arrays[outputs[job.pk, 'errors'].pk])
                found[numbers[iteration.pk, 'cycle__iteration'].value] = errors
    return found


def release_sources(campaign: Any) -> ReleaseSources:
    """Collect the sources of the release of a campaign.

    :raises AnialError: if the campaign has no labels or no ensemble.
    """
    labels = records('labels', campaigns=[campaign], sort='created')
    if not labels:
        raise AnialError(f'CAMPAIGN: {campaign.pk} has no labels, so there is nothing to release.')
    ensemble = newest_ensemble(campaign)
    if ensemble is None:
        raise AnialError(f'CAMPAIGN: {campaign.pk} has no ensemble, so there is no potential to release.')
    shards, _ = chosen_labels(campaigns=[campaign])
    status, benchmarks = campaign_status(campaign), benchmarks_of(ensemble)
    return ReleaseSources(campaign, shards, ensemble, status, labels, benchmarks)


_OWN = 'pk'
_BATCH = 10_000


def published_records(campaign: Any) -> dict[str, list[dict[str, Any]]]:
    """Return all records of a campaign by kind, in order of creation; kinds without records are left out."""
    found = {name: records(name, campaigns=[campaign], sort='created') for name in KINDS}
    return {name: _published(KINDS[name], rows) for name, rows in found.items() if rows}


def published_columns(names: Iterable[str]) -> list[dict[str, str]]:
    """Return table, name and description of every column of these kinds."""
    return [
        {'table': name, 'column': column.name, 'help': column.help.replace('Pk of', 'UUID of')}
        for name in names
        for column in KINDS[name].columns
        if column.name != _OWN
    ]


def published_iterations(iterations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of ``campaign_status`` with UUIDs in place of pks."""
    uuids = _uuids({row[_OWN] for row in iterations})
    return [{'uuid': uuids[row[_OWN]], **_without_pk(row)} for row in iterations]


def _published(kind: Kind, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records without their pk, and with UUIDs in place of the pks of other nodes."""
    others = [column.name for column in kind.columns if column.field == 'id' and column.name != _OWN]
    uuids = _uuids({row[name] for row in rows for name in others if row[name] is not None})
    return [{**_without_pk(row), **{name: uuids.get(row[name]) for name in others}} for row in rows]


def _without_pk(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != _OWN}


def _uuids(pks: set[int]) -> dict[int, str]:
    """Return the UUIDs of nodes by their pks."""
    ordered, found = sorted(pks), {}
    for start in range(0, len(ordered), _BATCH):
        query = orm.QueryBuilder()
        query.append(orm.Node, filters={'id': {'in': ordered[start : start + _BATCH]}}, project=['id', 'uuid'])
        found.update(dict(query.all()))
    return found
