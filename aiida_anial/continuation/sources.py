"""Labels of other campaigns that a campaign adds to its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from aiida import orm

from aiida_anial.data.dataset import DatasetData
from aiida_anial.labellers.labeller import Labeller
from aiida_anial.labellers.registry import labeller_of_node
from aiida_anial.sampling.settings import SamplingSettings

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
        """Number of cells that have a label."""
        labelled = self._labeller.taken_over(self.labels)
        return len(self.cells if labelled is None else labelled)

    def without(self, uuids: Collection[str]) -> Unfinished:
        """Return the labelling without the labels of these calculations."""
        return replace(self, labels=self._labeller.without(self.labels, uuids))

    def collect(self) -> DatasetData | None:
        """Return the labels as a stored shard, or ``None`` if none is valid."""
        label = self.campaign.inputs.cycle.label
        sampling = SamplingSettings.parse(self.campaign.inputs.cycle.sample.worker.settings.get_dict())
        source = {'iteration': self.iteration, 'origin': sampling.origin if self.iteration else 'random'}
        found = self._labeller.collect_adopted(
            self.labels,
            self.cells,
            label[self._labeller.namespace],
            settings=label.limits,
            source=orm.Dict(source),
        )
        return found.get('dataset')

    @property
    def _labeller(self) -> Labeller:
        return labeller_of_node(self.campaign, 'cycle__label__')


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
