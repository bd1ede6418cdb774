"""Labels of other campaigns that a campaign adds to its own."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from typing import Any

from aiida import orm

from aiida_anial.calcfunctions.collect_evaluated import collect_evaluated
from aiida_anial.calcfunctions.collect_labels import collect_labels
from aiida_anial.data.dataset import DatasetData

__all__ = ('Unfinished', 'shards_of', 'unfinished_of')


@dataclass(frozen=True)
class Unfinished:
    """An unfinished labelling, and the labels that it has.

    :param cells: cells by their names.
    :param labels: the namespace ``adopted`` of a ``LabelWorkChain``.
    """

    campaign: Any
    iteration: int
    cells: dict[str, orm.StructureData]
    labels: dict[str, Any]

    @property
    def n_labels(self) -> int:
        """Number of finished calculations."""
        return len(self.cells) if 'labels' in self.labels else len(self.labels.get('parameters', {}))

    def without(self, uuids: Container[str]) -> Unfinished:
        """Return the labelling without the labels of these calculations."""
        labels = {
            kind: {name: node for name, node in nodes.items() if node.creator.uuid not in uuids}
            for kind, nodes in self.labels.items()
            if kind in {'parameters', 'trajectories'}
        }
        if 'labels' in self.labels and self.labels['labels'].creator.uuid not in uuids:
            labels |= {'labels': self.labels['labels'], 'rejected': self.labels['rejected']}
        return replace(self, labels=labels)

    def collect(self) -> DatasetData | None:
        """Return the labels as a stored shard, or ``None`` if none is valid."""
        label = self.campaign.inputs.cycle.label
        source = {'iteration': self.iteration, 'origin': 'active_learning' if self.iteration else 'random'}
        given = {'settings': label.limits, 'source': orm.Dict(source)}
        if 'labels' in self.labels:
            labels, rejected = self.labels['labels'], self.labels['rejected']
            found = collect_evaluated(**given, labels=labels, failures=rejected, cells=self.cells)
        else:
            parameters, trajectories = self.labels['parameters'], self.labels['trajectories']
            cells = {name: self.cells[name] for name in parameters}
            if 'kpoints_distance' in label.qe:
                given['kpoints_distance'] = label.qe.kpoints_distance
            nodes = {'cells': cells, 'parameters': parameters, 'trajectories': trajectories}
            found = collect_labels(**given, failures=orm.Dict({}), **nodes)
        return found.get('dataset')


def shards_of(done: dict[str, Any]) -> dict[str, DatasetData]:
    """Return the shards of a campaign, including those of an unfinished iteration.

    :param done: the campaign's ``progress``.
    """
    index = _next(done)
    cycles = done.get('next', {}).get('cycles', {})
    fresh = {f'shard_{index:03d}_{name}': cycle['dataset'] for name, cycle in cycles.items() if 'dataset' in cycle}
    return {**done.get('shards', {}), **fresh}


def unfinished_of(campaign: Any, done: dict[str, Any]) -> Iterator[tuple[str, Unfinished]]:
    """Yield the unfinished labellings of a campaign that have labels, each with the name of the shard to create.

    :param done: the campaign's ``progress``.
    """
    if 'label' in done:
        yield 'shard_000', Unfinished(campaign, 0, done['cells'], done['label'])
    index = _next(done)
    for name, cycle in done.get('next', {}).get('cycles', {}).items():
        if 'label' in cycle:
            yield f'shard_{index:03d}_{name}', Unfinished(campaign, index, cycle['candidates'], cycle['label'])


def _next(done: dict[str, Any]) -> int:
    return (done['iteration'].value if 'iteration' in done else 0) + 1
