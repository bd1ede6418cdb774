"""The kinds of steps, by what they promise when they run again."""

from __future__ import annotations

from enum import StrEnum

from aiida import orm

__all__ = ('StepKind', 'kind_of')


class StepKind(StrEnum):
    """What a step is, from cheap to expensive as a rule."""

    FUNCTION = 'function'
    EVALUATION = 'evaluation'
    DYNAMICS = 'dynamics'
    TRAINING = 'training'
    DFT = 'dft'
    ORCHESTRATION = 'orchestration'


_JOBS = {
    'anial.train': StepKind.TRAINING,
    'anial.sample': StepKind.DYNAMICS,
    'anial.pw': StepKind.DFT,
    'quantumespresso.pw': StepKind.DFT,
}

# Work chains that run one job, over as many attempts as it needs.
_RESTARTING = '.base'

# Of aiida-quantumespresso: calls a work chain that restarts, and does nothing else.
_RELAXATION = 'quantumespresso.pw.relax'

_OURS = ('anial.', 'aiida_anial.')
_THEIRS = ('quantumespresso.', 'aiida_quantumespresso.')


def kind_of(node: orm.ProcessNode | None) -> StepKind | None:
    """Return the kind of a process, None if it is no step of this package or of aiida-quantumespresso's ``pw.x``."""
    # The name of an entry point, or the path of a function.
    name = (getattr(node, 'process_type', None) or '').rpartition(':')[2]
    if isinstance(node, orm.CalcFunctionNode):
        return StepKind.FUNCTION if name.startswith((*_OURS, *_THEIRS)) else None
    if isinstance(node, orm.WorkChainNode) and not name.endswith(_RESTARTING):
        return StepKind.ORCHESTRATION if name.startswith((*_OURS, _RELAXATION)) else None
    if isinstance(node, orm.CalcJobNode | orm.WorkChainNode):
        job = name.removesuffix(_RESTARTING)
        return _JOBS.get(job, StepKind.EVALUATION if job.startswith(_OURS) else None)
    return None
