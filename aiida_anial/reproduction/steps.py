"""Steps of the graph: their kinds, how they are loaded, and which of them can run again."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import NotExistent

from aiida_anial.common.errors import AnialError
from aiida_anial.data.nodes import loaded
from aiida_anial.labellers.registry import known_labellers

__all__ = (
    'INPUT_LINKS',
    'StepKind',
    'describe',
    'end_of',
    'kind_of',
    'load_step',
    'obstacle',
    'seconds_of',
    'steps_under',
)


class StepKind(StrEnum):
    """The kind of a step, roughly from cheap to expensive."""

    FUNCTION = 'function'
    EVALUATION = 'evaluation'
    DYNAMICS = 'dynamics'
    TRAINING = 'training'
    DFT = 'dft'
    ORCHESTRATION = 'orchestration'


_JOBS = {
    'anial.train': StepKind.TRAINING,
    'anial.sample': StepKind.DYNAMICS,
    **{job: StepKind.DFT for labeller in known_labellers().values() for job in labeller.dft_jobs},
}

# Work chains that run one job, in as many attempts as it needs.
_RESTARTING = '.base'

# This work chain of aiida-quantumespresso only calls restarting work chains.
_RELAXATION = 'quantumespresso.pw.relax'

_OURS = ('anial.', 'aiida_anial.')
_THEIRS = ('quantumespresso.', 'aiida_quantumespresso.')


def kind_of(node: orm.ProcessNode | None) -> StepKind | None:
    """Return the kind of a process, or None if it is neither a step of this package nor a ``pw.x`` calculation."""
    # The name of the entry point, or the path of the function.
    name = (getattr(node, 'process_type', None) or '').rpartition(':')[2]
    if isinstance(node, orm.CalcFunctionNode):
        return StepKind.FUNCTION if name.startswith((*_OURS, *_THEIRS)) else None
    if isinstance(node, orm.WorkChainNode) and not name.endswith(_RESTARTING):
        return StepKind.ORCHESTRATION if name.startswith((*_OURS, _RELAXATION)) else None
    if isinstance(node, orm.CalcJobNode | orm.WorkChainNode):
        job = name.removesuffix(_RESTARTING)
        return _JOBS.get(job, StepKind.EVALUATION if job.startswith(_OURS) else None)
    return None


INPUT_LINKS = (LinkType.INPUT_CALC, LinkType.INPUT_WORK)


def load_step(identifier: str) -> Any:
    """Return the process with this pk or UUID, or the creator of the data node with it.

    For a job that continued in the remote folder of another job, return the work chain that ran both.

    :raises AnialError: if there is no such node, it has no creator, or it is not a step of this package.
    """
    node = loaded(identifier, 'PK')
    if isinstance(node, orm.Data):
        if node.creator is None:
            raise AnialError(
                f'PK: {type(node).__name__}<{node.pk}> was not created by a process, so there is nothing to run again.'
            )
        node = node.creator
    kind = kind_of(node) if isinstance(node, orm.ProcessNode) else None
    if kind is None:
        raise AnialError(f'PK: {describe(node)} is not a step of aiida-anial.')
    return node.caller if _needs_folder(node) and kind_of(node.caller) == kind else node


def describe(node: Any) -> str:
    """Return the type and pk of a node in the notation of ``verdi``."""
    return f'{getattr(node, "process_label", None) or type(node).__name__}<{node.pk}>'


def obstacle(node: Any) -> str | None:
    """Return why the step cannot be reproduced, as part of a sentence, or None if it can."""
    if not node.is_terminated or not node.is_sealed:
        return 'it has not ended yet'
    if kind_of(node) == StepKind.ORCHESTRATION:
        return None
    if not node.is_finished_ok:
        return f'it did not succeed ({end_of(node)}), so there is nothing to compare with'
    if _needs_folder(node):
        return 'it needs the work directory of another job, which is not stored'
    return None


def end_of(node: Any) -> str:
    """Return how a process ended."""
    if not node.is_finished:
        return str(node.process_state.value)
    message = f': {node.exit_message.rstrip(".")}' if node.exit_message else ''
    return f'exit status {node.exit_status}{message}'


def _needs_folder(node: Any) -> bool:
    """Return whether a process continued from a remote folder."""
    return bool(node.base.links.get_incoming(node_class=orm.RemoteData, link_type=INPUT_LINKS).all())


def steps_under(node: Any) -> Iterator[Any]:
    """Yield the steps that a work chain called, in order of creation.

    A work chain that only repeats a job until it has finished counts as one step.
    """
    for child in sorted(node.called, key=lambda called: called.pk):
        if kind_of(child) == StepKind.ORCHESTRATION:
            yield from steps_under(child)
        elif kind_of(child) is not None:
            yield child


def seconds_of(node: Any) -> float:
    """Return the run time of a step in s, from its creation to its last output.

    For a process from the cache, return the run time of the process that it was copied from, if that still exists.
    """
    if isinstance(node, orm.WorkChainNode):
        return sum(seconds_of(child) for child in node.called)
    source = node.base.caching.get_cache_source()
    if source is not None:
        try:
            return seconds_of(orm.load_node(source))
        except NotExistent:
            pass
    made = [link.node.ctime for link in node.base.links.get_outgoing(link_type=LinkType.CREATE).all()]
    return max((moment - node.ctime).total_seconds() for moment in made) if made else 0.0
