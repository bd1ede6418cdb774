"""Read the inputs of a finished process as its builder held them.

:hook: ``ProcessBuilder._inputs``
:changes: Nothing; the method is called, with ``prune=True``.
:why: Campaigns of earlier versions did not store their settings in one node. These are inferred from the inputs,
    options of the jobs included, and a builder offers no public way to its inputs as nested dictionaries.
:upstream: aiida-core #7003 and #7006 (the API of ``ProcessBuilder``)
:until: No such campaign has to be continued any more.
"""

from __future__ import annotations

from typing import Any

__all__ = ('builder_inputs',)


def builder_inputs(node: Any) -> dict[str, Any]:
    """Return the inputs of a process, nested, with the options of its jobs under ``metadata``."""
    inputs: dict[str, Any] = node.get_builder_restart()._inputs(prune=True)
    return inputs
