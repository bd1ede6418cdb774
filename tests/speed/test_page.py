"""A part of a page is written anew, and the rest of the page stays."""

from __future__ import annotations

import graph_table
import load_table
import pytest
import table
from page import Page

PAGE = Page('a.md', 'a.json', 'a.py', 'bench', render=lambda results: f'found {results["x"]}')
TEXT = f'before\n\n{PAGE.begin}\nold\n{PAGE.end}\n\nafter\n'


@pytest.mark.parametrize('page', [graph_table.PAGE, load_table.PAGE, table.PAGE], ids=lambda page: page.name)
def test_the_pages_show_their_files(page):
    text = page.path.read_text()
    assert page.with_part(text, page.read()) == text, f'run: python benchmarks/{page.script}'


def test_the_part_shows_the_results():
    written = PAGE.with_part(TEXT, {'x': 3})
    assert written == f'before\n\n{PAGE.begin}\n\nfound 3\n\n{PAGE.end}\n\nafter\n'
    assert PAGE.with_part(written, {'x': 3}) == written


def test_a_page_without_results_says_so():
    assert PAGE.with_part(TEXT, {}) == TEXT.replace('old', f'\n{PAGE.nothing}\n')
    assert 'make bench' in PAGE.nothing


def test_a_page_without_a_place_for_them_is_refused():
    with pytest.raises(ValueError, match='unpack'):
        PAGE.with_part('before and after', {'x': 3})
