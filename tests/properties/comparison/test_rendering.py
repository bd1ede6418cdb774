"""A comparison fits the terminal, and names the columns that do not."""

from __future__ import annotations

import pytest

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.rendering import comparison_text
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.quantity import PropertyResult


def rows_of(n_subjects):
    results = {'elastic': PropertyResult({'c11': Quantity(116.3, 'GPa'), 'c44': Quantity(32.2, 'GPa')})}
    return comparison_table([Subject(f'potential_{number}', 'eam', results) for number in range(n_subjects)])


@pytest.mark.parametrize('n_subjects', [1, 2, 5])
@pytest.mark.parametrize('width', [40, 80, 120])
def test_tables_fit_and_every_column_is_shown_or_named(n_subjects, width):
    heading, rule, *body = comparison_text(rows_of(n_subjects), width=width).splitlines()
    table = [heading, rule, *(line for line in body if line.startswith('c'))]
    assert all(len(line) <= width for line in table)
    assert not any(line.rstrip().endswith('|') for line in table)
    everything = comparison_text(rows_of(n_subjects)).splitlines()[0].replace('|', '').split('  ')
    told = body[-1] if body[-1].startswith('Too narrow for ') else ''
    for column in filter(None, map(str.strip, everything)):
        assert (column in heading) != (column in told)


def test_literature_goes_before_potentials():
    heading = comparison_text(rows_of(3), width=60).splitlines()[0]
    assert 'potential_2' in heading
    assert 'experiment' not in heading


def test_the_first_potential_stays_however_narrow_the_terminal_is():
    assert 'potential_0' in comparison_text(rows_of(2), width=5).splitlines()[0]
