"""``aiida-anial benchmark``."""

from __future__ import annotations

from typing import Any

import click

from aiida_anial.cli.completion import complete_codes, complete_ensembles, complete_properties
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import examples, print_json, refuse_together, wide_option
from aiida_anial.cli.process_options import no_wait_option, plots_option, settings_option, worker_code_option
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.waiting import wait_for, why_incomplete
from aiida_anial.common.errors import AnialError

__all__ = ('command',)


@click.command(
    'benchmark',
    epilog=examples(
        'benchmark 2126 --quick',
        'benchmark 2126 --reference qe --plots plots',
        'benchmark mine.safetensors --reference Al99.eam.alloy',
    ),
)
@click.argument('subject', metavar='[ENSEMBLE]', required=False, shell_complete=complete_ensembles)
@click.option(
    '--reference',
    'references',
    multiple=True,
    metavar='qe|FILE|MODEL',
    help='DFT (qe), an EAM file, or another ensemble, given like ENSEMBLE. Repeatable.',
    shell_complete=complete_ensembles,
)
@click.option(
    '--properties',
    help='Comma-separated names; by default all but those from dynamics, melt and shock.',
    shell_complete=complete_properties,
)
@click.option('--quick', is_flag=True, help='The quick set of properties, which takes seconds.')
@settings_option
@click.option(
    '--pw-code',
    default='pw@localhost',
    show_default=True,
    help='Code of pw.x, for the reference qe.',
    shell_complete=complete_codes,
)
@worker_code_option
@click.option(
    '--max-concurrent', type=click.IntRange(min=1), default=2, show_default=True, help='Jobs running at once.'
)
@click.option('--json', 'as_json', is_flag=True, help='Print {potential: {property: {quantity: ...}}} as JSON.')
@wide_option
@plots_option
@no_wait_option
@profile_option()
def command(**options: Any) -> None:
    """Compute properties of an ensemble and compare them with DFT, other potentials and the literature.

    ENSEMBLE is a pk, a UUID, a file, a NeuroChem folder, or a potential of the package, such as Al-laptop. Given the
    pk of an earlier benchmark, the command prints that one again. Curves are compared with DFT if it is a reference,
    otherwise with the first reference. A pw.x calculation that has finished is never repeated.
    """
    from aiida_anial.potential.packaged import find
    from aiida_anial.queries.benchmarks import load_benchmark

    for name in ('as_json', 'plots'):
        refuse_together(options, 'no_wait', name)
    names, settings = _chosen(options)
    given = options['subject']
    node = load_benchmark(given) if given is not None and find(given) is None else None
    if node is None:
        node = _submitted(options, names, settings)
        if options['no_wait']:
            click.echo(node.pk)
            return
        wait_for(node, 'benchmark')
    _print(node, options)


def _chosen(options: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """Return the names of the properties, and the settings of their set.

    :raises AnialError: if a property does not exist, or is not in the quick set.
    """
    from aiida_anial.properties.registry import benchmark_set, chosen_properties

    names, settings = benchmark_set(quick=options['quick'])
    chosen = chosen_properties(options['properties'], names)
    if options['quick'] and (beyond := [name for name in chosen if name not in names]):
        raise AnialError(f'--quick: {beyond[0]} is not in the quick set ({", ".join(names)}); leave out --quick.')
    return chosen, settings


def _submitted(options: dict[str, Any], names: tuple[str, ...], settings: Any) -> Any:
    """Submit the benchmark and return its node."""
    from aiida_anial.cli.resolve import benchmark_subjects, launched
    from aiida_anial.data.nodes import loaded_code
    from aiida_anial.protocols.builder import benchmark_builder
    from aiida_anial.protocols.protocol import overridden

    settings = overridden(settings, options['settings'])
    subjects = benchmark_subjects(options['subject'], options['references'], pw_code=options['pw_code'])
    needs_worker = subjects.ensemble is not None or subjects.references or subjects.potentials
    worker = loaded_code(options['worker_code'], 'anial.train', '--worker-code') if needs_worker else None
    builder = benchmark_builder(subjects, names, settings, worker_code=worker, max_concurrent=options['max_concurrent'])
    return launched(builder)


def _print(node: Any, options: dict[str, Any]) -> None:
    """Print the results of the benchmark, and why any are missing.

    :raises AnialError: if it has no results, or is incomplete.
    """
    from aiida_anial.cli.tables import terminal_width
    from aiida_anial.properties.comparison.rendering import comparison_notes, comparison_records, comparison_text
    from aiida_anial.properties.comparison.table import comparison_table
    from aiida_anial.properties.figures.write import write_figures
    from aiida_anial.queries.benchmarks import compared_subjects, ensemble_lines

    subjects, reference = compared_subjects([node])
    why = why_incomplete(node)
    if not subjects:
        raise AnialError(
            f'benchmark {node.pk} has no results: {why}; submit it again to reuse the calculations that finished.'
        )
    rows = comparison_table(subjects, reference=reference)
    with paged():
        if options['as_json']:
            print_json(comparison_records(rows))
        else:
            click.echo(comparison_text(rows, width=terminal_width(wide=options['wide'])))
    for line in ensemble_lines(node):
        click.echo(line, err=True)
    for note in comparison_notes(subjects):
        click.echo(note, err=True)
    if options['plots'] is not None:
        for path in write_figures(subjects, options['plots']):
            click.echo(path, err=True)
    if not node.is_finished_ok:
        raise AnialError(f'benchmark {node.pk} is incomplete: {why}')
