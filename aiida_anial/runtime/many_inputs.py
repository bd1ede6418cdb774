"""Process nodes that thousands of inputs can be linked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida import orm
from aiida.common.links import LinkType, validate_link_label
from aiida.engine.processes.functions import process_function
from aiida.orm.nodes.caching import NodeCaching
from aiida.orm.nodes.process.process import ProcessNodeCaching, ProcessNodeLinks
from aiida.orm.utils.links import LinkTriple

__all__ = ('WorkChainNodeOfMany', 'calcfunction_of_many')

_INPUTS = (LinkType.INPUT_CALC, LinkType.INPUT_WORK)


class _Links(ProcessNodeLinks):
    """Links of a node that add an input in the same time, however many there are.

    AiiDA compares each new input with all others, and asks the database whether it comes from the node, which is not
    in there yet: 6,000 inputs, three for each of 2,000 labels, would take a quarter of an hour in which the daemon's
    worker does nothing else.
    """

    def __init__(self, node: orm.Node) -> None:
        super().__init__(node)
        self._labels: set[tuple[LinkType, str]] = set()

    def add_incoming(self, source: Any, link_type: LinkType, link_label: str) -> None:
        """Add an input to a node that is not stored; AiiDA adds all else."""
        if link_type not in _INPUTS or self._node.is_stored:
            super().add_incoming(source, link_type, link_label)
            return
        if not isinstance(source, orm.Data):
            raise ValueError(f'{link_label}: an input is a data node, not {type(source).__name__}')
        if (link_type, link_label) in self._labels:
            raise ValueError(f'{link_label}: there is such an input already')
        try:
            validate_link_label(link_label)
        except ValueError as exception:
            raise ValueError(f'{link_label}: an input cannot be called so: {exception}') from exception
        self._labels.add((link_type, link_label))
        self.incoming_cache.append(LinkTriple(source, link_type, link_label))


class _Caching(ProcessNodeCaching):
    """Hash of a node from the hashes that its inputs have, where AiiDA reads every file of theirs again."""

    def get_objects_to_hash(self) -> Any:
        """Return what AiiDA does."""
        links = self._node.base.links.get_incoming(link_type=_INPUTS).all()
        hashes = {link.link_label: link.node.base.caching for link in links}
        inputs = {
            label: caching.get_hash() or caching.compute_hash()
            for label, caching in hashes.items()
            if label not in self._hash_ignored_inputs
        }
        return {**NodeCaching.get_objects_to_hash(self), 'inputs': inputs}


class _CalcFunctionNodeOfMany(orm.CalcFunctionNode):
    """Makes the record of a calcfunction, a node like any other but for how inputs are linked to it."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Return a ``CalcFunctionNode``: AiiDA stores no class that it does not know."""
        return _linked(orm.CalcFunctionNode(*arguments, **keywords))


class WorkChainNodeOfMany(orm.WorkChainNode):
    """Makes the record of a work chain, a node like any other but for how inputs are linked to it."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Return a ``WorkChainNode``: AiiDA stores no class that it does not know."""
        return _linked(orm.WorkChainNode(*arguments, **keywords))


def _linked(node: Any) -> Any:
    node.base.links, node.base.caching = _Links(node), _Caching(node)
    return node


def calcfunction_of_many(function: Callable[..., Any]) -> Any:
    """Make a calcfunction as ``aiida.engine.calcfunction`` does, of one that may have thousands of inputs."""
    return process_function(node_class=_CalcFunctionNodeOfMany)(function)
