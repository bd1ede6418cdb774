"""Simultaneous labellings under two daemon workers share one limit, and killing one does not affect the others."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.daemon, pytest.mark.faults]

BESIDE = Path(__file__).parent

N_CELLS = 3
# More cells than can be labelled before the request to kill arrives.
N_CELLS_OF_VICTIM = 12
LIMIT = 2


@pytest.fixture
def two_workers(shell):
    """Add a daemon worker, and limit the computer."""
    shell.verdi('daemon', 'incr', 1)
    shell.anial('limit', 'localhost', LIMIT)
    yield
    shell.anial('limit', 'localhost', '--none')
    shell.verdi('daemon', 'decr', 1)


def working_in(folders):
    """Return the ids of the system processes that work in one of the folders."""
    found = []
    for link in Path('/proc').glob('[0-9]*/cwd'):
        try:
            found += [link.parent.name] if str(link.readlink()) in folders else []
        except OSError:
            continue
    return found


def test_killing_one_of_three_leaves_the_others_alone_below_the_limit(shell, two_workers):
    assert len(shell.workers()) == 2
    pks = [shell.ask(BESIDE / 'submit_labels.py', n) for n in (N_CELLS, N_CELLS_OF_VICTIM, N_CELLS)]

    def look():
        return shell.ask(BESIDE / 'look_at_labels.py', *pks)

    shell.wait(lambda: look()[1]['folders'], limit_s=120)
    assert 'processed' in shell.verdi('process', 'kill', '--timeout', 120, pks[1])
    shell.wait(lambda: all(one['is_terminated'] for one in look()), limit_s=300)
    seen = look()
    assert seen[1]['state'] == 'killed'
    assert seen[1]['n_active'] == 0
    assert working_in(seen[1]['folders']) == []
    for other in (seen[0], seen[2]):
        assert other['exit_status'] == 0
        assert other['rejected'] == {}
        assert len(other['uuids']) == other['n_jobs'] == N_CELLS
    assert shell.ask(BESIDE / 'look_at_alive.py') == LIMIT
    assert f'at most {LIMIT}, 0 active' in shell.anial('limit', 'localhost')
