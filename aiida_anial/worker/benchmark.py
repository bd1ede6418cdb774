"""``anial-worker benchmark``: potentials side by side, without AiiDA."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.source import NamedCalculator, open_potential
from aiida_anial.properties.comparison.rendering import comparison_notes, comparison_records, comparison_text
from aiida_anial.properties.comparison.results import Subject, write_subject
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.figures.write import write_figures
from aiida_anial.properties.registry import BenchmarkSettings, benchmark_set, chosen_properties, run_properties

__all__ = ('run',)


def run(
    paths: Sequence[Path],
    *,
    properties: str | None,
    quick: bool,
    threads: int,
    as_json: bool,
    figures: Path | None,
    results: Path | None,
) -> None:
    """Benchmark potentials and print the table.

    :param paths: of the potentials; the others are references for the first.
    :param properties: names with commas between them; None: all of the set.
    :param threads: of the engine.
    :param as_json: print JSON instead of a table.
    :param figures: folder to draw the curves into.
    :param results: folder to write the numbers and curves into, two files a potential.
    :raises AnialError: if a potential or a property is none.
    """
    names, settings = benchmark_set(quick=quick)
    names = chosen_properties(properties, names)
    for option, folder in (('--plots', figures), ('--results', results)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise AnialError(f'{option}: {folder} is no folder.')
    subjects = [_subject(open_potential(path, threads=threads), names, settings) for path in paths]
    rows = comparison_table(subjects, reference=subjects[1] if len(subjects) > 1 else None)
    if as_json:
        print(json.dumps(comparison_records(rows), indent=1))
    else:
        print(comparison_text(rows))
        for note in comparison_notes(subjects):
            print(note)
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        for subject in subjects:
            write_subject(results / f'{subject.name}.json', subject)
    if figures is not None:
        for path in write_figures(subjects, figures):
            print(path, file=sys.stderr)


def _subject(potential: NamedCalculator, names: Sequence[str], settings: BenchmarkSettings) -> Subject:
    """Benchmark one potential, and say how far it is."""

    def report(line: str) -> None:
        print(f'{potential.name}: {line}', file=sys.stderr, flush=True)

    found = run_properties(names, settings, potential.calculator, report=report)
    return Subject(potential.name, potential.kind, found)
