"""The program ``anial-worker``: its commands, and how each of them is run."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from aiida_anial import __version__
from aiida_anial.common.errors import AnialError
from aiida_anial.common.examples import example_lines
from aiida_anial.worker.export import command as export
from aiida_anial.worker.job import Job, JobInterrupted, Status

__all__ = ('main',)

_STARTED = time.monotonic()

# The function that runs each command, as MODULE:FUNCTION.
_FUNCTIONS = {
    'train': 'aiida_anial.worker.train:run',
    'sample': 'aiida_anial.worker.sample:run',
    'evaluate': 'aiida_anial.worker.evaluate:run',
    'validate': 'aiida_anial.worker.evaluate:validate',
    'property': 'aiida_anial.worker.property:run',
}

_PROGRAM = 'anial-worker'

_DIRECTORY = click.argument(
    'directory', default='.', type=click.Path(exists=True, file_okay=False, path_type=Path), metavar='[DIRECTORY]'
)


@click.group(context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(__version__)
def main() -> None:
    """Run the heavy parts of aiida-anial without AiiDA.

    Each command except benchmark and export reads input.json and its other files from DIRECTORY (by default the current
    one), and writes its results and output.json there. The exit status is 0 if the command finished, or if it was
    interrupted by SIGTERM or the time limit in input.json. It is 1 if the command failed; output.json says why.
    """


@main.command(epilog=example_lines(_PROGRAM, 'train', 'train folder'))
@_DIRECTORY
def train(directory: Path) -> None:
    """Train an ensemble on labelled cells.

    \b
    reads:   input.json {model, settings, engine, seed, max_wallclock_seconds}, shards/*.safetensors,
             initial.safetensors and checkpoint.safetensors if they exist
    writes:  ensemble.safetensors, learning_curves.safetensors, errors.safetensors, output.json
    """  # noqa: D301 - click reads the control character
    sys.exit(execute('train', directory))


@main.command(epilog=example_lines(_PROGRAM, 'sample', 'sample folder'))
@_DIRECTORY
def sample(directory: Path) -> None:
    """Run molecular dynamics until the members of the ensemble disagree.

    \b
    reads:   input.json {settings, thresholds, schedules, engine, seed, max_wallclock_seconds},
             cells.safetensors, ensemble.safetensors, checkpoint.safetensors if it exists
    writes:  trajectories/NNN.safetensors, output.json
    """  # noqa: D301 - click reads the control character
    sys.exit(execute('sample', directory))


@main.command(epilog=example_lines(_PROGRAM, 'evaluate', 'evaluate folder'))
@_DIRECTORY
def evaluate(directory: Path) -> None:
    """Compute energies, forces and stresses of cells with EMT, EAM or an ensemble.

    \b
    reads:   input.json {labeller, engine, max_force_ev_per_angstrom}, cells.safetensors,
             potential.eam.alloy or potential.eam.fs (eam), ensemble.safetensors (ensemble)
    writes:  labels.safetensors, output.json
    """  # noqa: D301 - click reads the control character
    sys.exit(execute('evaluate', directory))


@main.command(epilog=example_lines(_PROGRAM, 'validate', 'validate folder'))
@_DIRECTORY
def validate(directory: Path) -> None:
    """Compute the errors of an ensemble on labelled cells.

    \b
    reads:   input.json {engine}, ensemble.safetensors, shards/*.safetensors
    writes:  errors.safetensors, output.json
    """  # noqa: D301 - click reads the control character
    sys.exit(execute('validate', directory))


@main.command('property', epilog=example_lines(_PROGRAM, 'property', 'property folder'))
@_DIRECTORY
def property_(directory: Path) -> None:
    """Compute one property of EMT, EAM or an ensemble.

    \b
    reads:   input.json {property, settings, labeller, engine}, and the file of the potential as `evaluate` does
    writes:  curves.safetensors, output.json
    """  # noqa: D301 - click reads the control character
    sys.exit(execute('property', directory))


@main.command(
    epilog=example_lines(
        _PROGRAM, 'benchmark Al-laptop --quick', 'benchmark mine.safetensors --reference Al99.eam.alloy --plots plots'
    )
)
@click.argument('potential', type=click.Path(path_type=Path))
@click.option(
    '--reference',
    'references',
    multiple=True,
    type=click.Path(path_type=Path),
    help='Another potential, in the same form; repeatable.',
)
@click.option('--properties', help='Comma-separated names; by default all of the set.')
@click.option('--quick', is_flag=True, help='Only cold curves, elastic constants and the vacancy.')
@click.option('--threads', type=click.IntRange(min=1), default=1, show_default=True, help='Threads for ensembles.')
@click.option('--json', 'as_json', is_flag=True, help='Print {potential: {property: {quantity: ...}}} as JSON.')
@click.option('--wide', is_flag=True, help='Show all columns, whatever the width of the terminal.')
@click.option('--plots', 'figures', type=click.Path(path_type=Path), help='Folder for plots, as PNG and SVG.')
@click.option('--results', type=click.Path(path_type=Path), help='Folder for the numbers and curves.')
def benchmark(potential: Path, references: tuple[Path, ...], **options: Any) -> None:
    """Compute properties of POTENTIAL and compare them with references and the literature.

    A potential is a .safetensors file of this package, a NeuroChem folder, an EAM file of LAMMPS whose name ends in
    .eam.fs or .eam.alloy, `emt`, or a potential of the package, such as Al-laptop. Curves are compared with those of
    the first reference.
    """
    _set_threads({'engine': {'threads': options['threads']}}, command='benchmark')
    from aiida_anial.worker.property import compare_potentials

    try:
        compare_potentials([potential, *references], **options)
    except AnialError as exception:
        raise click.ClickException(str(exception)) from exception


main.add_command(export)


def execute(command: str, directory: Path) -> int:
    """Run ``command`` in ``directory``, write ``output.json`` and return the exit status."""
    job = Job(directory, {})
    try:
        job = Job.read(directory, started=_STARTED)
        with job.catch_signals():
            _set_threads(job.inputs, command=command)
            # Imported only now, because the number of threads must be set before torch is loaded.
            module, _, name = _FUNCTIONS[command].partition(':')
            run: Callable[[Job], dict[str, Any]] = getattr(importlib.import_module(module), name)
            summary = run(job)
            job.finish(Status.FINISHED, message=f'{command} finished.', summary=summary)
    except JobInterrupted as exception:
        job.finish(Status.INTERRUPTED, message=str(exception), summary=exception.summary)
    except AnialError as exception:
        return _fail(job, str(exception), type(exception))
    except Exception as exception:  # a bug: one sentence for the user, and the traceback in the log
        traceback.print_exc()
        kind = type(exception)
        return _fail(job, f'{command} stopped on an unexpected {kind.__name__}: {exception}', kind)
    return 0


def _fail(job: Job, message: str, error: type[Exception]) -> int:
    """Write why the job failed to ``output.json`` and to the standard error, and return the exit status.

    :param error: type of the exception; the parser of the job chooses the exit code by its name in the summary.
    """
    job.finish(Status.FAILED, message=message, summary={'error': error.__name__})
    print(message, file=sys.stderr, flush=True)
    return 1


def _set_threads(inputs: Mapping[str, Any], *, command: str) -> None:
    """Set the number of threads of torch and BLAS to ``engine.threads``, by default one."""
    engine = inputs.get('engine')
    engine = engine if isinstance(engine, Mapping) else {}
    threads = engine.get('threads', 1)
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        threads = 1  # the command validates ``engine`` and reports the mistake
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = str(threads)
    if command != 'train' and engine.get('engine') != 'torch' and engine.get('device', 'cpu') == 'cpu':
        return  # only a training and the torch engine need torch, whose import takes seconds
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


if __name__ == '__main__':
    main()
