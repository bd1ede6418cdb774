"""Commands of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ('READ', 'ROOT', 'commands_of')

ROOT = Path(__file__).parents[2]

# Pages whose commands a reader types one after the other.
READ = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs' / 'tutorials').glob('*.md')),
    *sorted((ROOT / 'docs' / 'howto').glob('*.md')),
]


def commands_of(page: Path) -> list[str]:
    """Return the commands of a page without their comments, in its order."""
    blocks = re.findall(r'^```console\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in re.findall(r'^\$ (.*)$', block, re.MULTILINE)]
    return [re.sub(r'\s+# .*', '', line) for line in lines]
