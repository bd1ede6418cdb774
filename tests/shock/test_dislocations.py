"""Dislocations and structures that are known."""

from __future__ import annotations

import gzip
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk

from aiida_anial.common.errors import AnialError
from aiida_anial.shock import dislocations
from aiida_anial.shock.dislocations import find_dislocations


def dumped(atoms: ase.Atoms, path: Path) -> Path:
    edges = atoms.cell.lengths()
    rows = [f'{number} 1 {x} {y} {z}' for number, (x, y, z) in enumerate(atoms.positions, 1)]
    head = ['ITEM: TIMESTEP', '700', 'ITEM: NUMBER OF ATOMS', str(len(atoms)), 'ITEM: BOX BOUNDS pp pp pp']
    box = [f'0 {edge}' for edge in edges]
    path.write_bytes(gzip.compress('\n'.join([*head, *box, 'ITEM: ATOMS id type x y z', *rows, '']).encode()))
    return path


def layers(sequence: str) -> ase.Atoms:
    """Close-packed layers of a stacking, periodic in all directions."""
    side, height = 4.05 / np.sqrt(2), 4.05 / np.sqrt(3)
    shifts = [number * np.array([0.5 * side, side / (2 * np.sqrt(3))]) for number in map('ABC'.index, sequence)]
    corners = ((0, 0), (0.5 * side, np.sqrt(0.75) * side))
    positions = [[*(shift + corner), row * height] for row, shift in enumerate(shifts) for corner in corners]
    cell = [side, np.sqrt(3) * side, len(sequence) * height]
    atoms = ase.Atoms(f'Al{len(positions)}', positions=positions, cell=cell, pbc=True) * (5, 3, 1)
    atoms.wrap()
    return atoms


@pytest.mark.parametrize(
    ('sequence', 'n_hcp'), [('ABC' * 4, 0), ('AB' * 6, 12), ('ABCABABCABC', 2), ('ABCBCABCABC', 2)]
)
def test_layers_are_what_their_neighbours_make_them(tmp_path, sequence, n_hcp):
    found = find_dislocations(dumped(layers(sequence), tmp_path / 'frames.dump.gz'))
    around = zip(sequence[-1] + sequence, sequence[1:] + sequence[0], strict=False)
    expected = sum(below == above for below, above in around) / len(sequence)
    assert expected == n_hcp / len(sequence)
    assert found.summary()['share_by_structure']['HCP'] == pytest.approx(expected)
    assert found.summary()['share_by_structure']['FCC'] == pytest.approx(1 - expected)
    assert found.summary()['length_angstrom_by_burgers_vector'] == {}
    assert (found.step, found.lines) == (700, ())


def test_the_edge_of_a_missing_half_plane_is_a_dislocation(tmp_path):
    """A dipole of edge dislocations: a (110) plane is missing in the middle, and the others close the gap."""
    n, height = 16, 10
    atoms = bulk('Al', 'fcc', a=4.0, orthorhombic=True) * (n, 5, height)
    edges = atoms.cell.lengths()
    x, z = atoms.positions[:, 0], atoms.positions[:, 2]
    middle = np.abs(z - edges[2] / 2) < edges[2] / 4
    missing = middle & (x < edges[0] / n - 0.1)
    x[middle] = (x[middle] - edges[0] / n) * n / (n - 1)
    del atoms[missing]
    found = find_dislocations(dumped(atoms, tmp_path / 'frames.dump.gz'))
    lengths = found.summary()['length_angstrom_by_burgers_vector']
    assert lengths == {'1/2<110>': pytest.approx(2 * edges[1])}
    assert all(np.ptp(line[:, 1]) > 0.8 * edges[1] for line in found.lines)


def test_a_missing_ovito_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(dislocations.importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(
        AnialError, match=r"--dislocations: OVITO is not installed; `pip install 'aiida-anial\[ovito\]'`"
    ):
        find_dislocations(tmp_path / 'frames.dump.gz')
