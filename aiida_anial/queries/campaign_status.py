"""The status of a campaign by iteration, and its paused processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aiida import orm

from aiida_anial.common.errors import AnialError, one_line
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded
from aiida_anial.labellers.registry import known_labellers
from aiida_anial.properties.comparison.results import MAIN
from aiida_anial.properties.registry import keyed_columns
from aiida_anial.queries.campaign_pace import campaign_pace
from aiida_anial.queries.graph import called_by, inputs_of, outputs_of
from aiida_anial.queries.records import records
from aiida_anial.queries.rejections import reason_counts
from aiida_anial.runtime.pausing import last_words
from aiida_anial.runtime.states import ACTIVE
from aiida_anial.workchains.reasons import KILLED, reason

__all__ = ('campaign_status', 'load_campaign', 'newest_ensemble', 'paused_processes')


def paused_processes(campaign: Any) -> list[dict[str, Any]]:
    """Return the paused processes of a campaign, itself included: pk, name, reason, and the command to resume.

    AiiDA pauses a job if several attempts to upload or retrieve its files have failed.
    """
    if campaign.is_terminated:
        return []
    # Query the paused processes of all campaigns, which are few; one campaign may have thousands of descendants.
    query = orm.QueryBuilder().append(
        orm.ProcessNode,
        filters={
            'attributes.paused': True,
            'attributes.process_state': {'in': ACTIVE},
            'id': {'>=': campaign.pk},
        },
        tag='process',
    )
    nodes = [node for node in query.order_by({'process': 'id'}).all(flat=True) if _is_under(node, campaign)]
    return [
        {
            'pk': node.pk,
            'process_label': node.process_label,
            'reason': _reason(node),
            'command': f'verdi process play {node.pk}',
        }
        for node in nodes
    ]


def _is_under(node: Any, campaign: Any) -> bool:
    """Return whether a process is the campaign or a descendant of it."""
    while node is not None and node.pk != campaign.pk:
        node = node.caller
    return node is not None


def _reason(node: Any) -> str:
    """Return why a process is paused, with the underlying error if AiiDA logged one."""
    reason = one_line(node.process_status or 'somebody paused it').rstrip('.')
    # AiiDA logs the traceback, which ends with the message of the exception.
    traces = [log.message for log in orm.Log.collection.get_logs_for(node) if 'Traceback' in log.message]
    return f'{reason}: {one_line(last_words(traces[-1]))}' if traces else reason


# Processes that label a cell each.
_ONE_BY_ONE = tuple({one.process_label for one in known_labellers().values() if not one.is_one_job})

_EMPTY: dict[str, Any] = {
    'n_trajectories': 0,
    'n_stopped': 0,
    'n_duplicates': 0,
    'median_time_ps': None,
    'threshold_ev_per_sqrt_atom': None,
    'threshold_energy_error_mev_per_atom': None,
    'threshold_force_error_ev_per_angstrom': None,
    'n_labels': 0,
    'n_rejected': 0,
    'n_killed': 0,
    'fresh_energy_rmse_mev_per_atom': None,
    'fresh_force_rmse_ev_per_angstrom': None,
    'test_energy_rmse_mev_per_atom': None,
    'test_force_rmse_ev_per_angstrom': None,
}


def load_campaign(identifier: str, option: str = 'PK') -> Any:
    """Return the campaign with this pk, UUID or label.

    :param option: option to name in messages.
    :raises AnialError: if there is no such node, or it is not a campaign.
    """
    node = loaded(identifier, option)
    if getattr(node, 'process_label', None) != 'ActiveLearningWorkChain':
        label = getattr(node, 'process_label', None) or type(node).__name__
        raise AnialError(f'{option}: node {identifier} is a {label}, not an ActiveLearningWorkChain.')
    return node


def campaign_status(campaign: Any) -> dict[str, Any]:
    """Return the status of a campaign and of each of its iterations; index 0 is the initial random dataset."""
    children = called_by([campaign])[campaign.pk]
    rows = [_initial(campaign, children), *_iterations(children)]
    failures = [reason for row in rows for reason in row.pop('failures')]
    taken_over, newest = _taken_over(campaign), newest_ensemble(campaign)
    found = outputs_of([campaign], 'summary').get((campaign.pk, 'summary'))
    summary = found.get_dict() if found is not None else {}
    return {
        'pk': campaign.pk,
        'uuid': campaign.uuid,
        'process_state': campaign.process_state.value,
        'exit_status': campaign.exit_status,
        'exit_message': campaign.exit_message,
        'converged': summary.get('converged', any(row['converged'] for row in rows)),
        'verdict': summary.get('verdict'),
        'unusual': summary.get('unusual', []),
        'paused': paused_processes(campaign),
        'continues': campaign.base.extras.get('continues', []),
        'n_labels': taken_over + sum(row['n_labels'] for row in rows),
        'n_labels_taken_over': taken_over,
        'n_rejected': sum(row['n_rejected'] for row in rows),
        'n_killed': sum(row['n_killed'] for row in rows),
        'failures': reason_counts(failures),
        'newest_ensemble': newest.pk if newest is not None else None,
        'final_test_energy_rmse_mev_per_atom': _error(summary.get('test'), 'energy_rmse_mev_per_atom'),
        'final_test_force_rmse_ev_per_angstrom': _error(summary.get('test'), 'force_rmse_ev_per_angstrom'),
        'pace': campaign_pace(campaign, rows),
        'properties': _properties(children),
        'iterations': rows,
    }


def _properties(children: list[Any]) -> list[dict[str, Any]]:
    """Return the properties of the benchmarked ensembles, in order of creation.

    :return: ``iteration`` after which each was trained, a number or ``final``, and the keys of the columns that
        properties want in the status.
    """
    nodes = [child for child in children if child.process_label == 'BenchmarkWorkChain']
    tables = outputs_of(nodes, 'table')
    rows = []
    for node in nodes:
        if (table := tables.get((node.pk, 'table'))) is None:
            continue
        values = table.get_dict()[MAIN]
        name = node.label.removeprefix('benchmark ')
        row: dict[str, Any] = {'iteration': int(name) if name.isdigit() else name}
        for of_property, column in keyed_columns():
            if column.in_status:
                row[column.key] = values.get(of_property, {}).get(column.quantity, {}).get('value')
        rows.append(row)
    return rows


def newest_ensemble(campaign: Any) -> EnsembleData | None:
    """Return the final ensemble of a campaign, its newest one if it has not ended, or None if there is none yet."""
    if (final := outputs_of([campaign], 'ensemble').get((campaign.pk, 'ensemble'))) is not None:
        return cast(EnsembleData, final)
    found = records('ensembles', campaigns=[campaign], sort='-created', limit=1, columns=('pk',))
    return cast(EnsembleData, orm.load_node(found[0]['pk'])) if found else None


def _taken_over(campaign: Any) -> int:
    """Return the number of labels that the campaign received as input."""
    incoming = campaign.base.links.get_incoming(link_label_filter='continued__shards__%').all_nodes()
    return sum(shard.n_configurations for shard in incoming)


def _initial(campaign: Any, children: list[Any]) -> dict[str, Any]:
    """Return the row of the initial random dataset."""
    begun = inputs_of([campaign], 'continued__shards__shard_000')
    state = 'taken over' if begun else 'created'
    row = {'index': 0, 'pk': campaign.pk, 'process_state': state, 'converged': False, **_EMPTY, 'failures': []}
    for child in children:
        if child.process_label == 'LabelWorkChain':
            row.update(pk=child.pk, process_state=child.process_state.value, **_labels([child]))
        elif child.label == 'initial training':
            row['process_state'] = child.process_state.value
            row.update(_test(outputs_of([child], 'summary').get((child.pk, 'summary'))))
    return row


def _iterations(children: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of the iterations, with the numbers known so far."""
    nodes = [child for child in children if child.process_label == 'AlIterationWorkChain']
    inputs = inputs_of(nodes, 'cycle__iteration', 'cycle__thresholds', 'n_trajectories')
    outputs = outputs_of(nodes, 'summary', 'fresh_errors', 'training')
    cycles = called_by(nodes, 'CycleWorkChain')
    holders = _holders([cycle for several in cycles.values() for cycle in several])
    rows = []
    for node in nodes:
        rows.append(_iteration(node, inputs, outputs))
        rows[-1].update(_labels([holder for cycle in cycles[node.pk] for holder in holders[cycle.pk]]))
    return rows


