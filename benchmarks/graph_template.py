"""A small campaign as the template of a large one: every node with the part of the campaign that it belongs to.

The parts are the campaign itself, its iterations, their cycles, and the labels. A process belongs to the part whose
work chain called it. Data belong to the part of their creator or, without a creator, to the smallest part that contains
all of their users.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

Scope = tuple[str, ...]
"""Names of a part and of those around it, outermost first: ``('iteration_001', 'cycle_00', 'cell_0002')``."""

_PART: Final = re.compile(r'iteration_\d{3}|cycle_\d{2}|cell_\d{4}')
_CELL: Final = re.compile(r'cell_\d{4}')
_CALLS: Final = ('call_calc', 'call_work')


@dataclass(frozen=True)
class TemplateNode:
    """A node of the small campaign.

    :param row: row of the node in the database, by column name.
    :param scope: part that the node belongs to.
    :param role: ``process_label`` of a process; ``process_label.link_label`` of the creator of data, without the name
        of a cell; empty for an input.
    """

    row: Mapping[str, Any]
    scope: Scope
    role: str


@dataclass(frozen=True)
class Link:
    """A link between two nodes of the small campaign, given by their pks."""

    source: int
    target: int
    type: str
    label: str


@dataclass(frozen=True)
class Template:
    """The small campaign.

    :param campaign: pk of its process.
    :param nodes: nodes by pk.
    :param links: all links between the nodes.
    :param logs: rows of the log without their ids, by pk of the process.
    :param files: contents of the files of the nodes, by key in the repository.
    """

    campaign: int
    nodes: Mapping[int, TemplateNode]
    links: tuple[Link, ...]
    logs: Mapping[int, list[dict[str, Any]]]
    files: Mapping[str, bytes]

    @cached_property
    def members(self) -> dict[Scope, list[int]]:
        """Sorted pks of the nodes of each part."""
        found: dict[Scope, list[int]] = defaultdict(list)
        for pk in sorted(self.nodes):
            found[self.nodes[pk].scope].append(pk)
        return dict(found)

    @cached_property
    def links_of(self) -> dict[Scope, list[Link]]:
        """Links of each part. A link belongs to the deeper part of its two ends, or to the later of two iterations."""
        found: dict[Scope, list[Link]] = defaultdict(list)
        for link in self.links:
            source, target = self.nodes[link.source].scope, self.nodes[link.target].scope
            # Of two iterations, the later one is the target.
            inner = target if source[:1] != target[:1] and source and target else max(source, target, key=len)
            found[inner].append(link)
        return dict(found)

    @property
    def n_label_nodes(self) -> int:
        """Number of nodes that belong to single labels."""
        return sum(bool(node.scope and _CELL.fullmatch(node.scope[-1])) for node in self.nodes.values())

    def labels_in(self, scope: Scope) -> list[Scope]:
        """Return the parts of the single labels directly inside ``scope``."""
        return [
            name for name in self.members if name[:-1] == scope and len(name) > len(scope) and _CELL.fullmatch(name[-1])
        ]


def read_template(campaign: Any) -> Template:
    """Return the graph of a campaign with at least two iterations, two cycles each, and two labels in a cycle.

    :param campaign: node of the campaign, in any storage.
    """
    from aiida import orm

    backend = campaign.backend
    calls = _calls(backend, campaign.pk)
    links = tuple(dict.fromkeys(_links(backend, calls)))
    pks = sorted({campaign.pk, *(link.source for link in links), *(link.target for link in links)})
    rows = {row['id']: row for row in _rows(backend, orm.Node, {'id': {'in': pks}})}
    logs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(backend, orm.Log, {'dbnode_id': {'in': list(calls)}}):
        # The class of the table names this column ``_metadata``.
        columns = {('_metadata' if name == 'metadata' else name): value for name, value in row.items() if name != 'id'}
        logs[row['dbnode_id']].append(columns)
    keys = {key for row in rows.values() for key in file_keys(row['repository_metadata'])}
    repository = backend.get_repository()
    files = {key: stream.read() for key, stream in repository.iter_object_streams(sorted(keys))}
    return Template(campaign.pk, _with_scopes(rows, links, calls), links, dict(logs), files)


def file_keys(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of all files of a node.

    :param metadata: ``repository_metadata`` as stored by AiiDA: folders under ``o``, keys under ``k``.
    """
    if 'k' in metadata:
        yield metadata['k']
    for entry in metadata.get('o', {}).values():
        yield from file_keys(entry)


