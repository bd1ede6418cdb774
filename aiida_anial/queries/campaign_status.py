"""A campaign by iteration."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_anial.common.errors import AnialError
from aiida_anial.workchains.active_learning import ActiveLearningWorkChain
from aiida_anial.workchains.iteration import AlIterationWorkChain
from aiida_anial.workchains.label import LabelWorkChain

__all__ = ('campaign_status', 'load_campaign')

_EMPTY: dict[str, Any] = {
    'n_trajectories': 0,
    'n_stopped': 0,
    'median_time_ps': None,
    'threshold_ev_per_sqrt_atom': None,
    'n_labels': 0,
    'n_rejected': 0,
    'fresh_energy_rmse_mev_per_atom': None,
    'fresh_force_rmse_ev_per_angstrom': None,
    'test_energy_rmse_mev_per_atom': None,
    'test_force_rmse_ev_per_angstrom': None,
}


def load_campaign(identifier: str) -> Any:
    """Return the campaign with this pk, UUID or label.

    :raises AnialError: if there is none.
    """
    try:
        node: Any = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise AnialError(f'PK: there is no node {identifier!r}.') from exception
    if getattr(node, 'process_label', None) != ActiveLearningWorkChain.__name__:
        label = getattr(node, 'process_label', None) or type(node).__name__
        raise AnialError(f'PK: node {identifier} is a {label}, not an {ActiveLearningWorkChain.__name__}.')
    return node


def campaign_status(campaign: Any) -> dict[str, Any]:
    """Return the campaign in numbers, its iterations among them; index 0 is the initial random dataset."""
    children = sorted(campaign.called, key=lambda node: node.pk)
    iterations = [_iteration(child) for child in children if child.process_label == AlIterationWorkChain.__name__]
    rows = [_initial(campaign, children), *iterations]
    summary = campaign.outputs.summary.get_dict() if 'summary' in campaign.outputs else {}
    return {
        'pk': campaign.pk,
        'uuid': campaign.uuid,
        'process_state': campaign.process_state.value,
        'exit_status': campaign.exit_status,
        'exit_message': campaign.exit_message,
        'converged': summary.get('converged', any(row['converged'] for row in rows)),
        'verdict': summary.get('verdict'),
        'n_labels': sum(row['n_labels'] for row in rows),
        'n_rejected': sum(row['n_rejected'] for row in rows),
        'final_test_energy_rmse_mev_per_atom': _error(summary.get('test'), 'energy_rmse_mev_per_atom'),
        'final_test_force_rmse_ev_per_angstrom': _error(summary.get('test'), 'force_rmse_ev_per_angstrom'),
        'iterations': rows,
    }


def _initial(campaign: Any, children: list[Any]) -> dict[str, Any]:
    """Return the row of the initial random dataset."""
    row = {'index': 0, 'pk': campaign.pk, 'process_state': 'created', 'converged': False, **_EMPTY}
    for child in children:
        if child.process_label == LabelWorkChain.__name__:
            row.update(pk=child.pk, process_state=child.process_state.value, **_labels([child]))
        elif child.base.links.get_incoming(link_label_filter='initial_training').all():
            row['process_state'] = child.process_state.value
            row.update(_test(child.outputs.summary if 'summary' in child.outputs else None))
    return row


def _iteration(node: Any) -> dict[str, Any]:
    """Return the row of one iteration, as far as it has come."""
    outputs = node.outputs
    row = {
        'index': node.inputs.cycle.iteration.value,
        'pk': node.pk,
        'process_state': node.process_state.value,
        'converged': False,
        **_EMPTY,
        'threshold_ev_per_sqrt_atom': node.inputs.cycle.thresholds['energy_ev_per_sqrt_atom'],
        'n_trajectories': node.inputs.n_trajectories.value,
    }
    cycles = [child for child in node.called if child.process_label == 'CycleWorkChain']
    row.update(
        _labels([child for cycle in cycles for child in cycle.called if child.process_label == 'LabelWorkChain'])
    )
    if 'summary' in outputs:
        summary = outputs.summary.get_dict()
        row.update({key: summary[key] for key in ('n_trajectories', 'n_stopped', 'median_time_ps', 'converged')})
    if 'fresh_errors' in outputs:
        row['fresh_energy_rmse_mev_per_atom'] = outputs.fresh_errors['energy_rmse_mev_per_atom']
        row['fresh_force_rmse_ev_per_angstrom'] = outputs.fresh_errors['force_rmse_ev_per_angstrom']
    row.update(_test(outputs.training if 'training' in outputs else None))
    return row


def _labels(nodes: list[Any]) -> dict[str, int]:
    """Return how many labels the work chains have, finished ones from their outputs, running ones by their children."""
    n_labels = n_rejected = 0
    for node in nodes:
        if 'rejected' in node.outputs:
            n_rejected += len(node.outputs.rejected.get_dict())
            n_labels += node.outputs.dataset.n_configurations if 'dataset' in node.outputs else 0
        else:
            done = [child for child in node.called if child.process_label == 'PwBaseWorkChain' and child.is_terminated]
            n_labels += sum(child.is_finished_ok for child in done)
            n_rejected += sum(not child.is_finished_ok for child in done)
    return {'n_labels': n_labels, 'n_rejected': n_rejected}


def _test(summary: orm.Dict | None) -> dict[str, float | None]:
    """Return the test errors of a training."""
    errors = summary.get('test') if summary is not None else None
    return {
        'test_energy_rmse_mev_per_atom': _error(errors, 'energy_rmse_mev_per_atom'),
        'test_force_rmse_ev_per_angstrom': _error(errors, 'force_rmse_ev_per_angstrom'),
    }


def _error(errors: dict[str, float] | None, key: str) -> float | None:
    return errors.get(key) if errors else None
