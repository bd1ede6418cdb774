"""Commands of the documentation, what the pages show below them, and whether a program prints the like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ('READ', 'ROOT', 'Step', 'as_shown', 'steps_of', 'yaml_above')

ROOT = Path(__file__).parents[2]

# Pages whose commands a reader types one after the other.
READ = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs' / 'tutorials').glob('*.md')),
    *sorted((ROOT / 'docs' / 'howto').glob('*.md')),
]

_NUMBER = re.compile(r'(?<![a-z])[-+]?\d[\d,.:T]*(?<![,.:])(e[-+]?\d+)?')
_ELIDED = re.compile(r'\w*\.\.\.')
_WIDTH = re.compile(r'\s+|[─━]+')


@dataclass(frozen=True)
class Step:
    """A line that begins with ``$``.

    :param place: of the line in the page, from which the files above it are found.
    :param command: without its comment.
    :param shown: lines below it, up to the next command.
    """

    page: Path
    place: int
    command: str
    shown: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.page.name}: {self.command}'


def steps_of(page: Path) -> list[Step]:
    """Return the commands of a page, in its order."""
    text = page.read_text()
    found = []
    for block in re.finditer(r'^```console\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        for part in re.finditer(r'^\$ (.*)\n((?:(?!\$ ).*\n)*)', block[1], re.MULTILINE):
            command = re.sub(r'\s+# .*', '', part[1])
            found.append(Step(page, block.start(1) + part.start(), command, tuple(part[2].splitlines())))
    return found


def yaml_above(step: Step) -> str | None:
    """Return the YAML that the page shows last before a command, or else first after it."""
    blocks = list(re.finditer(r'^```yaml\n(.*?)^```', step.page.read_text(), re.MULTILINE | re.DOTALL))
    above = [block[1] for block in blocks if block.start() < step.place]
    return above[-1] if above else next((block[1] for block in blocks), None)


def as_shown(shown: tuple[str, ...], printed: str) -> bool:
    """Return whether a program prints the lines of a page, but for numbers, widths and what ``...`` stands for."""
    lines = [f'{_shape(line)}\n' for line in printed.splitlines() if line.strip()]
    pattern = ''.join('(.*\n)*?' if line.strip() == '...' else f'{_pattern(line)}\n' for line in shown)
    return re.fullmatch(pattern, ''.join(lines)) is not None


def _pattern(line: str) -> str:
    return '.*'.join(re.escape(_shape(part)) for part in _ELIDED.split(line.strip()))


def _shape(line: str) -> str:
    return _WIDTH.sub(lambda gap: gap[0][0], _NUMBER.sub('#', line.rstrip()))
