"""Link thousands of inputs to a process in seconds.

:hook: ``Process._node_class``, ``process_function(node_class=...)``, ``ProcessNodeLinks.add_incoming``,
    ``NodeLinks.incoming_cache`` and ``ProcessNodeCaching._hash_ignored_inputs``
:changes: An input is added to an unstored node without a comparison with all others and without a query; the hash of
    a node is made from the hashes that its inputs have stored.
:why: AiiDA compares each new input with all others, and asks the database whether it descends from the node, which is
    not stored yet. 6,000 inputs, three for each of 2,000 labels, take a quarter of an hour in which the daemon worker
    does nothing else. For the hash it reads every file of every input again. Measured with 100 inputs: 21 s to link
    them become 2 ms; a calcfunction of 60 inputs takes 0.6 s in place of 2.0 s by the hashes alone.
:upstream: aiida-core #3088 (improve the efficiency of link validation), closed by #3164, which did not cover this;
    for the hash none found, related: #5840
:until: AiiDA adds a link in constant time, and hashes inputs by their stored hash.
"""

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
    """Links of a node; to add an input takes the same time however many there are."""

    def __init__(self, node: orm.Node) -> None:
        super().__init__(node)
        self._labels: set[tuple[LinkType, str]] = set()

    def add_incoming(self, source: Any, link_type: LinkType, link_label: str) -> None:
        """Add an input to a node that is not stored; AiiDA adds all else."""
        if link_type not in _INPUTS or self._node.is_stored:
            super().add_incoming(source, link_type, link_label)
            return
        if not isinstance(source, orm.Data):
            raise ValueError(f'{link_label}: an input must be a data node, not {type(source).__name__}')
        if (link_type, link_label) in self._labels:
            raise ValueError(f'{link_label}: there is such an input already')
        try:
            validate_link_label(link_label)
        except ValueError as exception:
            raise ValueError(f'{link_label}: not a name for an input: {exception}') from exception
        self._labels.add((link_type, link_label))
        self.incoming_cache.append(LinkTriple(source, link_type, link_label))


class _Caching(ProcessNodeCaching):
    """Hash of a node from the stored hashes of its inputs."""

    def get_objects_to_hash(self) -> Any:
        """Return the objects that AiiDA hashes, with stored hashes for the inputs."""
        links = self._node.base.links.get_incoming(link_type=_INPUTS).all()
        hashes = {link.link_label: link.node.base.caching for link in links}
        inputs = {
            label: caching.get_hash() or caching.compute_hash()
            for label, caching in hashes.items()
            if label not in self._hash_ignored_inputs
        }
        return {**NodeCaching.get_objects_to_hash(self), 'inputs': inputs}


class _CalcFunctionNodeOfMany(orm.CalcFunctionNode):
    """Makes the node of a calcfunction, to which thousands of inputs can be linked."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Return a ``CalcFunctionNode``, for AiiDA stores only classes that it knows."""
        return _linked(orm.CalcFunctionNode(*arguments, **keywords))


class WorkChainNodeOfMany(orm.WorkChainNode):
    """Makes the node of a work chain, to which thousands of inputs can be linked."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Return a ``WorkChainNode``, for AiiDA stores only classes that it knows."""
        return _linked(orm.WorkChainNode(*arguments, **keywords))


def _linked(node: Any) -> Any:
    node.base.links, node.base.caching = _Links(node), _Caching(node)
    return node


def calcfunction_of_many(function: Callable[..., Any]) -> Any:
    """Make a calcfunction, as ``aiida.engine.calcfunction`` does, that may have thousands of inputs."""
    return process_function(node_class=_CalcFunctionNodeOfMany)(function)
