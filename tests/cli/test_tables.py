"""Tables fit the terminal, and say which columns do not."""

from __future__ import annotations

import click
import pytest
from rich.console import Console

from aiida_anial.cli import tables
from aiida_anial.cli.tables import Heading, print_table

HEADINGS = (
    Heading('pk', 'pk'),
    Heading('label', 'label', rank=3, is_text=True),
    Heading('first\nmeV/atom', 'first', 1),
    Heading('sec-\nond', 'second', 2, rank=1),
    Heading('third', 'third', 3, rank=2),
)
ROWS = [{'pk': 7, 'label': 'x' * 5000, 'first': 1.25, 'second': None, 'third': 1234567.0}]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Return a function that prints a table on a terminal of some width, and returns the lines."""

    def run(width, *, rows=ROWS, wide=False):
        made = Console
        monkeypatch.setattr(
            tables, 'Console', lambda **given: made(**{'width': width, 'force_terminal': True, **given})
        )
        print_table('A title', HEADINGS, rows, wide=wide)
        return click.unstyle(capsys.readouterr().out).splitlines()

    return run


@pytest.mark.parametrize('width', [20, 30, 60, 80, 100])
def test_no_row_is_wrapped_or_wider_than_the_terminal(printed, width):
    title, *table = printed(width)
    assert title == 'A title'
    rows = [line for line in table if line.strip().startswith('7')]
    assert len(rows) == 1
    assert all(len(line) <= width for line in table)


def test_the_least_important_columns_go_first_and_are_named(printed):
    assert 'label' in printed(100)[2]
    narrow = ' '.join(printed(30))
    assert 'xxx' not in narrow
    assert 'Too narrow for label' in narrow
    narrower = ' '.join(printed(20))
    assert 'Too narrow for label, third; --wide shows all.' in narrower.replace('  ', ' ')
    assert '1.2' in narrower


def test_a_long_text_is_cut_unless_all_is_asked_for(printed):
    assert f'{"x" * 27}…' in ' '.join(printed(100))
    assert any('x' * 500 in line for line in printed(40, rows=[{**ROWS[0], 'label': 'x' * 500}], wide=True))


def test_a_pipe_gets_all_columns(capsys):
    print_table('', HEADINGS, ROWS)
    out = capsys.readouterr().out
    assert '1234567.000' in out
    assert 'Too narrow' not in out
