"""Types of values on the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import click

from aiida_anial.common.errors import AnialError
from aiida_anial.common.examples import example_lines

__all__ = ('INTERRUPTED', 'FiniteRange', 'examples', 'json_option', 'print_json', 'refuse_together', 'wide_option')

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C or SIGTERM ended."""

json_option: Final = click.option('--json', 'as_json', is_flag=True, help='Print one JSON object.')
"""The option ``--json`` of commands whose result is one object."""

wide_option: Final = click.option(
    '--wide', is_flag=True, help='Show all columns and whole texts, whatever the width of the terminal.'
)
"""The option ``--wide`` of commands that print tables."""


def print_json(value: Any) -> None:
    """Print a value as JSON to the standard output."""
    click.echo(json.dumps(value, indent=2))


def examples(*commands: str) -> str:
    """Return the end of a help text with examples of ``aiida-anial``."""
    return example_lines('aiida-anial', *commands)


def refuse_together(options: Mapping[str, Any], *names: str) -> None:
    """Refuse options that say different things.

    :param options: what click gives to a command.
    :param names: keys of options of which at most one may be given.
    :raises AnialError: if two of them are given; with their names on the command line.
    """
    given = [name for name in names if options[name]]
    if len(given) < 2:
        return
    command = click.get_current_context().command
    flags = {parameter.name: parameter.opts[0] for parameter in command.params}
    raise AnialError(f'{flags[given[1]]}: contradicts {flags[given[0]]}; leave out one of them.')


class FiniteRange(click.FloatRange):
    """A number within a range. Click's own type takes NaN for a number in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f'{number} is not a finite number.', param, ctx)
        return number