def _iteration(
    node: Any, inputs: Mapping[tuple[int, str], Any], outputs: Mapping[tuple[int, str], Any]
) -> dict[str, Any]:
    """Return the row of one iteration without its labels."""
    thresholds = inputs[node.pk, 'cycle__thresholds'].get_dict()
    row = {
        'index': inputs[node.pk, 'cycle__iteration'].value,
        'pk': node.pk,
        'process_state': node.process_state.value,
        'converged': False,
        **_EMPTY,
        'threshold_ev_per_sqrt_atom': thresholds['energy_ev_per_sqrt_atom'],
        'threshold_energy_error_mev_per_atom': thresholds.get('energy_error_mev_per_atom'),
        'threshold_force_error_ev_per_angstrom': thresholds.get('force_error_ev_per_angstrom'),
        'n_trajectories': inputs[node.pk, 'n_trajectories'].value,
    }
    if (summary := outputs.get((node.pk, 'summary'))) is not None:
        row.update({key: summary[key] for key in ('n_trajectories', 'n_stopped', 'median_time_ps', 'converged')})
        row['n_duplicates'] = summary.get('n_duplicates', 0)
    if (errors := outputs.get((node.pk, 'fresh_errors'))) is not None:
        row['fresh_energy_rmse_mev_per_atom'] = errors['energy_rmse_mev_per_atom']
        row['fresh_force_rmse_ev_per_angstrom'] = errors['force_rmse_ev_per_angstrom']
    return row | _test(outputs.get((node.pk, 'training')))


