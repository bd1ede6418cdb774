"""One part of a page is replaced, and the rest of the page stays."""

from __future__ import annotations

import re

import pytest
from pages import Page
from tables import ENGINE, PAGES

PAGE = Page('a.md', 'a.json', 'bench', render=lambda results: f'found {results["x"]}')
TEXT = f'before\n\n{PAGE.begin}\nold\n{PAGE.end}\n\nafter\n'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_the_pages_show_their_files(page):
    text = page.path.read_text()
    assert page.with_part(text, page.read()) == text, 'run: python benchmarks/tables.py'


def test_the_part_shows_the_results():
    written = PAGE.with_part(TEXT, {'x': 3})
    assert written == f'before\n\n{PAGE.begin}\n\nfound 3\n\n{PAGE.end}\n\nafter\n'
    assert PAGE.with_part(written, {'x': 3}) == written


def test_a_page_without_results_says_so():
    assert '`make bench` does it' in PAGE.with_part(TEXT, {})


def test_a_page_without_a_place_for_them_is_refused():
    with pytest.raises(ValueError, match='unpack'):
        PAGE.with_part('before and after', {'x': 3})


@pytest.mark.skipif(not ENGINE.file.exists(), reason='nothing has been measured yet')
def test_every_line_has_five_cells():
    lines = [line for line in ENGINE.render(ENGINE.read()).splitlines() if line.startswith('|')]
    assert len(lines) > 10
    assert {len(re.findall(r'\|', line)) for line in lines} == {6}
