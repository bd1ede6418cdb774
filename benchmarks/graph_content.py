"""Differences between the nodes of the small campaign and their copies in a large one.

Labels have plausible random numbers from a seed. Nothing is computed, and no potential could learn from them.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from ase import units
from graph_template import Scope, Template, TemplateNode, file_keys
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells

Changes = dict[int, dict[str, Any]]
"""Changed columns by pk of the node in the small campaign; a file is represented by its content."""

_STRUCTURES: Final = ('generate_cells.', 'extract_candidate.result')


LEAST_ATOMS: Final = 55
MOST_ATOMS: Final = 250
# The paper's cells have 129 atoms on average.
_ATOMS_BETA: Final = (1.9, 3.1)
_VOLUME_PER_ATOM_ANGSTROM3: Final = (11.1, 24.9)
_ENERGY_PER_ATOM_EV: Final = -56.6
_JITTER: Final = 0.15


def draw_labels(
    generator: np.random.Generator, uuids: list[str], *, iteration: int, origin: str, n_atoms: tuple[int, int]
) -> LabelledCells:
    """Return random labels of cells whose atoms are slightly displaced from the sites of a partly filled grid.

    :param uuids: UUIDs of the calculations, one for each label.
    :param n_atoms: smallest and largest number of atoms in a cell.
    """
    low, high = n_atoms
    numbers = np.rint(low + (high - low) * generator.beta(*_ATOMS_BETA, len(uuids))).astype(np.int64)
    geometries = [_cell(generator, int(number)) for number in numbers]
    total = int(numbers.sum())
    stresses = 0.02 * generator.standard_normal((len(uuids), 3, 3))
    return LabelledCells(
        cells=Cells.from_lists(
            [positions for positions, _ in geometries], [lattice for _, lattice in geometries], species=13
        ),
        energies=numbers * (_ENERGY_PER_ATOM_EV + 0.2 * generator.random(len(uuids))),
        forces=0.8 * generator.standard_normal((total, 3)),
        stresses=(stresses + stresses.transpose(0, 2, 1)) / 2,
        uuids=tuple(uuids),
        iterations=np.full(len(uuids), iteration, dtype=np.int64),
        origins=(origin,) * len(uuids),
    )


def _cell(generator: np.random.Generator, n_atoms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions and lattice in angstrom, rounded to multiples of 1e-6 like those of structure nodes."""
    shape = generator.uniform(0.8, 1.2, 3)
    volume = n_atoms * generator.uniform(*_VOLUME_PER_ATOM_ANGSTROM3)
    edges = np.round(shape * (volume / shape.prod()) ** (1 / 3), 6)
    side = int(np.ceil(n_atoms ** (1 / 3)))
    sites = generator.permutation(side**3)[:n_atoms]
    grid = np.stack(np.unravel_index(sites, (side,) * 3), axis=1) + 0.5
    fractions = (grid + generator.uniform(-_JITTER, _JITTER, (n_atoms, 3))) / side
    return np.round(fractions * edges, 6), np.diag(edges)


def structure_attributes(pattern: dict[str, Any], labelled: LabelledCells, row: int) -> dict[str, Any]:
    """Return the attributes of the ``StructureData`` of one configuration.

    :param pattern: attributes of another structure of aluminium.
    """
    positions, lattice = labelled.cells.one(row)
    site = pattern['sites'][0]
    return {
        **pattern,
        'cell': lattice.tolist(),
        'sites': [{**site, 'position': position} for position in positions.tolist()],
    }


def input_changes(template: Template, scope: Scope, values: Mapping[str, Any]) -> Changes:
    """Return the changes of the plain inputs of a part.

    :param values: new values by name of the input.
    """
    changes: Changes = {}
    for link in template.links_of[scope]:
        name, node = link.label.split('__')[-1], template.nodes[link.source]
        if name not in values or node.scope != scope or node.role or not link.type.startswith('input'):
            continue
        value = values[name]
        changes[link.source] = attribute_changes(node, value if isinstance(value, dict) else {'value': value})
    return changes


