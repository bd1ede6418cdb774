"""Plan what a new campaign reuses of the campaigns and datasets that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.calcfunctions.fetch_checkpoint import fetch_checkpoint, has_checkpoint
from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.checks import check_theories, theory_of
from aiida_anial.continuation.progress import progress
from aiida_anial.continuation.settle import settle
from aiida_anial.continuation.sources import Unfinished, shards_of, unfinished_of
from aiida_anial.data.dataset import DatasetData
from aiida_anial.labellers.registry import labeller_of_node
from aiida_anial.protocols.reader import CampaignNodes, campaign_nodes, read_campaign_inputs
from aiida_anial.runtime.builder_inputs import builder_inputs

__all__ = ('Continuation', 'inputs_of', 'nodes_of', 'plan', 'with_checkpoints')


def with_checkpoints(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with the checkpoints fetched; missing ones are left out, and that work starts afresh."""
    found: dict[str, Any] = {}
    for name, value in namespace.items():
        if isinstance(value, dict):
            found[name] = with_checkpoints(value)
        elif not isinstance(value, orm.RemoteData):
            found[name] = value
        elif has_checkpoint(value):
            found[name] = fetch_checkpoint(value)
    return found


@dataclass(frozen=True)
class Continuation:
    """What a new campaign reuses; nothing is stored yet.

    :param campaigns: campaigns that it continues, the main one first.
    :param done: the namespace ``continued``, with work directories in place of checkpoints.
    :param unfinished: unfinished labellings of the other campaigns, by the name of the shard to create.
    """

    campaigns: tuple[Any, ...]
    done: dict[str, Any]
    unfinished: dict[str, Unfinished]

    def namespace(self) -> dict[str, Any]:
        """Return the input ``continued``, with checkpoints and labels of unfinished labellings fetched and stored."""
        done = with_checkpoints(self.done)
        known = {_checksum(shard) for shard in shards_of(done).values()}
        for name, one in self.unfinished.items():
            shard = one.collect()
            if shard is not None and _checksum(shard) not in known:
                done.setdefault('shards', {})[name] = shard
        return done

    def _n_adopted(self, labels: dict[str, Any]) -> int:
        """Return how many cells of a labelling that did not end have a label of their own."""
        labelled = labeller_of_node(self.campaigns[0], 'cycle__label__').taken_over(labels) if labels else ()
        return len(labelled or ())

    def lines(self) -> list[str]:
        """Return a description of what is reused, line by line."""
        shards, following = self.done.get('shards', {}), self.done.get('next', {})
        cycles = following.get('cycles', {}).values()
        n_labels = sum(shard.n_configurations for shard in shards.values())
        labellings = [self.done, *cycles]
        n_more = sum(self._n_adopted(one.get('label', {})) for one in labellings)
        n_more += sum(one.n_labels for one in self.unfinished.values())
        n_trajectories = sum(len(cycle.get('trajectories', {})) for cycle in cycles)
        n_iterations = self.done['iteration'].value if 'iteration' in self.done else 0
        holders = [self.done.get('training', {}), self.done.get('final', {}), following.get('training', {}), *cycles]
        n_checkpoints = sum('checkpoint' in holder for holder in holders)
        names = ', '.join(str(campaign.pk) for campaign in self.campaigns)
        return [
            *([f'continues: {names}'] if names else []),
            f'reuses: {n_labels} labels in {len(shards)} shards, {n_more} labels of unfinished labellings',
            f'reuses: {n_iterations} iterations, {n_trajectories} trajectories of the next one, '
            f'{n_checkpoints} checkpoints',
        ]


def inputs_of(campaign: Any) -> CampaignInputs:
    """Return the settings of a campaign."""
    return read_campaign_inputs(builder_inputs(campaign))


def nodes_of(campaign: Any) -> CampaignNodes:
    """Return the codes and data of a campaign."""
    return campaign_nodes(builder_inputs(campaign))


