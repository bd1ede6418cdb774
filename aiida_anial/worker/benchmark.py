"""``anial-worker benchmark``: potentials side by side, without AiiDA."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiida_anial.common.errors import AnialError
from aiida_anial.comparison.figures.write import write_figures
from aiida_anial.comparison.rendering import comparison_records, comparison_text
from aiida_anial.comparison.subject import Subject
from aiida_anial.comparison.table import comparison_table
from aiida_anial.properties.potentials import open_potential
from aiida_anial.properties.run import run_properties
from aiida_anial.properties.settings import benchmark_set, chosen_properties

__all__ = ('run',)


def run(
    paths: Sequence[Path],
    *,
    properties: str | None,
    quick: bool,
    threads: int,
    as_json: bool,
    figures: Path | None,
) -> None:
    """Benchmark potentials and print the table.

    :param paths: of the potentials; the others are references for the first.
    :param properties: names with commas between them; None: all of the set.
    :param threads: of the engine.
    :param as_json: print JSON instead of a table.
    :param figures: folder to draw the curves into.
    :raises AnialError: if a potential or a property is none.
    """
    names, settings = benchmark_set(quick=quick)
    names = chosen_properties(properties, names)
    if figures is not None and figures.exists() and not figures.is_dir():
        raise AnialError(f'--plots: {figures} is no folder.')
    potentials = [open_potential(path, threads=threads) for path in paths]
    subjects = []
    for potential in potentials:

        def report(line: str, name: str = potential.name) -> None:
            print(f'{name}: {line}', file=sys.stderr, flush=True)

        results = run_properties(names, settings, potential.calculator, report=report)
        subjects.append(Subject(potential.name, potential.kind, results))
    rows = comparison_table(subjects, reference=subjects[1] if len(subjects) > 1 else None)
    if as_json:
        print(json.dumps(comparison_records(rows), indent=1))
    else:
        print(comparison_text(rows))
        for subject in subjects:
            for note in (note for result in subject.results.values() for note in result.notes):
                print(f'{subject.name}: {note}')
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        for path in write_figures(subjects, figures):
            print(path, file=sys.stderr)
