"""How fast a campaign will be: as fast as one of the profile with the same settings, or as a trial on the spot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import click
from aiida import orm

from aiida_anial.active_learning.engine_trial import engine_trial
from aiida_anial.active_learning.forecast import ENGINE_CPU_S, JOB_S, Speed, label_interval
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.cli.checks import n_cores
from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.plan import inputs_of, nodes_of
from aiida_anial.data.structures import to_structure
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.labellers.trial import Trial, is_here
from aiida_anial.protocols.reader import CampaignNodes
from aiida_anial.queries.campaign_speed import campaign_speed
from aiida_anial.queries.campaign_times import calculations_of
from aiida_anial.sampling.random_cells import random_cells

__all__ = ('Basis', 'find_speed')

# What the speed depends on besides codes: campaigns that agree in it are equally fast.
_SETTINGS: Final = ('label', 'cells', 'model', 'engine')
# Cells that move and are fitted in the trial.
_TRIAL_CELLS: Final = 16


@dataclass(frozen=True)
class Basis:
    """The speed of a campaign, and where it is known from.

    :param speed: of its steps.
    :param assumptions: sentences that say what was timed, and what is taken for granted.
    :param label_memory_mib: memory of one program that labels; None if it is not known.
    """

    speed: Speed
    assumptions: tuple[str, ...]
    label_memory_mib: float | None = None


def find_speed(inputs: CampaignInputs, nodes: CampaignNodes, *, label_seconds: float | None) -> Basis:
    """Return the speed of a campaign that has not begun.

    :param label_seconds: seconds of one label, if the user gives them.
    :raises AnialError: if no campaign of before tells, and a trial fails.
    """
    if label_seconds is None:
        for campaign in _alike(inputs, nodes):
            if (speed := campaign_speed(campaign, calculations_of(campaign))) is not None:
                return Basis(speed, (f'the speed of campaign {campaign.pk}, which has the same settings of labels',))
    return _tried(inputs, nodes, label_seconds)


def _alike(inputs: CampaignInputs, nodes: CampaignNodes) -> Iterator[Any]:
    """Yield the campaigns of the profile with the same codes and settings, the newest first."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={'attributes.process_label': 'ActiveLearningWorkChain'}, project='*'
    )
    query.order_by({orm.WorkChainNode: [{'id': 'desc'}]})
    for (campaign,) in query.iterall():
        try:
            if _settings(inputs_of(campaign)) == _settings(inputs) and _uuids(nodes_of(campaign)) == _uuids(nodes):
                yield campaign
        except (AnialError, KeyError):
            continue


def _settings(inputs: CampaignInputs) -> dict[str, Any]:
    # AiiDA rounds the last digits of numbers that it stores, such as the angles of the descriptor.
    text = json.dumps({name: getattr(inputs, name).to_dict() for name in _SETTINGS})
    found: dict[str, Any] = json.loads(text, parse_float=lambda number: float(f'{float(number):.12g}'))
    return found


def _uuids(nodes: CampaignNodes) -> set[str]:
    return {node.uuid for node in (nodes.worker_code, *nodes.labeller.values())}


def _tried(inputs: CampaignInputs, nodes: CampaignNodes, label_seconds: float | None) -> Basis:
    """Return the speed that labels, dynamics and training of some random cells have here and now."""
    number = max(inputs.campaign.n_initial_cells, _TRIAL_CELLS)
    cells = random_cells(inputs.cells, seed=inputs.seed, n=number)
    labeller = labeller_named(inputs.label.labeller)
    cores = n_cores()
    slots = inputs.campaign.n_cycles if labeller.is_one_job else inputs.label.limits.max_concurrent
    if label_seconds is None:
        click.echo('Timing a few labels...', err=True)
        worker = {'code': nodes.worker_code, 'engine': orm.Dict(inputs.engine.to_dict())}
        structures = [to_structure(*cell) for cell in cells.configurations()]
        given = labeller.inputs(inputs.label, nodes.labeller, worker)
        trial = labeller.trial(structures, given, side_by_side=min(slots, cores))
        first = f'labels as timed now: {trial.seconds:.3g} s each, {trial.n_cells} random cells tried'
        if trial.engine_s is not None:
            first += f', and {trial.engine_s:.2g} s of AiiDA for each'
    else:
        trial, first = Trial(label_seconds, None, 0, None), f'{label_seconds:g} s a label, as given'
    click.echo('Timing dynamics and training...', err=True)
    atom_step_s, training_step_s = engine_trial(inputs, cells.select(range(_TRIAL_CELLS)))
    if labeller.is_one_job:
        label_s = trial.seconds / min(slots, cores)
    else:
        codes = [node for node in nodes.labeller.values() if isinstance(node, orm.AbstractCode)]
        here = cores if all(map(is_here, codes)) else slots
        label_s = label_interval(trial.seconds, slots=slots, cores=here, engine_s=trial.engine_s or ENGINE_CPU_S)
    speed = Speed(label_s, atom_step_s, training_step_s, JOB_S, len(cells.positions) / len(cells))
    return Basis(
        speed,
        (f'{first}; {slots} at once, on {cores} cores', 'dynamics and training as timed now, on this machine'),
        trial.memory_mib,
    )