def plan(
    campaigns: Sequence[Any],
    datasets: Sequence[DatasetData],
    *,
    inputs: CampaignInputs,
    nodes: CampaignNodes,
    mix_theory: bool = False,
) -> Continuation:
    """Return what a campaign with these inputs reuses.

    :param campaigns: the first is continued; the others contribute their labels, as the datasets do.
    :param inputs: settings of the new campaign, with cutoffs.
    :raises AnialError: if a campaign is still active or has no label, if nothing is left to do, or if the levels of
        theory differ and ``mix_theory`` is not set.
    """
    found = [progress(campaign) for campaign in campaigns]
    for campaign, done in zip(campaigns, found, strict=True):
        _check_has_labels(campaign, done)
    main = found[0] if found else {}
    shards, unfinished = _joining(campaigns[1:], found[1:], datasets, main)
    if not mix_theory:
        check_theories(theory_of(inputs, nodes), _theories(campaigns, found, datasets, inputs))
    if campaigns:
        joined = bool(shards or unfinished)
        settle(campaigns[0], main, old=inputs_of(campaigns[0]), new=inputs, joined=joined)
    if shards:
        main['shards'] = {**main.get('shards', {}), **shards}
    return Continuation(tuple(campaigns), main, unfinished)


def _check_has_labels(campaign: Any, done: dict[str, Any]) -> None:
    """Refuse a campaign without any labels."""
    labelled = labeller_of_node(campaign, 'cycle__label__').taken_over(done.get('label', {}))
    if not done.get('shards') and labelled is not None and not labelled:
        raise AnialError(f'--continue-from: campaign {campaign.pk} has no labels to continue with.')


def _joining(
    campaigns: Sequence[Any], found: Sequence[dict[str, Any]], datasets: Sequence[DatasetData], main: dict[str, Any]
) -> tuple[dict[str, DatasetData], dict[str, Unfinished]]:
    """Return the shards to add to those of the main campaign, without duplicates, and the unfinished labellings."""
    known = {_checksum(shard) for shard in shards_of(main).values()}
    shards: dict[str, DatasetData] = {}
    unfinished: dict[str, Unfinished] = {}
    number = _last_number(main, 'other')
    for campaign, done in zip(campaigns, found, strict=True):
        number += 1
        for name, shard in shards_of(done).items():
            if _checksum(shard) not in known:
                known.add(_checksum(shard))
                shards[f'other_{number}_{name}'] = shard
        unfinished |= {f'other_{number}_{name}': one for name, one in unfinished_of(campaign, done)}
    number = _last_number(main, 'dataset')
    for dataset in datasets:
        if _checksum(dataset) not in known:
            known.add(_checksum(dataset))
            number += 1
            shards[f'dataset_{number}'] = dataset
    uuids = _calculations([*shards_of(main).values(), *shards.values()]) if unfinished else set()
    unfinished = {name: one.without(uuids) for name, one in unfinished.items()}
    return shards, {name: one for name, one in unfinished.items() if one.n_labels}


def _calculations(shards: Sequence[DatasetData]) -> set[str]:
    """Return the UUIDs of the calculations behind the labels of shards."""
    return {uuid for shard in shards for uuid in shard.labelled.uuids}


def _last_number(done: dict[str, Any], kind: str) -> int:
    """Return the number of campaigns or datasets that were added before."""
    numbers = [name.split('_')[1] for name in done.get('shards', {}) if name.startswith(f'{kind}_')]
    return max((int(number) for number in numbers), default=0)


def _checksum(shard: DatasetData) -> str:
    return str(shard.base.attributes.get('content_checksum'))


def _theories(
    campaigns: Sequence[Any], found: Sequence[dict[str, Any]], datasets: Sequence[DatasetData], inputs: CampaignInputs
) -> list[tuple[str, Any]]:
    """Return the levels of theory of all reused labels, each with a name for messages."""
    theories: list[tuple[str, Any]] = []
    for number, (campaign, done) in enumerate(zip(campaigns, found, strict=True)):
        name, settings = f'campaign {campaign.pk}', inputs_of(campaign)
        shards = shards_of(done)
        if number == 0 and settings.label == inputs.label:
            # The main campaign has already accepted the levels of theory of its other shards.
            shards = {key: shard for key, shard in shards.items() if key == 'shard_000' and shard.level_of_theory}
        theories += [(name, shard.level_of_theory) for shard in shards.values()]
        theories.append((name, theory_of(settings, nodes_of(campaign))))
    theories += [(f'dataset {dataset.pk}', dataset.level_of_theory) for dataset in datasets]
    return theories
