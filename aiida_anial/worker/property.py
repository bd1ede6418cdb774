"""``anial-worker property`` and ``benchmark``: properties of one potential as a job, or of several side by side."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.source import EMT_NAME, NamedCalculator, PotentialSource, open_potential
from aiida_anial.properties.comparison.rendering import comparison_notes, comparison_records, comparison_text
from aiida_anial.properties.comparison.results import Subject, write_subject
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.dynamics_runner import DynamicsInterrupted, DynamicsRunner
from aiida_anial.properties.figures.write import write_figures
from aiida_anial.properties.registry import (
    BenchmarkSettings,
    benchmark_set,
    check_properties,
    chosen_properties,
    run_properties,
)
from aiida_anial.worker.evaluate import EAM_FILES
from aiida_anial.worker.job import Job, JobInputs, JobInterrupted

__all__ = ('PropertyInputs', 'compare_potentials', 'run')

CHECKPOINT_FILE = 'checkpoint.safetensors'
ENSEMBLE_FILE = 'ensemble.safetensors'


class PropertyInputs(JobInputs):
    """The keys of ``input.json`` for ``property``.

    :param property: name of the property.
    :param settings: settings of the property and of those that it starts from, such as the lattice constant.
    :param labeller: potential to evaluate.
    :param engine: only ``threads`` is used, for an ensemble, which is always evaluated in double precision.
    """

    property: str
    settings: BenchmarkSettings = BenchmarkSettings()
    labeller: PotentialSource
    engine: EngineSettings = EngineSettings()


def run(job: Job) -> dict[str, Any]:
    """Write the curves of the property to ``curves.safetensors``, and return its quantities and notes.

    :raises JobInterrupted: if the job was asked to stop during a dynamics, after writing the checkpoint.
    :raises AnialError: if an input is wrong, or the property cannot be determined.
    """
    inputs = job.parse(PropertyInputs)
    check_properties([inputs.property])
    potential = _potential(job.directory, inputs)
    runner = DynamicsRunner(job.report, job.path(CHECKPOINT_FILE), _fingerprint(job, inputs), job.interrupted)
    try:
        results = run_properties([inputs.property], inputs.settings, potential.calculator, runner=runner)
    except DynamicsInterrupted as exception:
        raise JobInterrupted(f'{exception}.') from exception
    result = results[inputs.property]
    job.path(CHECKPOINT_FILE).unlink(missing_ok=True)
    metadata = {'property': inputs.property}
    write_tensors(job.path('curves.safetensors'), TensorFile('curves', 1, metadata, dict(result.curves)))
    return {
        'quantities': {name: quantity.to_dict() for name, quantity in result.quantities.items()},
        'notes': list(result.notes),
    }


def _fingerprint(job: Job, inputs: PropertyInputs) -> str:
    """Return a digest of all inputs that determine the result; the number of threads does not."""
    parts = inputs.model_dump(mode='json', include={'property', 'settings', 'labeller'})
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for name in (ENSEMBLE_FILE, *EAM_FILES):
        if job.path(name).is_file():
            digest.update(job.path(name).read_bytes())
    return digest.hexdigest()


def _potential(directory: Path, inputs: PropertyInputs) -> NamedCalculator:
    """Return the potential to evaluate.

    :raises FileFormatError: if its file is missing or invalid.
    """
    names = {'ensemble': (ENSEMBLE_FILE,), 'eam': EAM_FILES}.get(inputs.labeller.kind)
    if names is None:
        return open_potential(Path(EMT_NAME))
    for name in names:
        if (directory / name).is_file():
            return open_potential(directory / name, threads=inputs.engine.threads)
    raise FileFormatError(f'{directory}: the labeller {inputs.labeller.kind} needs {" or ".join(names)}.')


def compare_potentials(
    paths: Sequence[Path],
    *,
    properties: str | None,
    quick: bool,
    threads: int,
    as_json: bool,
    wide: bool,
    figures: Path | None,
    results: Path | None,
) -> None:
    """Compute properties of potentials, and print them side by side.

    :param paths: paths of the potentials; all but the first are references.
    :param properties: comma-separated names; None for all of the set.
    :param quick: use the quick set of properties.
    :param threads: number of threads for ensembles.
    :param as_json: print JSON instead of a table.
    :param wide: show all columns, whatever the width of the terminal.
    :param figures: folder for plots of the curves.
    :param results: folder for numbers and curves, in two files per potential.
    :raises AnialError: if a potential cannot be read, or a property does not exist.
    """
    names, settings = benchmark_set(quick=quick)
    names = chosen_properties(properties, names)
    for option, folder in (('--plots', figures), ('--results', results)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise AnialError(f'{option}: {folder} is not a folder.')
    subjects = [_subject(open_potential(path, threads=threads), names, settings) for path in paths]
    rows = comparison_table(subjects, reference=subjects[1] if len(subjects) > 1 else None)
    if as_json:
        print(json.dumps(comparison_records(rows), indent=1))
    else:
        width = None if wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns
        print(comparison_text(rows, width=width))
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
    """Compute the properties of one potential, and report the progress on the standard error."""

    def report(line: str) -> None:
        print(f'{potential.name}: {line}', file=sys.stderr, flush=True)

    found = run_properties(names, settings, potential.calculator, runner=DynamicsRunner(report))
    return Subject(potential.name, potential.kind, found)
