"""The page on faults shows what the tests have found."""

from __future__ import annotations

import json

from faults import report


def test_the_page_shows_the_file():
    text = report.PAGE.read_text()
    rows = json.loads(report.RESULTS.read_text())
    assert report.with_table(text, rows) == text, 'run: make faults'


def test_what_was_found_again_replaces_what_was_found_before():
    first, second = ({'profile': 'embedded', 'fault': fault, 'phase': 'idle', 'lost': 1} for fault in ('a', 'b'))
    again = {**first, 'lost': 0}
    assert report.merged([second, first], [again]) == [again, second]