def _holders(cycles: list[Any]) -> dict[int, list[Any]]:
    """Return the processes that know the labels of each cycle: its running LabelWorkChain, otherwise the cycle."""
    ended = outputs_of(cycles, 'rejected')
    going_on = called_by([cycle for cycle in cycles if (cycle.pk, 'rejected') not in ended], 'LabelWorkChain')
    return {cycle.pk: going_on.get(cycle.pk, [cycle]) for cycle in cycles}


def _labels(nodes: list[Any]) -> dict[str, Any]:
    """Count the labels of work chains, of finished ones from their outputs and of running ones from their children.

    :return: the counts of a row, and ``failures``, why there is no label of a cell.
    """
    n_labels, failures = 0, list[str]()
    outputs = outputs_of(nodes, 'rejected', 'dataset')
    for node in nodes:
        if (node.pk, 'rejected') in outputs:
            failures += outputs[node.pk, 'rejected'].get_dict().values()
            dataset = outputs.get((node.pk, 'dataset'))
            n_labels += dataset.n_configurations if dataset is not None else 0
        else:
            done = [child for child in called_by([node], *_ONE_BY_ONE)[node.pk] if child.is_terminated]
            # For a cell that was calculated twice, the second attempt counts.
            newest = {child.label: child for child in done}.values()
            n_labels += sum(child.is_finished_ok for child in newest)
            n_labels += len(node.base.links.get_incoming(link_label_filter='adopted__parameters__%').all())
            failures += [reason(child) for child in newest if not child.is_finished_ok]
    n_killed = sum(text.endswith(KILLED) for text in failures)
    return {
        'n_labels': n_labels,
        'n_rejected': len(failures) - n_killed,
        'n_killed': n_killed,
        'failures': failures,
    }


def _test(summary: orm.Dict | None) -> dict[str, float | None]:
    """Return the test errors of a training."""
    errors = summary.get('test') if summary is not None else None
    return {
        'test_energy_rmse_mev_per_atom': _error(errors, 'energy_rmse_mev_per_atom'),
        'test_force_rmse_ev_per_angstrom': _error(errors, 'force_rmse_ev_per_angstrom'),
    }


def _error(errors: dict[str, float] | None, key: str) -> float | None:
    return errors.get(key) if errors else None
