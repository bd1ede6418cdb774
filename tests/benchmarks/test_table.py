"""The table on the page about the engine is that of the measured file."""

from __future__ import annotations

import json
import re

import common
import pytest
import table

RESULTS = json.loads(common.RESULTS.read_text()) if common.RESULTS.exists() else {}


def test_the_page_shows_the_file():
    page = table.PAGE.read_text()
    assert table.page_with(page, RESULTS) == page, 'run: python benchmarks/table.py'


@pytest.mark.skipif(not RESULTS, reason='nothing has been measured yet')
def test_every_line_has_five_cells():
    lines = [line for line in table.render(RESULTS).splitlines() if line.startswith('|')]
    assert len(lines) > 10
    assert {len(re.findall(r'\|', line)) for line in lines} == {6}


def test_a_page_without_results_says_so():
    page = f'before\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n'
    written = table.page_with(page, {})
    assert table.NOTHING in written
    assert 'old' not in written
    assert written.startswith('before\n')
    assert written.endswith('after\n')
