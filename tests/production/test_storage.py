"""A process that has a node loaded sees changes by another process, and does not overwrite them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.services
def test_what_another_process_changes_is_seen_and_kept(shell):
    seen = shell.ask(Path(__file__).with_name('see_changes.py'))
    assert seen == [
        ['before', 'running', None],
        ['after', 'finished', 2],
        ['last', 'finished', 2],
        ['last', 'finished', 2],
    ]
