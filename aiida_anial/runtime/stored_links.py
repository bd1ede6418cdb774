"""Ask for the links of a node in one statement.

:hook: ``NodeLinks.get_stored_link_triples``, ``NodeLinks.validate_incoming``
:changes: A daemon worker asks for the links of a node without AiiDA's QueryBuilder, and does not ask whether the first
    links of a node close a cycle.
:why: QueryBuilder takes ten times as long to write such a question as the database to answer it, and processes ask
    it at every step: a seventh of the CPU time of a daemon worker. A node that is not stored yet has no descendants,
    so no link into it can close a cycle; another fifteenth.
:upstream: none found
:until: ``get_stored_link_triples`` is fast, and ``validate_incoming`` looks whether the node is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from aiida.common.links import LinkType
from aiida.orm import Node
from aiida.orm.convert import get_orm_entity
from aiida.orm.nodes.links import NodeLinks
from aiida.orm.utils.links import LinkTriple, validate_link

__all__ = ('ask_for_links_directly',)

_stock_triples: Any = NodeLinks.get_stored_link_triples
_stock_validation: Any = NodeLinks.validate_incoming


def _stored_link_triples(  # noqa: PLR0917, AiiDA calls it so
    self: Any,
    node_class: type[Node] | None = None,
    link_type: LinkType | Sequence[LinkType] = (),
    link_label_filter: str | None = None,
    link_direction: str = 'incoming',
    only_uuid: bool = False,
) -> list[LinkTriple]:
    """Return the stored links into a node or out of it."""
    types = (link_type,) if isinstance(link_type, LinkType) else tuple(link_type)
    if node_class not in (None, Node) or not all(isinstance(one, LinkType) for one in types):
        found: list[LinkTriple] = _stock_triples(
            self, node_class, link_type, link_label_filter, link_direction, only_uuid=only_uuid
        )
        return found
    backend: Any = self._node.backend
    tables = backend.query()
    here, there = tables.Link.output_id, tables.Link.input_id
    if link_direction == 'outgoing':
        here, there = there, here
    statement = (
        sqlalchemy.select(tables.Node.uuid if only_uuid else tables.Node, tables.Link.type, tables.Link.label)
        .join(tables.Link, there == tables.Node.id)
        .where(here == self._node.pk)
    )
    if types:
        statement = statement.where(tables.Link.type.in_([one.value for one in types]))
    if link_label_filter:
        statement = statement.where(tables.Link.label.like(link_label_filter, escape='\\'))
    rows = backend.get_session().execute(statement).all()
    return [
        LinkTriple(node if only_uuid else get_orm_entity(backend.get_backend_entity(node)), LinkType(kind), label)
        for node, kind, label in rows
    ]


def _validate_incoming(self: Any, source: Node, link_type: LinkType, link_label: str) -> None:
    """Check that a link into this node may be added.

    :raises ValueError: if it may not.
    """
    if self._node.is_stored:
        _stock_validation(self, source, link_type, link_label)
    else:
        validate_link(source, self._node, link_type, link_label, backend=self._node.backend)


def ask_for_links_directly() -> None:
    """Let this process ask for links without QueryBuilder."""
    NodeLinks.get_stored_link_triples = _stored_link_triples  # type: ignore[method-assign]
    NodeLinks.validate_incoming = _validate_incoming  # type: ignore[method-assign]
