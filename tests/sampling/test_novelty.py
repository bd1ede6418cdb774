"""Distances between environments, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.sampling.duplicates import compared
from aiida_anial.sampling.novelty import Novelty, environments
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.settings import CellFamily, CellSettings


def turned(cells: Cells, seed: int = 0) -> Cells:
    """Return the same cells, each turned, moved and with its atoms in another order."""
    generator = np.random.default_rng(seed)
    positions, lattices = [], []
    for place, lattice in cells:
        rotation = Rotation.random(random_state=generator).as_matrix()
        positions.append(generator.permutation(place + generator.random(3)) @ rotation)
        lattices.append(lattice @ rotation)
    return Cells.from_lists(positions, lattices, species=13)


@pytest.fixture(scope='module')
def known() -> Cells:
    """Random cells of 4 to 10 atoms."""
    family = CellFamily(edges_angstrom=(4.0, 6.0), n_atoms=(4, 10))
    return random_cells(CellSettings(families=(family,)), seed=3, n=30)


@pytest.fixture(scope='module')
def novelty(known) -> Novelty:
    return Novelty(known)


def test_environments_do_not_change_with_rotation_shift_and_order(known):
    first, again = environments(known), environments(turned(known))
    for index in range(len(known)):
        atoms = slice(known.offsets[index], known.offsets[index + 1])
        np.testing.assert_allclose(np.sort(first[atoms], axis=0), np.sort(again[atoms], axis=0), atol=1e-9)


def test_what_is_known_has_no_novelty_and_the_median_of_the_others_is_one(known, novelty):
    np.testing.assert_allclose(novelty.of(turned(known)), 0, atol=1e-6)
    without = [Novelty(known.select([j for j in range(30) if j != i])) for i in range(30)]
    # The widths and the unit of the rest differ a little from those of all.
    found = [one.of(known.select([i]))[0] * one._unit / novelty._unit for i, one in enumerate(without)]
    assert np.median(found) == pytest.approx(1.0, rel=0.05)


def test_novelty_is_that_of_the_strangest_atom(crystals):
    """Among warm crystals, another one is as usual, until one of its atoms almost touches its neighbours."""
    warm = [crystals.fcc(2, jitter=0.1, seed=seed) for seed in range(7)]
    cells = Cells.from_lists([place for place, _ in warm], [lattice for _, lattice in warm], species=13)
    novelty = Novelty(cells.select(range(6)))
    (usual,) = novelty.of(cells.select([6]))
    assert usual == pytest.approx(1.0, abs=0.3)
    positions = cells.one(6)[0].copy()
    positions[0] += [0.6, 0.6, 0.0]
    assert novelty.of(cells.select([6]).moved(positions))[0] > 3


def test_neighbour_lists_with_a_margin_give_the_same(known, novelty, engines):
    lists = engines.PairEngine(cutoff=6.5).neighbours(known, skin=0.5)
    moved = known.moved(known.positions + 0.1)
    np.testing.assert_allclose(novelty.of(moved, lists), novelty.of(moved), atol=1e-6)


def test_one_configuration_is_not_enough(known):
    with pytest.raises(AnialError, match='two labelled configurations, not 1'):
        Novelty(known.select([0]))


def test_duplicates_point_to_the_first_of_their_kind(known, novelty):
    six = known.select([0, 1, 2])
    cells = Cells.from_lists(
        [place for part in (six, turned(six, 1), turned(six, 2)) for place, _ in part],
        [lattice for part in (six, turned(six, 1), turned(six, 2)) for _, lattice in part],
        species=13,
    )
    assert novelty.duplicates(cells, 1e-3) == {3: 0, 4: 1, 5: 2, 6: 0, 7: 1, 8: 2}
    assert novelty.duplicates(cells, 1e3) == dict.fromkeys(range(1, 9), 0)


def test_a_part_of_another_cell_is_no_duplicate(novelty, crystals):
    """Every environment of the crystal occurs beside a vacancy, but not the other way round."""
    whole, lattice = crystals.fcc(3)
    cells = Cells.from_lists([whole[1:], whole], [lattice] * 2, species=13)
    assert novelty.duplicates(cells, 0.1) == {}


def test_a_trajectory_stops_where_its_environments_are_new(run, engines, crystals):
    """A hot crystal leaves the labelled cold ones behind, although its members never disagree."""
    cold = [crystals.fcc(2, jitter=0.02, seed=seed) for seed in range(4)]
    known = Cells.from_lists([positions for positions, _ in cold], [lattice for _, lattice in cold], species=13)
    settings = {'t_max_ps': 0.3, 'temperature': 2000.0, 'novelty': 3.0}
    (stopped,) = run(known.select([0]), engines.PairEngine(), known=known, **settings)
    assert (stopped.stop_reason, stopped.candidate_frame) == ('novelty', len(stopped.steps) - 1)
    assert stopped.candidate_novelty > 3
    before = Cells.from_lists([stopped.positions[-2]], [stopped.lattices[-2]], species=13)
    assert Novelty(known).of(before)[0] <= 3
    (alone,) = run(known.select([0]), engines.PairEngine(), **settings | {'novelty': None})
    assert (alone.stop_reason, alone.candidate_novelty) == ('completed', None)


def test_duplicates_of_a_task_are_marked(run, engines, crystals):
    """Three trajectories of the same cold crystal end in almost the same configuration."""
    positions, lattice = crystals.fcc(1)
    cells = Cells.from_lists([positions] * 3, [lattice] * 3, species=13)
    known = Cells.from_lists(
        [crystals.fcc(1, jitter=0.2, seed=seed)[0] for seed in range(5)], [lattice] * 5, species=13
    )
    options = {'t_max_ps': 0.02, 'temperature': 0.1, 'known': known}
    found = run(cells, engines.PairEngine(), duplicate_novelty=0.5, **options)
    assert [one.duplicate_of for one in found] == [None, 0, 0]
    assert [one.duplicate_of for one in run(cells, engines.PairEngine(), novelty=50.0, **options)] == [None] * 3
    assert compared(found, Novelty(known), None)[1].duplicate_of is None
