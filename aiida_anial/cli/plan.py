"""``aiida-anial plan``: what a campaign will cost, before anything is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_anial.cli.campaign_options import campaign_options
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import FiniteRange, examples, json_option, print_json
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.progress import working

if TYPE_CHECKING:
    from aiida_anial.active_learning.forecast import Forecast

__all__ = ('command',)

_HOUR_S = 3600
# Iterations that the table shows, evenly spaced.
_ROWS = 6


@click.command('plan', epilog=examples('plan --protocol laptop', 'plan mine.yaml --protocol paper --label-seconds 600'))
@campaign_options
@click.option(
    '--label-seconds',
    type=FiniteRange(min=0, min_open=True),
    help='Seconds that one label takes; without it a few are timed on this machine.',
)
@json_option
@profile_option()
def command(*, label_seconds: float | None, as_json: bool, **options: Any) -> None:
    """Print the labels, hours, disk space and memory of a campaign from a protocol and a YAML file of OVERRIDES.

    The speed is that of an earlier campaign of the profile with the same settings of labels, cells, model and engine,
    or else that of a few labels and steps, which are timed on this machine and not stored.
    """
    from aiida_anial.active_learning.forecast import forecast, memory_mib
    from aiida_anial.cli.advice import say_advice, unusual
    from aiida_anial.cli.plan_speed import find_speed
    from aiida_anial.cli.resolve import resolve_inputs, resolve_nodes

    nodes, inputs = resolve_nodes(options, resolve_inputs(options))
    with working('timing a few labels, dynamics and training, which takes a minute or two'):
        basis = find_speed(inputs, nodes, label_seconds=label_seconds)
    course = forecast(inputs, basis.speed)
    assumptions = [*basis.assumptions, 'all iterations are used, and all trainings take all their steps']
    if inputs.benchmark.properties != 'none':
        assumptions.append('the benchmarks of the iterations cost nothing')
    memory = memory_mib(inputs, basis.label_memory_mib)
    with paged():
        if as_json:
            print_json(_record(course, memory, assumptions) | {'unusual': unusual(inputs, options)})
            return
        for line in _lines(course, memory, assumptions):
            click.echo(line)
    say_advice(inputs, options)


def _record(course: Forecast, memory: float, assumptions: list[str]) -> dict[str, Any]:
    """Return the plan as plain values."""
    return {
        'n_labels': course.n_labels,
        'hours': {kind: seconds / _HOUR_S for kind, seconds in course.seconds.items()},
        'total_hours': sum(course.seconds.values()) / _HOUR_S,
        'disk_mib': course.disk_mib,
        'memory_mib': memory,
        'assumptions': assumptions,
        'iterations': [
            {'iteration': index, 'n_labels': n_labels, 'end_hours': seconds / _HOUR_S}
            for index, n_labels, seconds in course.ends()
        ],
    }


def _lines(course: Forecast, memory: float, assumptions: list[str]) -> list[str]:
    """Return the plan in words."""
    from aiida_anial.queries.campaign_words import duration

    parts = sorted(course.seconds.items(), key=lambda item: -item[1])
    ends = list(course.ends())
    step = max(-(-(len(ends) - 1) // _ROWS), 1)
    return [
        f'{course.n_labels} labels in {duration(sum(course.seconds.values()))}: '
        f'{", ".join(f"{kind} {duration(seconds)}" for kind, seconds in parts)}.',
        *(
            f'  iteration {index:2d} ends after {duration(seconds):>10} with {n_labels} labels'
            for index, n_labels, seconds in [*ends[:-1:step], ends[-1]]
        ),
        *([f'  final training        {duration(course.final_s):>10}'] if course.final_s else []),
        f'Disk: about {course.disk_mib:.0f} MiB. Memory: at most {memory / 1024:.1f} GiB.',
        *(f'Assumed: {one}.' for one in assumptions),
    ]
