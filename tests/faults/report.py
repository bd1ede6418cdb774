"""Runs the tests that cause faults, and writes ``results.json`` and the table of ``docs/topics/faults.md``.

``make faults`` runs the tests with the marker ``faults``. Each causes the fault that it is named after, in a small
campaign with real pw.x, and compares the result with that of a campaign without faults. The file holds one object for
each fault: the fault, its phase, what was lost, what was paid twice, whether the campaign recovered, and in how many
seconds. A partial run leaves the other objects as they are.

Run it from the repository root::

    python tests/faults/report.py                # everything: an hour or two on two cores
    python tests/faults/report.py -k directory   # arguments go to pytest
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = Path(__file__).with_name('results.json')
PAGE: Final = ROOT / 'docs' / 'topics' / 'faults.md'
BEGIN: Final = '<!-- Written by tests/faults/report.py from tests/faults/results.json: do not edit. -->'
END: Final = '<!-- End of what tests/faults/report.py writes. -->'

Row = dict[str, Any]
COLUMNS: Final = {
    'fault': 'fault',
    'phase': 'in the middle of',
    'profile': 'profile',
    'lost': 'lost',
    'paid_twice': 'paid twice',
    'recovered': 'recovered',
    'seconds': 'seconds',
}


def run_tests(arguments: Sequence[str]) -> tuple[int, list[Row]]:
    """Run the tests, and return the exit status of pytest and the rows that they wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'rows'
        command = [sys.executable, '-m', 'pytest', 'tests', '-v', '-m', 'faults', *arguments]
        environment = {**os.environ, 'ANIAL_FAULTS_RESULTS': str(path)}
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        lines = path.read_text().splitlines() if path.exists() else []
    return status, [json.loads(line) for line in lines]


def merged(before: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """Return all rows, sorted by profile and fault; new rows replace those of before."""
    rows = {_key(row): row for row in before} | {_key(row): row for row in found}
    return sorted(rows.values(), key=_key)


def _key(row: Row) -> tuple[str, str, str]:
    return row['profile'], row['fault'], row['phase']


def cells(row: Row) -> list[str]:
    """Return a row as text."""
    texts = []
    for name in COLUMNS:
        value = row[name]
        if name == 'recovered':
            value = ('after `verdi process play`' if row['paused'] else 'by itself') if value else 'no'
        texts.append('-' if value is None else f'{value:.0f}' if isinstance(value, float) else str(value))
    return texts


def render(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ['| ' + ' | '.join(COLUMNS.values()) + ' |', '|' + '---|' * len(COLUMNS)]
    return '\n'.join([*lines, *('| ' + ' | '.join(cells(row)) + ' |' for row in rows)])


def with_table(page: str, rows: Sequence[Row]) -> str:
    """Return the text of the page with a new table."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f'{before}{BEGIN}\n\n{render(rows)}\n\n{END}{after}'


def main(arguments: Sequence[str]) -> int:
    """Run the tests, write file and page, and return the exit status of pytest."""
    status, found = run_tests(arguments)
    if found:
        print(render(found))
        rows = merged(json.loads(RESULTS.read_text()), found)
        RESULTS.write_text(json.dumps(rows, indent=1) + '\n')
        PAGE.write_text(with_table(PAGE.read_text(), rows))
        print(f'faults: {RESULTS}')
    return status


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
