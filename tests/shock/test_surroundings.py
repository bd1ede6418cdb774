"""What is cut out of a wave, and the errors that follow from labels of it."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_anial.common.errors import AnialError
from aiida_anial.shock.settings import CutSettings
from aiida_anial.shock.surroundings import Surrounding, drawn, errors_by_radius
from aiida_anial.shock.wave_output import Frame


@pytest.fixture
def frames() -> list[Frame]:
    """Two frames of a slab that is narrower than the radii, the second displaced."""
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (2, 10, 2)
    atoms.rattle(0.1, seed=3)
    later = atoms.positions + np.array([0.3, -1.0, 0.2])
    edges = atoms.cell.lengths()
    box = np.array([[0, edges[0]], [-5, edges[1] + 5], [0, edges[2]]], dtype=float)
    positions = np.stack([atoms.positions, later])
    positions[..., [0, 2]] %= edges[[0, 2]]
    source = np.random.default_rng(1)
    return [
        Frame(
            step=step,
            box=box,
            moving=atoms.positions[:, 1] > 8.0,
            positions=one,
            velocities=np.zeros_like(one),
            forces=source.normal(size=one.shape),
            energies=np.zeros(len(one)),
            disagreements=np.full(len(one), 0.01),
        )
        for step, one in zip((0, 500), positions, strict=True)
    ]


def test_surroundings_are_those_that_ase_finds_with_all_images(frames):
    settings = CutSettings(atoms=3, radii_angstrom=(5.0, 9.0))
    atoms = bulk('Al', 'fcc', a=4.05, cubic=True) * (2, 10, 2)
    for one, positions, lattice in drawn(frames, settings, seed=4):
        (frame,) = [frame for frame in frames if frame.step == one.step]
        atoms.positions, atoms.pbc = frame.positions, (True, False, True)
        centres, vectors = neighbor_list('iD', atoms, one.radius_angstrom)
        expected = vectors[centres == one.atom - 1]
        found = positions[1:] - positions[0]
        assert len(found) == len(expected)
        order = [np.argsort(np.round(each, 6) @ [1.0, 1e3, 1e6]) for each in (found, expected)]
        np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=1e-9)
        assert lattice[0, 0] - np.ptp(positions, axis=0).max() >= 8.0
        assert one.force == tuple(frame.forces[one.atom - 1])


def test_the_draw_follows_the_same_atoms_and_keeps_to_the_budget(frames):
    settings = CutSettings(atoms=2, radii_angstrom=(4.0, 5.0), max_labels=100)

    def those(seed: int, **changes: int) -> list[Surrounding]:
        return [one for one, *_ in drawn(iter(frames), settings.model_copy(update=changes), seed=seed)]

    all_of_them = those(4)
    assert len(all_of_them) == 2 * 2 * 2
    assert len({one.atom for one in all_of_them}) == 2
    few = those(4, max_labels=3)
    assert len(few) == 3
    assert set(few) <= set(all_of_them)
    assert those(4) == all_of_them != those(5)
    piston = np.flatnonzero(~frames[0].moving) + 1
    assert not {one.atom for one in all_of_them} & set(piston)
    assert [Surrounding.parse(one.to_dict()) for one in few] == few


def test_too_short_a_crystal_is_refused(frames):
    with pytest.raises(AnialError, match=r'cut\.radii_angstrom: only 0 atoms are 20 angstrom from both ends'):
        drawn(frames, CutSettings(radii_angstrom=(20.0,)), seed=1)
    with pytest.raises(AnialError, match='the wave left no frames'):
        drawn([], CutSettings(), seed=1)


def test_errors_are_those_of_the_labels_that_there_are(frames):
    ones = [one for one, *_ in drawn(frames, CutSettings(atoms=1, radii_angstrom=(4.0, 5.0)), seed=2)]
    labels = {one.name: np.array(one.force) + np.array([0.1, -0.1, 0.4]) for one in ones if one.radius_angstrom == 4.0}
    (row,) = errors_by_radius(ones, labels)
    assert (row['radius_angstrom'], row['n_labels']) == (4.0, 2)
    assert row['mae_ev_per_angstrom'] == pytest.approx(0.2)
    assert row['rmse_ev_per_angstrom'] == pytest.approx(np.sqrt(0.18 / 3))
