"""The table on the page about the engine is that of the measured file."""

from __future__ import annotations

import re

import pytest
import table

RESULTS = table.PAGE.read()


@pytest.mark.skipif(not RESULTS, reason='nothing has been measured yet')
def test_every_line_has_five_cells():
    lines = [line for line in table.render(RESULTS).splitlines() if line.startswith('|')]
    assert len(lines) > 10
    assert {len(re.findall(r'\|', line)) for line in lines} == {6}
