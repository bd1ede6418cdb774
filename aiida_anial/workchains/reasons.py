"""Why a process failed, in a few words."""

from __future__ import annotations

from operator import attrgetter

from aiida import orm

__all__ = ('reason', 'was_cut_short')

# No files, no output, the output or the XML missing, unreadable or ending too early; a machine that failed.
_CUT_SHORT = (100, 140, 301, 302, 303, 305, 310, 311, 312, 320, 321, 322)

# pw.x writes it when it stops by itself, with the reason.
_CRASH = 'CRASH'


def reason(node: orm.ProcessNode) -> str:
    """Return why ``node`` failed, from the deepest process under it that says so."""
    if node.is_excepted:
        return f'{node.process_label}<{node.pk}> excepted: {node.exception}'
    if node.is_killed:
        return f'{node.process_label}<{node.pk}> was killed'
    # A failure that is not that of the last child was handled by its caller.
    last = max(getattr(node, 'called', []), key=lambda child: child.pk, default=None)
    if last is not None and not last.is_finished_ok and not isinstance(node, orm.CalcJobNode):
        return reason(last)
    message = node.exit_message or 'it left no outputs'
    return f'{node.process_label}<{node.pk}> exit status {node.exit_status}: {message.rstrip(".")}'


def was_cut_short(node: orm.ProcessNode) -> bool:
    """Return whether the last job of a ``PwBaseWorkChain`` never began or was ended from outside.

    Physics and convergence explain neither, so that another run may well succeed.
    """
    jobs = [child for child in getattr(node, 'called', []) if isinstance(child, orm.CalcJobNode)]
    if not node.is_finished or not jobs:
        return False
    last = max(jobs, key=attrgetter('pk'))
    retrieved = last.outputs.retrieved.base.repository.list_object_names() if 'retrieved' in last.outputs else []
    return last.exit_status in _CUT_SHORT and _CRASH not in retrieved
