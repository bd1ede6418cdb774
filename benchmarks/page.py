"""Pages of the documentation that show what a measurement found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import common

__all__ = ('Page',)

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """A page, a part of which is written from a file of results.

    :param name: of the page, in ``docs/topics``.
    :param results: name of the file, in ``benchmarks/results``.
    :param script: that writes the page.
    :param target: of the Makefile, that measures.
    :param render: returns the part as Markdown, from what the file holds.
    """

    name: str
    results: str
    script: str
    target: str
    render: Callable[[Any], str]

    @property
    def path(self) -> Path:
        """The page."""
        return _HERE.parent / 'docs' / 'topics' / self.name

    @property
    def file(self) -> Path:
        """The file, which is not there before something was measured."""
        return _HERE / 'results' / self.results

    @property
    def begin(self) -> str:
        """The line before the part."""
        return f'<!-- Written by benchmarks/{self.script} from benchmarks/results/{self.results}: do not edit. -->'

    @property
    def end(self) -> str:
        """The line after the part."""
        return f'<!-- End of what benchmarks/{self.script} writes. -->'

    @property
    def nothing(self) -> str:
        """The part as long as there is no file."""
        return f'Nothing has been measured yet: `make {self.target}` does it.'

    def read(self) -> Any:
        """Return what the file holds, nothing if it is not there."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def publish(self, results: Mapping[str, Any], file: Path, *, took_s: float) -> None:
        """Write a file, print what the page says of it, and write the page if the file is the page's own."""
        common.write_json(file, {**results, 'took_s': took_s})
        if file == self.file:
            self.write()
        print(self.render(json.loads(file.read_text())))
        print(f'{self.target}: {file}, after {took_s:.0f} s')

    def with_part(self, text: str, results: Any) -> str:
        """Return a page with its part written anew.

        :param text: the page as it is.
        """
        before, rest = text.split(self.begin)
        _, after = rest.split(self.end)
        part = self.render(results) if results else self.nothing
        return f'{before}{self.begin}\n\n{part}\n\n{self.end}{after}'

    def write(self) -> None:
        """Write the page from the file."""
        self.path.write_text(self.with_part(self.path.read_text(), self.read()))
