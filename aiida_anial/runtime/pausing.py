"""A work chain that waits where the machine fails it, instead of giving up what it has done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from aiida import orm
from aiida.common import LinkType
from aiida.common.extendeddicts import AttributeDict
from aiida.engine import WorkChain
from plumpy.persistence import LoadSaveContext
from plumpy.process_states import PauseInterruption

from aiida_anial.runtime.deafness import watch_broker

__all__ = ('PausingWorkChain', 'is_of_the_machine', 'last_words')

# A full disk or quota, a disk that fails, too many open files; SQLite and PostgreSQL say the first in words of theirs.
_OF_THE_MACHINE = re.compile(
    r'No space left on device|Disk quota exceeded|Input/output error|Too many open files|Read-only file system|'
    r'database or disk is full|disk I/O error|could not extend file'
)


class PausingWorkChain(WorkChain):
    """Pause before a step that the machine did not let happen: ``verdi process play`` takes it again.

    A step that is taken again, here or after a daemon was killed, finds the context as it was before, and does not
    launch a child twice. Every launch of one process needs a ``call_link_label`` of its own.
    """

    def submit(self, process: Any, inputs: dict[str, Any] | None = None, **kwargs: Any) -> orm.ProcessNode:
        """Submit a child, or return the one that was submitted under the same label when this step ran before."""
        label = kwargs.get('metadata', {}).get('call_link_label')
        kinds = (LinkType.CALL_CALC, LinkType.CALL_WORK)
        links = self.node.base.links.get_outgoing(link_type=kinds, link_label_filter=label).all() if label else ()
        for link in links:
            child: Any = link.node
            if link.link_label == label and (child.is_terminated or child.checkpoint is not None):
                self.report(f'{child.process_label}<{child.pk}> ({label}) was launched before; action taken: keep it')
                return cast(orm.ProcessNode, child)
        submitted: orm.ProcessNode = super().submit(process, inputs, **kwargs)
        return submitted

    def load_instance_state(self, saved_state: Any, load_context: LoadSaveContext) -> None:
        """Go on in a daemon worker, and see to it that this one hears the broker."""
        super().load_instance_state(saved_state, load_context)  # type: ignore[no-untyped-call]
        watch_broker(self.loop)

    def _do_step(self) -> Any:
        """Take a step, or pause before it."""
        context = _copied(self.ctx)
        try:
            return super()._do_step()
        except Exception as exception:
            cause = next((one for one in _causes(exception) if is_of_the_machine(f'{type(one).__name__}: {one}')), None)
            if cause is None:
                raise
            self._context = context
            text = last_words(str(cause))
            self.report(f'{text}; action taken: pause before this step')
            raise PauseInterruption(f'Pausing before a step that failed: {text}') from exception


def is_of_the_machine(what: str | orm.ProcessNode) -> bool:
    """Return whether an exception, or that of a process, says nothing but that the machine failed."""
    text = what if isinstance(what, str) else what.exception
    return text is not None and _OF_THE_MACHINE.search(text) is not None


def last_words(trace: str | None) -> str:
    """Return what a traceback says in the end, or the last line in it that says that the machine failed."""
    lines = [' '.join(line.split()) for line in (trace or '').splitlines() if line.strip()]
    telling = [line for line in lines if is_of_the_machine(line)]
    return (telling or lines or ['it does not say why'])[-1]


def _causes(exception: BaseException | None) -> Iterator[BaseException]:
    """Return an exception and what led to it."""
    while exception is not None:
        yield exception
        exception = exception.__cause__ or exception.__context__


def _copied(value: Any) -> Any:
    """Return containers with the same nodes and numbers in them."""
    if isinstance(value, AttributeDict):
        return type(value)({key: _copied(item) for key, item in value.items()})
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value
