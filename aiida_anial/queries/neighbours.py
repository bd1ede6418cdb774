"""Neighbours of many processes at once: one question to the database instead of one for each process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm
from aiida.common import LinkType

__all__ = ('called_by', 'inputs_of', 'outputs_of')

_CALLS = (LinkType.CALL_CALC.value, LinkType.CALL_WORK.value)
_OUTPUTS = (LinkType.CREATE.value, LinkType.RETURN.value)
_INPUTS = (LinkType.INPUT_CALC.value, LinkType.INPUT_WORK.value)


def called_by(processes: Iterable[Any], *names: str) -> dict[int, list[Any]]:
    """Return the processes that each process called, by its pk and in the order of their making.

    :param names: process labels, if not all are wanted.
    """
    found: dict[int, list[Any]] = {process.pk: [] for process in processes}
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': list(found)}}, tag='caller', project='id')
    filters = {'attributes.process_label': {'in': list(names)}} if names else {}
    edge = {'type': {'in': list(_CALLS)}}
    query.append(orm.ProcessNode, with_incoming='caller', edge_filters=edge, filters=filters, tag='called', project='*')
    for pk, node in query.all() if found else ():
        found[pk].append(node)
    return {pk: sorted(nodes, key=lambda node: node.ctime) for pk, nodes in found.items()}


def outputs_of(processes: Iterable[Any], *labels: str) -> dict[tuple[int, str], Any]:
    """Return the outputs with these link labels, by the pk of the process and the label."""
    pks = [process.pk for process in processes]
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='process', project='id')
    edge = {'label': {'in': list(labels)}, 'type': {'in': list(_OUTPUTS)}}
    query.append(orm.Data, with_incoming='process', edge_filters=edge, edge_project='label', project='*')
    return {(pk, label): node for pk, node, label in query.all()} if pks else {}


def inputs_of(processes: Iterable[Any], *labels: str) -> dict[tuple[int, str], Any]:
    """Return the inputs with these link labels, by the pk of the process and the label."""
    pks = [process.pk for process in processes]
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='process', project='id')
    edge = {'label': {'in': list(labels)}, 'type': {'in': list(_INPUTS)}}
    query.append(orm.Data, with_outgoing='process', edge_filters=edge, edge_project='label', project='*')
    return {(pk, label): node for pk, node, label in query.all()} if pks else {}
