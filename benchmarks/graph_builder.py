"""Build a campaign of any size from a small one, by repeating its nodes and links part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

import numpy as np
from graph_content import (
    LEAST_ATOMS,
    MOST_ATOMS,
    Changes,
    attribute_changes,
    calculation_of,
    draw_labels,
    give_own_files,
    input_changes,
    label_changes,
    stored,
    unique_files,
)
from graph_template import Link, Scope, Template
from graph_writer import Writer

from aiida_anial.common.labels import LabelledCells

_FIRST: Final[Scope] = ('iteration_001',)
_SECOND: Final[Scope] = ('iteration_002',)
_CYCLE: Final = 'cycle_00'
_MESH: Final = '3x3x3'
_INITIAL: Final = 400
_ITERATIONS: Final = 30
_CYCLES: Final = 4
_DATASETS: Final = ('collect_labels.dataset', 'collect_evaluated.dataset')
_LABELS: Final = frozenset({'collect_labels.labels', 'collect_evaluated.labels'})
_TRAINING: Final = 'TrainEnsembleCalculation.summary'


@dataclass(frozen=True)
class Plan:
    """Size of the campaign.

    :param n_initial: number of initial random cells.
    :param cycles: numbers of labels by iteration and cycle.
    :param n_atoms: smallest and largest number of atoms in a cell.
    :param own_files: whether every label has its own files, as in a real campaign, or shares those of the template.
    """

    n_initial: int
    cycles: tuple[tuple[int, ...], ...]
    n_atoms: tuple[int, int] = (LEAST_ATOMS, MOST_ATOMS)
    own_files: bool = True

    @classmethod
    def of_size(cls, n_labels: int, *, own_files: bool = True) -> Plan:
        """Return a plan with ``n_labels`` labels: as many initial ones as in the paper, the others spread over cycles.

        :param own_files: whether every label has its own files.
        """
        parts = np.array_split(np.arange(n_labels - _INITIAL), _ITERATIONS * _CYCLES)
        sizes = tuple(len(part) for part in parts)
        cycles = tuple(sizes[start : start + _CYCLES] for start in range(0, len(sizes), _CYCLES))
        return cls(_INITIAL, cycles, own_files=own_files)

    @property
    def n_labels(self) -> int:
        """Number of labels in the campaign."""
        return self.n_initial + sum(map(sum, self.cycles))


@dataclass(frozen=True)
class _Place:
    """Position of a part in the large campaign, which determines its names."""

    iteration: int = 0
    cycle: int = 0
    cell: int | None = None

    def name(self, text: str) -> str:
        """Return a name of the template with the numbers of this position."""
        text = re.sub(r'(iteration_|shard_)(?!000)\d{3}', rf'\g<1>{self.iteration:03d}', text)
        text = re.sub(r'cycle_\d{2}', f'cycle_{self.cycle:02d}', text)
        return text if self.cell is None else re.sub(r'cell_\d{4}', f'cell_{self.cell:04d}', text)


@dataclass(frozen=True)
class _Unit:
    """A label of the template.

    :param scope: part of the label.
    :param calculation: pk of the calculation that the label refers to.
    :param files: contents of the files that no other part has, by pk and key.
    """

    scope: Scope
    calculation: int
    files: Mapping[int, Mapping[str, bytes]]


class Builder:
    """Writes one campaign. ``known`` maps the pks of the template to those of the written nodes.

    :param user: pk of the user in the profile.
    :param computers: pks of the computers in the profile by those in the template.
    """

    def __init__(
        self, template: Template, plan: Plan, writer: Writer, *, user: int, computers: Mapping[int, int]
    ) -> None:
        self._template, self._plan, self._writer = template, plan, writer
        self._user, self._computers = user, computers
        self._generator = np.random.default_rng(1)
        self._n_labels = 0
        self._known_units: dict[Scope, list[_Unit]] = {}
        # For each iteration, the pks of its own nodes by role, and those of each of its cycles.
        self._results: list[tuple[dict[str, int], list[dict[str, int]]]] = []
        self._standing = {self._normal(link) for link in template.links_of[_FIRST] if self._is_outward(link)}

    def run(self) -> int:
        """Write the whole campaign and return its pk."""
        template, plan = self._template, self._plan
        self._writer.add_files(list(template.files.values()))
        sizes = [sum(cycles) for cycles in plan.cycles]
        totals = {'n_iterations': len(sizes), 'n_labels': plan.n_labels, 'n_trajectories': sum(sizes)}
        changes = self._role_changes((), 'summarise_campaign.result', totals)
        changes |= self._role_changes((), _TRAINING, {'n_configurations': plan.n_labels})
        changes[template.campaign] = {'label': f'{plan.n_labels} labels'}
        root = self._shard_part((), {}, changes, plan.n_initial, _Place())
        for index, cycles in enumerate(plan.cycles, start=1):
            self._iteration(index, cycles, root)
        self._writer.finish()
        return root[template.campaign]

    def _iteration(self, index: int, sizes: tuple[int, ...], root: Mapping[int, int]) -> None:
        """Write one iteration and its cycles."""
        scope, place, size = _FIRST if index == 1 else _SECOND, _Place(index), sum(sizes)
        counts = {'n_trajectories': size, 'n_labels': size, 'n_stopped': size // 2}
        changes = self._role_changes(scope, 'summarise_iteration.result', counts)
        changes |= self._role_changes(scope, _TRAINING, {'n_configurations': self._n_labels + size})
        changes |= input_changes(self._template, scope, {'iteration': index, 'n_trajectories': size})
        self._results.append(({}, []))
        known = self._part(scope, root, changes, place)
        self._results[-1][0].update(self._by_role(scope, known))
        scope = (*scope, _CYCLE)
        for cycle, number in enumerate(sizes):
            source = {'iteration': index, 'origin': 'active_learning'}
            changes = input_changes(self._template, scope, {'cycle': cycle, 'number': number, 'source': source})
            changes |= self._repeated(scope, number)
            inner = self._shard_part(scope, known, changes, number, replace(place, cycle=cycle))
            self._results[-1][1].append(self._by_role(scope, inner))

    def _shard_part(
        self, scope: Scope, outer: Mapping[int, int], changes: Changes, number: int, place: _Place
    ) -> dict[int, int]:
        """Write a part that makes a shard of ``number`` labels, and return the pks known in it."""
        units = self._units(scope)
        calculation = units[0].calculation
        is_shared = self._template.nodes[calculation].scope == scope
        uuids = [str(uuid4())] * number if is_shared else [str(uuid4()) for _ in range(number)]
        if is_shared:
            changes.setdefault(calculation, {})['uuid'] = uuids[0]
        origin = 'active_learning' if place.iteration else 'random'
        n_atoms = self._plan.n_atoms
        labelled = draw_labels(self._generator, uuids, iteration=place.iteration, origin=origin, n_atoms=n_atoms)
        labels, shard = self._shard(scope, labelled)
        changes |= shard
        parts = [self._label(units[row % len(units)], labelled, row, label) for row, label in enumerate(labels)]
        stored([changes, *parts], self._writer.add_files)
        known = self._part(scope, outer, changes, place)
        for row, part in enumerate(parts):
            self._part(units[row % len(units)].scope, known, part, replace(place, cell=row))
        self._n_labels += number
        return known

    def _shard(self, scope: Scope, labelled: LabelledCells) -> tuple[list[dict[str, Any]], Changes]:
        """Return the attributes of the label nodes, and the changes of the dataset node."""
        from aiida_anial.common.level_of_theory import LevelOfTheory
        from aiida_anial.data.dataset import DatasetData
        from aiida_anial.data.label import LabelData

        template = self._template
        pk = self._by_role(scope, {pk: pk for pk in template.members[scope]})
        dataset = next(pk[role] for role in _DATASETS if role in pk)
        values = template.nodes[dataset].row['attributes']['level_of_theory']
        theory = LevelOfTheory.parse(values) if values else None
        meshes: list[str | None] = [_MESH] * len(labelled)
        labels = [node.base.attributes.all for node in LabelData.of_shard(labelled, theory, meshes)]
        node = DatasetData(labelled, theory)
        metadata = {'o': {DatasetData.FILENAME: labelled.to_bytes()}}
        return labels, {dataset: {'attributes': node.base.attributes.all, 'repository_metadata': metadata}}

    def _label(self, unit: _Unit, labelled: LabelledCells, row: int, label: Mapping[str, Any]) -> Changes:
        """Return the changes of the nodes of one label."""
        changes = label_changes(self._template, unit.scope, labelled, row, label)
        if self._template.nodes[unit.calculation].scope == unit.scope:
            changes.setdefault(unit.calculation, {})['uuid'] = labelled.uuids[row]
        if self._plan.own_files:
            give_own_files(self._template, changes, unit.files, f'<!-- {uuid4()} -->'.encode())
        return changes

    def _units(self, scope: Scope) -> list[_Unit]:
        """Return the labels of the template in a part, without the trajectories that were not labelled."""
        if scope not in self._known_units:
            scopes = [unit for unit in self._template.labels_in(scope) if self._by_role(unit, {}).keys() & _LABELS]
            self._known_units[scope] = [
                _Unit(unit, calculation_of(self._template, unit), unique_files(self._template, unit)) for unit in scopes
            ]
        return self._known_units[scope]

    def _part(self, scope: Scope, outer: Mapping[int, int], changes: Changes, place: _Place) -> dict[int, int]:
        """Write the nodes and links of one part, and return the pks known in it."""
        template, add = self._template, self._writer.add
        known = dict(outer)
        for pk in template.members[scope]:
            row = {key: value for key, value in template.nodes[pk].row.items() if key != 'id'}
            row |= {'uuid': str(uuid4()), 'user_id': self._user, 'label': place.name(row['label'])}
            row['dbcomputer_id'] = self._computers.get(row['dbcomputer_id'])
            known[pk] = add('node', {**row, **changes.get(pk, {})})
            for log in template.logs.get(pk, ()):
                add('log', {**log, 'uuid': str(uuid4()), 'dbnode_id': known[pk]})
        for link in template.links_of[scope]:
            for source, target, label in self._ends(link, known, place):
                add('link', {'input_id': source, 'output_id': target, 'type': link.type, 'label': label})
        self._writer.flush()
        return known

    def _ends(self, link: Link, known: Mapping[int, int], place: _Place) -> Iterator[tuple[int, int, str]]:
        """Yield source, target and label of each copy of a link of the template in this part."""
        is_last = place.iteration == len(self._plan.cycles)
        if self._is_outward(link) and not is_last and self._normal(link) not in self._standing:
            return
        if link.source in known and link.target in known:
            yield known[link.source], known[link.target], place.name(link.label)
            return
        node = self._template.nodes[link.source]
        if node.scope == _FIRST:
            yield self._results[-2][0][node.role], known[link.target], place.name(link.label)
        elif node.scope == (*_FIRST, _CYCLE):
            for index, (_, cycles) in enumerate(self._results[:-1], start=1):
                for cycle, made in enumerate(cycles):
                    yield made[node.role], known[link.target], _Place(index, cycle).name(link.label)

    def _is_outward(self, link: Link) -> bool:
        """Return whether a link connects a result of an iteration to the campaign itself."""
        source, target = self._template.nodes[link.source].scope, self._template.nodes[link.target].scope
        return {source[:2], target[:2]} in ({(), _FIRST}, {(), _SECOND}) and (link.type == 'return' or not target)

    def _normal(self, link: Link) -> tuple[str, str, str]:
        return self._template.nodes[link.source].role, link.type, _Place().name(link.label)

    def _by_role(self, scope: Scope, known: Mapping[int, int]) -> dict[str, int]:
        """Return the pks of the nodes of a part by role."""
        return {self._template.nodes[pk].role: known.get(pk, pk) for pk in self._template.members[scope]}

    def _role_changes(self, scope: Scope, role: str, values: Mapping[str, Any]) -> Changes:
        """Return the changes of the attributes of all nodes with a role."""
        nodes = {pk: self._template.nodes[pk] for pk in self._template.members[scope]}
        return {pk: attribute_changes(node, values) for pk, node in nodes.items() if node.role == role}

    def _repeated(self, scope: Scope, number: int) -> Changes:
        """Return the changes of the lists with one entry per trajectory."""
        changes: Changes = {}
        for role, key in (('SampleCalculation.table', 'trajectories'), ('draw_schedules.result', 'list')):
            for pk in self._template.members[scope]:
                node = self._template.nodes[pk]
                if node.role == role:
                    entries = node.row['attributes'][key]
                    changes[pk] = attribute_changes(node, {key: (entries * number)[:number]})
        return changes