def _calls(backend: Any, campaign: int) -> dict[int, Scope]:
    """Return the part of each process of the campaign, by pk."""
    from aiida import orm

    found: dict[int, Scope] = {campaign: ()}
    level = [campaign]
    while level:
        query = orm.QueryBuilder(backend=backend).append(
            orm.ProcessNode, filters={'id': {'in': level}}, project='id', tag='caller'
        )
        query.append(
            orm.ProcessNode,
            with_incoming='caller',
            edge_filters={'type': {'in': list(_CALLS)}},
            edge_project='label',
            project='id',
        )
        calls = query.all()
        for caller, called, label in sorted(calls):
            part = (label,) if _PART.fullmatch(label) else ()
            found[called] = found[caller] + part
        level = [called for _, called, _ in calls]
    return found


def _links(backend: Any, processes: Iterable[int]) -> Iterator[Link]:
    """Yield every link that starts or ends at one of the processes."""
    from aiida import orm

    pks = {'id': {'in': list(processes)}}
    for source, target in ((pks, {}), ({}, pks)):
        query = orm.QueryBuilder(backend=backend).append(orm.Node, filters=source, project='id', tag='source')
        query.append(
            orm.Node, with_incoming='source', filters=target, edge_project=['type', 'label'], edge_tag='e', project='id'
        )
        for start, end, kind, label in query.all():
            # A process outside the campaign that called one of these processes is not part of the campaign.
            if kind.startswith('call') and start not in pks['id']['in']:
                continue
            yield Link(start, end, kind, label)


def _rows(backend: Any, entity: Any, filters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of a table as dictionaries by column name."""
    from aiida import orm

    query = orm.QueryBuilder(backend=backend).append(entity, filters=filters, project='**', tag='row')
    return [found['row'] for found in query.dict()]


def _with_scopes(
    rows: Mapping[int, dict[str, Any]], links: Iterable[Link], calls: Mapping[int, Scope]
) -> dict[int, TemplateNode]:
    """Return the nodes with their parts and roles."""
    creators, outputs, inputs, users = _neighbours(links)
    scopes: dict[int, Scope] = {}

    def scope(pk: int) -> Scope:
        if pk not in scopes:
            scopes[pk] = find(pk)
        return scopes[pk]

    def find(pk: int) -> Scope:
        if pk in calls:
            label = rows[pk]['attributes'].get('process_label')
            if label == 'extract_candidate':
                return scope(inputs[pk][0].source)
            # The campaign itself calls it, on behalf of one iteration.
            if label == 'lengthen_schedules':
                return _common([scope(user) for made in outputs[pk] for user in users[made]])
            return calls[pk]
        if pk in creators:
            cell = _CELL.search(creators[pk].label)
            return scope(creators[pk].source) + ((cell.group(),) if cell else ())
        return _common([scope(user) for user in users[pk]])

    return {pk: TemplateNode(row, scope(pk), _role(row, creators.get(pk), rows)) for pk, row in rows.items()}


def _neighbours(
    links: Iterable[Link],
) -> tuple[dict[int, Link], dict[int, list[int]], dict[int, list[Link]], dict[int, list[int]]]:
    """Return, by pk, the link that creates data, the outputs and inputs of processes, and the users of data."""
    creators = {link.target: link for link in links if link.type == 'create'}
    outputs: dict[int, list[int]] = defaultdict(list)
    for link in creators.values():
        outputs[link.source].append(link.target)
    inputs: dict[int, list[Link]] = defaultdict(list)
    users: dict[int, list[int]] = defaultdict(list)
    for link in links:
        if link.type.startswith('input'):
            inputs[link.target].append(link)
            users[link.source].append(link.target)
    return creators, outputs, inputs, users


def _common(scopes: list[Scope]) -> Scope:
    """Return the smallest part that contains all of ``scopes``."""
    if not scopes:
        return ()
    first, last = min(scopes), max(scopes)
    n = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:n]


def _role(row: Mapping[str, Any], creation: Link | None, rows: Mapping[int, dict[str, Any]]) -> str:
    if creation is None:
        return row['attributes'].get('process_label', '') if row['node_type'].startswith('process') else ''
    maker = rows[creation.source]['attributes']['process_label']
    return f'{maker}.{_CELL.sub("", creation.label).removesuffix("__")}'
