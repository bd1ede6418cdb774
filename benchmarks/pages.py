"""Pages of the documentation, parts of which are written from the files in ``benchmarks/results``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import common

__all__ = ('Page', 'table', 'versions')

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """A page of the documentation, part of which is written from a file of results.

    :param name: name of the page in ``docs/topics``.
    :param results: name of the file in ``benchmarks/results``.
    :param target: target of the Makefile that measures.
    :param render: function that returns the part as Markdown, from the content of the file.
    """

    name: str
    results: str
    target: str
    render: Callable[[Any], str]

    @property
    def path(self) -> Path:
        """Path of the page."""
        return _HERE.parent / 'docs' / 'topics' / self.name

    @property
    def file(self) -> Path:
        """Path of the file of results, which does not exist before the first measurement."""
        return _HERE / 'results' / self.results

    @property
    def begin(self) -> str:
        """Line before the part."""
        return f'<!-- Written by benchmarks/tables.py from benchmarks/results/{self.results}: do not edit. -->'

    @property
    def end(self) -> str:
        """Line after the part."""
        return '<!-- End of what benchmarks/tables.py writes. -->'

    def with_part(self, text: str, results: Any) -> str:
        """Return the text of a page with its part replaced.

        :param text: present text of the page.
        :param results: content of the file of results.
        """
        before, rest = text.split(self.begin)
        # A page may have a part of another file after this one.
        _, after = rest.split(self.end, maxsplit=1)
        part = self.render(results) if results else f'Nothing has been measured yet: `make {self.target}` does it.'
        return f'{before}{self.begin}\n\n{part}\n\n{self.end}{after}'

    def read(self) -> Any:
        """Return the content of the file of results, empty if there is no file."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def write(self) -> None:
        """Update the page from the file of results."""
        self.path.write_text(self.with_part(self.path.read_text(), self.read()))

    def publish(self, results: Mapping[str, Any], file: Path) -> None:
        """Write results to a file and print their Markdown; update the page if the file is the page's own.

        :param file: path of the file.
        """
        common.write_json(file, results)
        if file == self.file:
            self.write()
        print(self.render(json.loads(file.read_text())))
        print(f'{self.target}: {file}')


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown with right-aligned numbers."""
    names = list(head)
    lines = [names, ['---', *['---:'] * (len(names) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines)


def versions(machine: Mapping[str, Any]) -> str:
    """Return the versions of the programs of a measurement."""
    return ', '.join(f'{name} {number}' for name, number in machine['versions'].items())
