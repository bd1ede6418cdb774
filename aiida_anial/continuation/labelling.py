"""The labels that a labelling has, whether it has come to its end or not."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida_quantumespresso.utils.bands import get_highest_occupied_band

from aiida_anial.workchains.reasons import reason, was_cut_short

__all__ = ('child', 'given', 'labels_of')


def given(node: orm.ProcessNode, name: str) -> dict[str, Any]:
    """Return a namespace of the inputs of a process as nested dictionaries."""
    incoming = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested()
    namespace: dict[str, Any] = incoming.get(name, {})
    return namespace


def child(node: orm.ProcessNode, label: str) -> Any:
    """Return the child that was launched under a label, the newest if there are two; ``None`` if there is none."""
    links = [link for link in node.base.links.get_outgoing().all() if link.link_label == label]
    nodes = [link.node for link in links if isinstance(link.node, orm.ProcessNode)]
    finished = [found for found in nodes if found.is_finished_ok]
    return max(finished or nodes, key=attrgetter('pk'), default=None)


def labels_of(labelling: orm.ProcessNode) -> dict[str, Any]:
    """Return the labels that a ``LabelWorkChain`` has, as the namespace ``adopted`` of another.

    The failures of one that failed by too many of them are left out, for there they are what has to be mended.
    """
    done = given(labelling, 'adopted')
    failures = done.pop('failures').get_dict() if 'failures' in done else {}
    for node in sorted(labelling.called, key=attrgetter('pk')):
        if node.process_label == 'EvaluateCalculation' and node.is_finished_ok:
            done |= {'labels': node.outputs.labels, 'rejected': node.outputs.rejected}
        elif node.process_label == 'PwBaseWorkChain':
            outputs = _pw_outputs(node)
            if outputs is not None:
                done.setdefault('parameters', {})[node.label] = outputs.output_parameters
                done.setdefault('trajectories', {})[node.label] = outputs.output_trajectory
            elif node.is_finished and not was_cut_short(node):
                failures[node.label] = reason(node)
    failures = {label: why for label, why in failures.items() if label not in done.get('parameters', {})}
    if failures and not labelling.is_finished:
        done['failures'] = orm.Dict(failures)
    return done


def _pw_outputs(base: orm.ProcessNode) -> Any:
    """Return the outputs of a ``PwBaseWorkChain``, or of the job that it did not live to take, if they are complete."""
    jobs = [node for node in base.called if isinstance(node, orm.CalcJobNode) and node.is_finished_ok]
    if base.is_finished_ok:
        found: Any = base.outputs
    elif not base.is_finished and jobs and _has_enough_bands(jobs[-1]):
        found = jobs[-1].outputs
    else:
        return None
    return found if 'output_parameters' in found and 'output_trajectory' in found else None


def _has_enough_bands(job: orm.CalcJobNode) -> bool:
    """Return whether the highest band is empty, as ``PwBaseWorkChain`` demands."""
    try:
        get_highest_occupied_band(job.outputs.output_band)
    except (AttributeError, ValueError):
        return False
    return True
