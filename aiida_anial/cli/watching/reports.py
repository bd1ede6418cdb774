"""The reports of a process and of the work chains under it, as they arrive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ('Reports',)

# AiiDA prefixes each message with the process and its step in brackets.
_REPORT: Final = re.compile(r'\[(?P<pk>\d+)\|(?P<name>\w+)\|\w+\]: (?P<text>.*)', re.DOTALL)

# Work chains that report every single job; the work chains above them report the progress.
_QUIET: Final = ('PwBaseWorkChain', 'SampleWorkChain', 'TrainWorkChain')


class Reports:
    """The reports of a process and of the work chains under it."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self._last = 0
        self._belongs = {process.pk: True}

    def fresh(self) -> Iterator[str]:
        """Yield the reports since the last call, each on a line with the seconds since the process was created."""
        from aiida import orm

        # Query the log of all processes: finding the descendants of the process each time would cost far more.
        logs = orm.QueryBuilder().append(
            orm.Log, filters={'id': {'>': self._last}}, project=['id', 'time', 'dbnode_id', 'message']
        )
        for identifier, moment, pk, message in sorted(logs.all()):
            self._last = identifier
            found = _REPORT.match(message)
            process, text = (f'{found["name"]}<{found["pk"]}>', found['text']) if found else (f'<{pk}>', message)
            if not process.startswith(_QUIET) and self._is_ours(pk):
                yield f'[{(moment - self._process.ctime).total_seconds():4.0f} s] {process} {text}'

    def _is_ours(self, pk: int) -> bool:
        """Return whether the process ``pk`` is the watched one or a descendant of it."""
        from aiida import orm

        if pk not in self._belongs:
            node: Any = orm.load_node(pk)
            caller = node.caller
            self._belongs[pk] = caller is not None and self._is_ours(caller.pk)
        return self._belongs[pk]
