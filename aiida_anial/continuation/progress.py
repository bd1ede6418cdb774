"""Read from the graph what a campaign has finished, at whatever point it ended."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

from aiida import orm
from aiida.common import LinkType

from aiida_anial.calculations.worker import CHECKPOINT
from aiida_anial.labellers.registry import known_labellers
from aiida_anial.workchains.reasons import reason

__all__ = ('child', 'given', 'labels_of', 'progress')


def given(node: orm.ProcessNode, name: str) -> dict[str, Any]:
    """Return a namespace of the inputs of a process as nested dictionaries."""
    incoming = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested()
    namespace: dict[str, Any] = incoming.get(name, {})
    return namespace


def child(node: orm.ProcessNode, label: str) -> Any:
    """Return the newest child launched under a link label, a successful one if there is any; otherwise ``None``."""
    links = [link for link in node.base.links.get_outgoing().all() if link.link_label == label]
    nodes = [link.node for link in links if isinstance(link.node, orm.ProcessNode)]
    finished = [found for found in nodes if found.is_finished_ok]
    return max(finished or nodes, key=attrgetter('pk'), default=None)


def labels_of(labelling: orm.ProcessNode) -> dict[str, Any]:
    """Return the labels of a ``LabelWorkChain`` as the namespace ``adopted`` of another.

    If it ended because too many labels failed, the failures are left out, so that they are calculated again.
    """
    done = given(labelling, 'adopted')
    failures = done.pop('failures').get_dict() if 'failures' in done else {}
    labelled = set()
    labellers = {labeller.process_label: labeller for labeller in known_labellers().values()}
    for node in sorted(labelling.called, key=attrgetter('pk')):
        if (labeller := labellers.get(str(node.process_label))) is None:
            continue
        if (found := labeller.labels_of(node)) is not None:
            labelled.add(node.label)
            for kind, nodes in found.items():
                done[kind] = {**done.get(kind, {}), **nodes} if isinstance(nodes, dict) else nodes
        elif node.is_finished and not labeller.is_one_job and not labeller.deserves_another_try(node):
            failures[node.label] = reason(node)
    failures = {label: why for label, why in failures.items() if label not in labelled}
    if failures and not labelling.is_finished:
        done['failures'] = orm.Dict(failures)
    return done


_ITERATION = re.compile(r'iteration_(\d+)')


def progress(campaign: orm.ProcessNode) -> dict[str, Any]:
    """Return what a campaign has finished, as the namespace ``continued`` of one that continues it.

    This includes what it reused of others. A checkpoint that is still in a work directory is a ``RemoteData`` here.
    The verdict is left out, because it depends on the settings of the next campaign.
    """
    done = given(campaign, 'continued')
    done.pop('verdict', None)
    _initial_labels(campaign, done)
    _update(done, 'training', _training(child(campaign, 'initial_training')))
    for label in sorted(link.link_label for link in campaign.base.links.get_outgoing().all()):
        if (match := _ITERATION.fullmatch(label)) is not None:
            _iteration(child(campaign, label), int(match[1]), done)
    _update(done, 'final', _training(child(campaign, 'final_training')))
    return done


def _update(done: dict[str, Any], name: str, fresh: dict[str, Any]) -> None:
    """Merge the state of a training into ``done``; a finished training replaces its checkpoint."""
    if fresh:
        done[name] = (done.get(name, {}) if 'ensemble' not in fresh else {}) | fresh


def _initial_labels(campaign: orm.ProcessNode, done: dict[str, Any]) -> None:
    """Add the initial labels to ``done``, as many as are finished."""
    labelling = child(campaign, 'initial_labels')
    if labelling is None:
        return
    for name in ('cells', 'label'):
        done.pop(name, None)
    if labelling.is_finished_ok:
        done.setdefault('shards', {})['shard_000'] = labelling.outputs.dataset
    else:
        done['cells'] = given(labelling, 'cells')
        if labels := labels_of(labelling):
            done['label'] = labels


def _iteration(node: Any, index: int, done: dict[str, Any]) -> None:
    """Add an iteration to ``done``, or the finished part of the last one."""
    if not node.is_finished_ok:
        done['next'] = _unfinished(node)
        done['thresholds'] = node.inputs.cycle.thresholds
        return
    outputs = node.outputs
    done.pop('next', None)
    done.pop('final', None)
    done['iteration'] = orm.Int(index)
    done['thresholds'] = outputs.thresholds
    done.setdefault('summaries', {})[f'iteration_{index:03d}'] = outputs.summary
    shards = dict(outputs.shards) if 'shards' in outputs else {}
    done.setdefault('shards', {}).update({f'shard_{index:03d}_{name}': shard for name, shard in shards.items()})
    if 'ensemble' in outputs:
        done['training'] = {'ensemble': outputs.ensemble, 'summary': outputs.training}


def _unfinished(iteration: orm.ProcessNode) -> dict[str, Any]:
    """Return what an unfinished iteration has, as the namespace ``adopted`` of another."""
    done = given(iteration, 'adopted')
    cycles = done.setdefault('cycles', {})
    for node in sorted(iteration.called, key=attrgetter('pk')):
        if node.process_label == 'CycleWorkChain':
            cycles[f'cycle_{node.inputs.cycle.value:02d}'] = _cycle(node)
    validation = child(iteration, 'validate')
    if validation is not None and validation.is_finished_ok:
        done['fresh_errors'] = validation.outputs.summary
    _update(done, 'training', _training(child(iteration, 'train')))
    return done


def _cycle(node: Any) -> dict[str, Any]:
    """Return what a cycle has, as the namespace ``adopted`` of another, and its ``number`` of trajectories."""
    done = {**given(node, 'adopted'), 'number': node.inputs.number}
    sampling = child(node, 'sample')
    if sampling is not None and sampling.is_finished_ok:
        done.pop('checkpoint', None)
        done |= {'table': sampling.outputs.table, 'trajectories': dict(sampling.outputs.trajectories)}
    elif sampling is not None and (checkpoint := _checkpoint(sampling)) is not None:
        done['checkpoint'] = checkpoint
    labelling = child(node, 'label')
    if labelling is None:
        return done
    done.pop('label', None)
    if labelling.is_finished_ok:
        done.pop('candidates', None)
        return done | {name: labelling.outputs[name] for name in ('dataset', 'rejected') if name in labelling.outputs}
    labels = labels_of(labelling)
    return done | {'candidates': given(labelling, 'cells')} | ({'label': labels} if labels else {})


def _training(chain: Any) -> dict[str, Any]:
    """Return the ensemble of a training and its summary, or the checkpoint to continue from."""
    if chain is None:
        return {}
    if chain.is_finished_ok:
        return {'ensemble': chain.outputs.ensemble, 'summary': chain.outputs.summary}
    checkpoint = _checkpoint(chain)
    return {} if checkpoint is None else {'checkpoint': checkpoint}


def _checkpoint(chain: orm.ProcessNode) -> Any:
    """Return the last checkpoint of a chain of jobs: retrieved, in a work directory, or the one it started from."""
    jobs = [node for node in chain.called if isinstance(node, orm.CalcJobNode)]
    for job in sorted(jobs, key=attrgetter('pk'), reverse=True):
        outputs = job.outputs
        if 'retrieved' in outputs and CHECKPOINT in outputs.retrieved.base.repository.list_object_names():
            return outputs.retrieved
        if not job.is_finished and 'remote_folder' in outputs and not outputs.remote_folder.is_cleaned:
            return outputs.remote_folder
    return given(chain, 'checkpoint') or None
