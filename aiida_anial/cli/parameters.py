"""Types of values on the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from aiida_anial.common.errors import AnialError

__all__ = ('INTERRUPTED', 'WIDE', 'FiniteRange', 'examples', 'json_option', 'refuse_together', 'tell')

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C or SIGTERM ended."""

WIDE: Final = 'Show all columns and whole texts, whatever the width of the terminal.'
"""Help of the option ``--wide``."""


json_option = click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
"""Option for a command whose output programs may read; messages go to the standard error."""


def tell(text: str, record: Mapping[str, Any] | Sequence[Any], *, as_json: bool) -> None:
    """Print what a command has done.

    :param text: in words.
    :param record: for programs.
    """
    click.echo(json.dumps(record, indent=2) if as_json else text)


def examples(*commands: str) -> str:
    """Return the end of a help text with examples, which click must not reflow."""
    return '\b\n' + '\n'.join(['Examples:', *(f'aiida-anial {command}' for command in commands)])


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
