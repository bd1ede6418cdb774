"""Seeds, cells and schedules: random, reproducible, and linked to what they follow from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_anial.calcfunctions.derive_seeds import derive_seeds
from aiida_anial.calcfunctions.draw_schedules import draw_schedules
from aiida_anial.calcfunctions.generate_cells import generate_cells
from aiida_anial.calcfunctions.lengthen_schedules import lengthen_schedules
from aiida_anial.common.labels import content_hash
from aiida_anial.data.structures import to_cells, to_structure

CELLS = {'families': [{'edges_angstrom': [4.0, 5.0], 'n_atoms': [4, 6]}]}
SCHEDULES = {'t_max_ps': 2.0, 't_0_ps': [0.5, 1.0]}


def inputs_of(node) -> dict[str, orm.Node]:
    """Return the inputs of the calculation that made ``node``, by label."""
    return {link.link_label: link.node for link in node.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC)}


def test_seeds_follow_from_the_campaign_the_iteration_and_the_cycle(aiida_profile):
    seed, iteration, cycle = orm.Int(3).store(), orm.Int(1).store(), orm.Int(2).store()
    first, again = (derive_seeds(seed, iteration, cycle) for _ in range(2))
    assert set(first) == {'cells', 'schedules', 'sampling', 'training'}
    assert {name: node.value for name, node in first.items()} == {name: node.value for name, node in again.items()}
    inputs = inputs_of(first['cells'])
    assert {label: node.pk for label, node in inputs.items()} == {
        'seed': seed.pk,
        'iteration': iteration.pk,
        'cycle': cycle.pk,
    }


def test_no_two_seeds_are_equal(aiida_profile):
    draws = [
        derive_seeds(orm.Int(seed), orm.Int(iteration), orm.Int(cycle))
        for seed, iteration, cycle in itertools.product((0, 1, 2**62), (0, 1), (0, 1))
    ]
    values = [node.value for draw in draws for node in draw.values()]
    assert len(set(values)) == len(values)
    assert all(value >= 0 for value in values)


def test_cells_are_labelled_in_order_and_linked_to_settings_seed_and_number(aiida_profile):
    settings, seed, number = orm.Dict(CELLS), orm.Int(5), orm.Int(3)
    cells = generate_cells(settings, seed, number)
    assert sorted(cells) == ['cell_0000', 'cell_0001', 'cell_0002']
    for label, cell in cells.items():
        assert cell.get_symbols_set() == {'Al'}
        assert cell.pbc == (True, True, True)
        assert 4 <= len(cell.sites) <= 6
        assert cell.base.links.get_incoming().one().link_label == label
    assert {name: node.pk for name, node in inputs_of(cells['cell_0002']).items()} == {
        'settings': settings.pk,
        'seed': seed.pk,
        'number': number.pk,
    }


def test_the_same_seed_gives_the_same_cells_and_another_one_gives_others(aiida_profile):
    def hashes(seed: int, number: int) -> list[str]:
        cells = to_cells(generate_cells(orm.Dict(CELLS), orm.Int(seed), orm.Int(number)))
        return [content_hash(*cell) for cell in cells.configurations()]

    assert hashes(5, 3) == hashes(5, 3)
    assert hashes(5, 2) == hashes(5, 3)[:2]
    assert not set(hashes(5, 3)) & set(hashes(6, 3))
    assert len(set(hashes(5, 3))) == 3


def test_schedules_keep_to_their_ranges_and_follow_from_the_seed(aiida_profile):
    def drawn(seed: int) -> list[dict[str, float]]:
        return draw_schedules(orm.Dict(SCHEDULES), orm.Int(seed), orm.Int(5)).get_list()

    schedules = drawn(1)
    assert schedules == drawn(1) != drawn(2)
    assert len({schedule['t_start_k'] for schedule in schedules}) == 5
    for schedule in schedules:
        assert 10 <= schedule['t_start_k'] <= 1000
        assert 10 <= schedule['t_end_k'] <= 600
        assert 0 <= schedule['t_mod_k'] <= 2000
        assert 0.5 <= schedule['t_0_ps'] <= 1.0
        assert schedule['t_max_ps'] == 2.0


def test_schedules_are_linked_to_settings_seed_and_number(aiida_profile):
    settings, seed, number = orm.Dict(SCHEDULES), orm.Int(5), orm.Int(3)
    inputs = inputs_of(draw_schedules(settings, seed, number))
    assert {name: node.pk for name, node in inputs.items()} == {
        'settings': settings.pk,
        'seed': seed.pk,
        'number': number.pk,
    }


@pytest.mark.parametrize(('iteration', 'factor'), [(1, 1.0), (2, 1.2), (6, 2.0)])
def test_trajectories_grow_by_the_same_length_from_one_iteration_to_the_next(aiida_profile, iteration, factor):
    settings, campaign = orm.Dict({**SCHEDULES, 't_start_k': [1.0, 2.0]}), orm.Dict({'t_max_growth': 0.2})
    longer = lengthen_schedules(settings, campaign, orm.Int(iteration))
    assert longer['t_max_ps'] == pytest.approx(2.0 * factor)
    assert longer['t_start_k'] == [1.0, 2.0]
    assert settings['t_max_ps'] == 2.0
    assert inputs_of(longer)['settings'].pk == settings.pk


def test_the_default_length_grows_too(aiida_profile):
    longer = lengthen_schedules(orm.Dict({}), orm.Dict({'t_max_growth': 0.5}), orm.Int(2))
    assert longer['t_max_ps'] == pytest.approx(375.0)


def test_without_growth_in_the_campaign_the_length_stays(aiida_profile):
    assert lengthen_schedules(orm.Dict(SCHEDULES), orm.Dict({}), orm.Int(9))['t_max_ps'] == 2.0


def test_a_structure_gives_the_positions_it_was_made_of_to_a_millionth(aiida_profile, make_cells):
    cells = make_cells(3)
    found = to_cells({str(index): to_structure(*cell).store() for index, cell in enumerate(cells.configurations())})
    np.testing.assert_allclose(found.positions, cells.positions, atol=5.1e-7)
    np.testing.assert_allclose(found.lattices, cells.lattices, atol=5.1e-7)


def test_the_hash_of_a_structure_survives_a_text_file(aiida_profile, make_cells):
    for cell in make_cells(20).configurations():
        ((positions, lattice, species),) = to_cells({'a': to_structure(*cell)}).configurations()
        rows = [[float(f'{value:.8f}') for value in row] for row in np.concatenate([lattice, positions])]
        again = content_hash(np.array(rows[3:]), np.array(rows[:3]), species)
        assert again == content_hash(positions, lattice, species)


def test_cells_come_in_the_order_of_their_labels_whatever_the_order_of_the_mapping(aiida_profile, make_structures):
    structures = make_structures(3)
    turned = dict(reversed(structures.items()))
    np.testing.assert_array_equal(to_cells(turned).positions, to_cells(structures).positions)
