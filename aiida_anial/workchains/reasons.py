"""Why a process failed, in a few words."""

from __future__ import annotations

from typing import Final

from aiida import orm

__all__ = ('KILLED', 'reason')

KILLED: Final = ' was killed'
"""End of the reason of a process that somebody killed."""


def reason(node: orm.ProcessNode) -> str:
    """Return why ``node`` failed, from the deepest process under it that says so."""
    if node.is_excepted:
        return f'{node.process_label}<{node.pk}> excepted: {node.exception}'
    if node.is_killed:
        return f'{node.process_label}<{node.pk}>{KILLED}'
    # A failure that is not that of the last child was handled by its caller.
    last = max(getattr(node, 'called', []), key=lambda child: child.pk, default=None)
    if last is not None and not last.is_finished_ok and not isinstance(node, orm.CalcJobNode):
        return reason(last)
    message = node.exit_message or 'it left no outputs'
    return f'{node.process_label}<{node.pk}> exit status {node.exit_status}: {message.rstrip(".")}'
