"""``aiida-anial reproduce``."""

from __future__ import annotations

import sys
from typing import Any

import click

from aiida_anial.cli.completion import complete_codes
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import INTERRUPTED, FiniteRange, examples, json_option, print_json, wide_option
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.progress import working
from aiida_anial.common.errors import AnialError

__all__ = ('command',)

# The values of ``aiida_anial.reproduction.steps.StepKind``, repeated because that module loads AiiDA's engine.
_KINDS = ('function', 'evaluation', 'dynamics', 'training', 'dft')


@click.command('reproduce', epilog=examples('reproduce 1204', 'reproduce 31 --recursive --budget 600'))
@click.argument('pk')
@click.option('--recursive', is_flag=True, help='Run every step under a work chain again, each from its stored inputs.')
@click.option(
    '--budget',
    type=FiniteRange(min=0),
    metavar='SECONDS',
    help='With --recursive: limit the summed run time of the originals; some steps of every kind are chosen first.',
)
@click.option(
    '--kind', 'kinds', type=click.Choice(_KINDS), multiple=True, help='With --recursive: only this kind; repeatable.'
)
@click.option(
    '--pw-code',
    help='Code of pw.x instead of the original one: pk, UUID or LABEL@COMPUTER.',
    shell_complete=complete_codes,
)
@click.option('--worker-code', help='Code of anial-worker instead of the original one.', shell_complete=complete_codes)
@json_option
@wide_option
@profile_option()
def command(**options: Any) -> None:
    """Run the stored step PK (or UUID) again from the graph alone, and report the deviation of every output.

    PK is a process, or a data node, whose creator then runs again. The step runs in this terminal, without the daemon
    and without the cache. The new process is stored next to the original, whose UUID is in its extra `reproduces`.

    The exit status is 0 if every output is within the tolerance of its kind of step, and 1 otherwise.
    """
    from aiida_anial.cli.reproduction_tables import print_reproductions
    from aiida_anial.reproduction.reproduce import reproduce

    codes = _codes(options)
    selection = _selection(options)
    _check_codes(selection.chosen, codes)
    results: list[Any] = []
    is_interrupted = False
    try:
        for number, step in enumerate(selection.chosen, start=1):
            which = f'{number} of {len(selection.chosen)}: {step.process_label}<{step.pk}>'
            with working(which):
                results.append(result := reproduce(step, codes))
            click.echo(f'{which} {result.verdict}', err=True)
    except KeyboardInterrupt:
        is_interrupted = True
        click.echo(f'Interrupted after {len(results)} of {len(selection.chosen)} steps.', err=True)
    with paged():
        if options['as_json']:
            print_json(_record(results, selection, is_fine=_is_fine(results) and not is_interrupted))
        else:
            print_reproductions(results, selection.left_out, wide=options['wide'])
    if is_interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(0 if _is_fine(results) else 1)


def _check_codes(steps: Any, codes: Any) -> None:
    """Check that the codes of the steps can be used here, and that there is disk space.

    :raises AnialError: if one cannot.
    """
    from aiida_anial.cli.preflight import check_codes, check_disk
    from aiida_anial.reproduction.reproduce import codes_of
    from aiida_anial.reproduction.steps import StepKind, describe, kind_of

    for code, step in codes_of(steps, codes):
        option = '--pw-code' if kind_of(step) == StepKind.DFT else '--worker-code'
        try:
            check_codes([code])
        except AnialError as exception:
            why = str(exception).removesuffix('.')
            raise AnialError(
                f'PK: {describe(step)} needs the code {code.full_label}; {why}, or give another code with {option}.'
            ) from exception
    check_disk()


def _record(results: list[Any], selection: Any, *, is_fine: bool) -> dict[str, Any]:
    """Return the comparison as plain values."""
    left_out = [{'pk': step.pk, 'process': step.process_label, 'reason': why} for step, why in selection.left_out]
    return {'is_fine': is_fine, 'steps': [result.to_dict() for result in results], 'left_out': left_out}


def _is_fine(results: list[Any]) -> bool:
    return all(result.verdict.is_fine for result in results)


def _selection(options: dict[str, Any]) -> Any:
    """Return the steps to run again.

    :raises AnialError: if there are none, or the options contradict each other.
    """
    from aiida_anial.reproduction.reproduce import Selection, check_single, select
    from aiida_anial.reproduction.steps import StepKind, describe, kind_of, load_step, obstacle, steps_under

    step = load_step(options['pk'])
    if not options['recursive']:
        for name in ('budget', 'kinds'):
            if options[name]:
                raise AnialError(f'--{name.removesuffix("s")}: needs --recursive; a single step is always run.')
        check_single(step)
        return Selection((step,), ())
    if (reason := obstacle(step)) is not None:
        raise AnialError(f'PK: {describe(step)} cannot be reproduced: {reason}.')
    kinds = [StepKind(kind) for kind in options['kinds']]
    steps = steps_under(step) if kind_of(step) == StepKind.ORCHESTRATION else (step,)
    selection = select(steps, kinds=kinds, budget_s=options['budget'])
    if not selection.chosen:
        reasons = '; '.join(dict.fromkeys(why for _, why in selection.left_out)) or 'there are none of that kind'
        raise AnialError(f'PK: no step of {describe(step)} can be reproduced: {reasons}.')
    return selection


def _codes(options: dict[str, Any]) -> Any:
    """Return the codes that replace the original ones."""
    from aiida_anial.data.nodes import loaded_code
    from aiida_anial.reproduction.reproduce import Codes

    plugins = {'pw': 'quantumespresso.pw', 'worker': 'anial.train'}
    given = {name: options[f'{name}_code'] for name in plugins}
    return Codes(
        **{
            name: loaded_code(identifier, plugins[name], f'--{name}-code')
            for name, identifier in given.items()
            if identifier is not None
        }
    )