def attribute_changes(node: TemplateNode, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a node in which some attributes are replaced."""
    return {'attributes': {**node.row['attributes'], **values}}


def calculation_of(template: Template, unit: Scope) -> int:
    """Return the pk of the calculation that a label refers to."""
    (label,) = (pk for pk in template.members[unit] if template.nodes[pk].role.endswith('.labels'))
    uuid = str(template.nodes[label].row['attributes']['calculation'])
    (found,) = (pk for pk, node in template.nodes.items() if str(node.row['uuid']) == uuid)
    return found


def label_changes(
    template: Template, unit: Scope, labelled: LabelledCells, row: int, label: Mapping[str, Any]
) -> Changes:
    """Return the changes of the nodes of one label.

    :param unit: part of the label in the template.
    :param labelled: shard that contains the label.
    :param row: row of the label in the shard.
    :param label: attributes of its ``LabelData``.
    """
    n_atoms = int(labelled.cells.n_atoms[row])
    changes: Changes = {}
    for pk in template.members[unit]:
        node = template.nodes[pk]
        if node.role in _STRUCTURES:
            changes[pk] = {'attributes': structure_attributes(node.row['attributes'], labelled, row)}
        elif node.role == 'SampleCalculation.trajectories':
            changes[pk] = attribute_changes(node, {'index': row, 'n_atoms': n_atoms})
        elif node.role == 'PwCalculation.output_parameters':
            printed = {
                'energy': float(labelled.energies[row]),
                'number_of_atoms': n_atoms,
                'volume': float(labelled.cells.volumes[row]),
            }
            changes[pk] = attribute_changes(node, printed)
        elif node.role == 'PwCalculation.output_trajectory':
            changes[pk] = _output_trajectory(node, labelled, row)
        elif node.role.endswith('.labels'):
            changes[pk] = {'attributes': dict(label)}
    return changes


def _output_trajectory(node: TemplateNode, labelled: LabelledCells, row: int) -> dict[str, Any]:
    """Return the changed columns of the trajectory of pw.x, whose stress is in GPa and positive in compression."""
    positions, lattice = labelled.cells.one(row)
    arrays = {
        'positions': positions[None],
        'cells': lattice[None],
        'forces': labelled.forces_of(row)[None],
        'stress': -labelled.stresses[row][None] / units.GPa,
        'atomic_species_name': np.array(['Al'] * len(positions)),
    }
    entries = {**node.row['repository_metadata']['o'], **{f'{name}.npy': _npy(array) for name, array in arrays.items()}}
    shapes = {f'array|{name}': list(array.shape) for name, array in arrays.items()}
    changes = attribute_changes(node, {**shapes, 'symbols': ['Al'] * len(positions)})
    return {**changes, 'repository_metadata': {'o': entries}}


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unique_files(template: Template, unit: Scope) -> dict[int, dict[str, bytes]]:
    """Return the contents of the files of a label that no other part of the template has, by pk and key."""
    users: dict[str, set[Scope]] = defaultdict(set)
    for node in template.nodes.values():
        for key in file_keys(node.row['repository_metadata']):
            users[key].add(node.scope)
    keys = {pk: set(file_keys(template.nodes[pk].row['repository_metadata'])) for pk in template.members[unit]}
    return {pk: {key: template.files[key] for key in mine if users[key] == {unit}} for pk, mine in keys.items()}


def give_own_files(template: Template, changes: Changes, unique: Mapping[int, Mapping[str, bytes]], tag: bytes) -> None:
    """Change the files of one label so that it shares them with no other label.

    :param unique: contents of the files, as returned by ``unique_files``.
    :param tag: bytes to append to every file.
    """
    for pk, contents in unique.items():
        if contents:
            columns = changes.setdefault(pk, {})
            metadata = columns.get('repository_metadata', template.nodes[pk].row['repository_metadata'])
            columns['repository_metadata'] = _tagged(metadata, contents, tag)


def _tagged(entry: Any, contents: Mapping[str, bytes], tag: bytes) -> Any:
    if isinstance(entry, bytes):
        return entry
    if 'k' in entry:
        return contents[entry['k']] + tag if entry['k'] in contents else entry
    return {'o': {name: _tagged(value, contents, tag) for name, value in entry['o'].items()}} if entry else entry


def stored(changes: Sequence[Changes], add_files: Callable[[Sequence[bytes]], list[str]]) -> None:
    """Write all files in the changes, and replace their contents by their keys.

    :param add_files: function that writes files and returns their keys.
    """
    columns = [columns for one in changes for columns in one.values()]
    metadata = [found['repository_metadata'] for found in columns if 'repository_metadata' in found]
    contents: list[bytes] = []
    for entry in metadata:
        _walk(entry, contents.append)
    keys = iter(add_files(contents) if contents else [])
    for entry in metadata:
        _walk(entry, lambda _: next(keys))


def _walk(entry: dict[str, Any], replace: Callable[[bytes], Any]) -> None:
    """Replace every file content in a folder by the key that ``replace`` returns, unless it returns None."""
    for name, value in entry.get('o', {}).items():
        if isinstance(value, bytes):
            replaced = replace(value)
            if replaced is not None:
                entry['o'][name] = {'k': replaced}
        else:
            _walk(value, replace)
