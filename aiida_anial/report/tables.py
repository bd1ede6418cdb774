"""Records as CSV and JSON files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ('write_table',)


def write_table(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write ``NAME.csv`` and ``NAME.json``, and return their paths.

    :param rows: one at least, all with the keys of the first; plain values.
    """
    table, listing = folder / f'{name}.csv', folder / f'{name}.json'
    with table.open('w', encoding='utf-8', newline='') as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    listing.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    return [table, listing]
