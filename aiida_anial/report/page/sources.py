"""What the page of a campaign is made from, at any moment of the campaign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from aiida import orm

from aiida_anial.common.labels import LabelledCells
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.queries.benchmarks import benchmarks_of, compared_subjects, quantity_nodes
from aiida_anial.queries.campaign_status import campaign_status, newest_ensemble
from aiida_anial.queries.graph import called_by, inputs_of
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.records import records
from aiida_anial.report.page.elements import Records, evenly
from aiida_anial.report.sources import fresh_errors
from aiida_anial.runtime.bulk_files import arrays_of, contents_of
from aiida_anial.training.errors import ConfigurationErrors

__all__ = ('MOST', 'PageSources')

MOST: Final = 20_000
"""Labels on a page; of more, as many are chosen, evenly spread in time."""

# Columns that are the same for all labels of a campaign, or are of no use to a reader.
_LEFT_OUT: Final = ('content_hash', 'code', 'functional', 'pseudo_md5', 'ecut', 'smearing', 'degauss', 'kpoints_')
_SHOW: Final = 'verdi node show {pk}'


@dataclass(frozen=True)
class PageSources:
    """A campaign, and its records as far as it has come.

    :param campaign: the ``ActiveLearningWorkChain``.
    """

    campaign: Any

    @cached_property
    def status(self) -> dict[str, Any]:
        """What ``aiida-anial status`` prints."""
        return campaign_status(self.campaign)

    @cached_property
    def n_labels(self) -> int:
        """Number of all labels, on the page or not."""
        return len(self._all_labels)

    @cached_property
    def _all_labels(self) -> list[dict[str, Any]]:
        return self._found('labels')

    @cached_property
    def labels(self) -> list[dict[str, Any]]:
        """Records of the labels on the page."""
        return [self._all_labels[index] for index in evenly(self.n_labels, MOST)]

    @cached_property
    def trajectories(self) -> list[dict[str, Any]]:
        """Records of all trajectories."""
        return self._found('trajectories')

    @cached_property
    def ensembles(self) -> list[dict[str, Any]]:
        """Records of all ensembles."""
        return self._found('ensembles')

    def _found(self, kind: str) -> list[dict[str, Any]]:
        return records(kind, campaigns=[self.campaign], sort='created', columns=_columns(kind))

    @cached_property
    def ensemble(self) -> EnsembleData | None:
        """The newest ensemble."""
        return newest_ensemble(self.campaign)

    @cached_property
    def benchmarks(self) -> list[Any]:
        """Benchmarks of the newest ensemble that have ended."""
        return benchmarks_of(self.ensemble) if self.ensemble is not None else []

    @cached_property
    def compared(self) -> tuple[list[Subject], Subject | None]:
        """The subjects of these benchmarks, and the one that the others' curves are compared with."""
        return compared_subjects(self.benchmarks)

    @cached_property
    def fresh(self) -> dict[int, ConfigurationErrors]:
        """Errors on fresh labels, by iteration."""
        return fresh_errors(self.campaign)

    @cached_property
    def shards(self) -> dict[int, LabelledCells]:
        """Labels with their configurations, by the pk of their shard."""
        pks = {label['shard'] for label in self.labels} | {shard.pk for shard in self.trained_on.values() if shard.pk}
        contents = contents_of(pks, DatasetData.FILENAME)
        return {pk: LabelledCells.from_bytes(own[DatasetData.FILENAME]) for pk, own in contents.items()}

    @cached_property
    def trained_on(self) -> dict[str, DatasetData]:
        """The shards that the newest ensemble was trained on, by their labels in that order."""
        given = dict(self.ensemble.creator.inputs.shards) if self.ensemble is not None else {}
        return dict(sorted(given.items()))

    @cached_property
    def last_errors(self) -> ConfigurationErrors | None:
        """Errors of the newest ensemble on the labels that it was trained on."""
        if self.ensemble is None:
            return None
        errors = self.ensemble.creator.outputs.errors.pk
        return ConfigurationErrors(**arrays_of([errors])[errors])

    @cached_property
    def results(self) -> dict[tuple[str, str], Any]:
        """Nodes of the quantities in the benchmarks of the newest ensemble, by subject and property."""
        found: dict[tuple[str, str], Any] = {}
        for benchmark in self.benchmarks:
            found |= quantity_nodes(benchmark)
        return found

    def fresh_rows(self, iterations: Iterable[int]) -> list[int]:
        """Return the rows of the fresh labels of iterations, in the order of their errors; -1 for those left out."""
        chains = called_by([self.campaign], 'AlIterationWorkChain')[self.campaign.pk]
        numbers, jobs = inputs_of(chains, 'cycle__iteration'), called_by(chains, 'ValidateCalculation')
        by_iteration = {numbers[chain.pk, 'cycle__iteration'].value: jobs[chain.pk] for chain in chains}
        done = [job for number in iterations for job in by_iteration[number] if job.is_finished_ok]
        return [row for job in done for row in self.rows_in(dict(sorted(job.inputs.shards.items())))]

    def rows_in(self, shards: Mapping[str, DatasetData]) -> list[int]:
        """Return the rows of the labels in shards, one shard after another; -1 for those left out."""
        places = self._row_of_label
        return [
            places.get((shard.pk, index), -1) for shard in shards.values() for index in range(shard.n_configurations)
        ]

    @cached_property
    def _row_of_label(self) -> dict[tuple[int | None, int], int]:
        """Return the row of each label on the page, by the pk of its shard and its place there."""
        return {(label['shard'], label['row']): row for row, label in enumerate(self.labels)}

    def records(self) -> dict[str, Records]:
        """Return the records that points and tables refer to, by name."""
        found = {
            'labels': _records('labels', self.labels, _SHOW, 'verdi process show {calculation}'),
            'trajectories': _records('trajectories', self.trajectories, _SHOW, 'verdi node graph generate {pk}'),
            'ensembles': _records('ensembles', self.ensembles, _SHOW, 'aiida-anial benchmark {pk}'),
            'iterations': self._iterations(),
            'results': self._results(),
        }
        return {name: one for name, one in found.items() if one.columns['pk']}

    def _iterations(self) -> Records:
        """Return the processes of the rows of ``status``."""
        rows = self.status['iterations']
        uuids = _uuids(row['pk'] for row in rows)
        columns = {'pk': [row['pk'] for row in rows], 'uuid': [uuids[row['pk']] for row in rows]}
        names = [name for name in rows[0] if name != 'pk']
        columns |= {name: [row[name] for row in rows] for name in names}
        commands = ('verdi process status {pk}', 'verdi process report {pk}')
        return Records(singular='iteration', columns=columns, helps={}, commands=commands)

    def _results(self) -> Records:
        """Return the nodes of ``results``."""
        nodes = self.results.values()
        columns: dict[str, list[Any]] = {
            'pk': [node.pk for node in nodes],
            'uuid': [node.uuid for node in nodes],
            'created': [node.ctime.isoformat(timespec='seconds') for node in nodes],
            'subject': [subject for subject, _ in self.results],
            'property': [name for _, name in self.results],
        }
        return Records(singular='result', columns=columns, helps={}, commands=(_SHOW, 'verdi node graph generate {pk}'))


def _columns(kind: str) -> list[str]:
    return [column.name for column in KINDS[kind].columns if not column.name.startswith(_LEFT_OUT)]


def _records(kind: str, rows: list[dict[str, Any]], *commands: str) -> Records:
    """Return records of a query, without columns that say nothing."""
    values = {name: [row[name] for row in rows] for name in _columns(kind)}
    said = {name: column for name, column in values.items() if any(value is not None for value in column)}
    helps = {name: KINDS[kind].column(name).help for name in said}
    return Records(singular=KINDS[kind].singular, columns={'pk': [], **said}, helps=helps, commands=commands)


def _uuids(pks: Iterable[int]) -> dict[int, str]:
    query = orm.QueryBuilder().append(orm.Node, filters={'id': {'in': sorted(set(pks))}}, project=['id', 'uuid'])
    return dict(query.all())
