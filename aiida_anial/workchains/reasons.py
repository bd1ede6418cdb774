"""Why a process failed, in a few words."""

from __future__ import annotations

from aiida import orm

__all__ = ('reason',)


def reason(node: orm.ProcessNode) -> str:
    """Return why ``node`` failed, from the deepest process under it that says so."""
    if node.is_excepted:
        return f'{node.process_label}<{node.pk}> excepted: {node.exception}'
    if node.is_killed:
        return f'{node.process_label}<{node.pk}> was killed'
    failed = [child for child in getattr(node, 'called', []) if not child.is_finished_ok]
    # The last child is the one whose failure its caller did not handle.
    if failed and not isinstance(node, orm.CalcJobNode):
        return reason(max(failed, key=lambda child: child.pk))
    message = node.exit_message or 'it left no outputs'
    return f'{node.process_label}<{node.pk}> exit status {node.exit_status}: {message.rstrip(".")}'
