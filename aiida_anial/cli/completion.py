"""What a shell offers for the values of arguments and options; whatever fails, it offers nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

__all__ = ('complete_ensembles', 'complete_list', 'complete_processes')

# The newest ones; nobody reads longer lists.
_MOST: Final = 20

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_processes(*labels: str) -> Completion:
    """Return a function that offers the newest processes with these labels."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from aiida import orm

        query = orm.QueryBuilder()
        filters = {'attributes.process_label': {'in': list(labels)}} if labels else {}
        state = 'attributes.process_state'
        query.append(
            orm.WorkChainNode, filters=filters, project=['id', 'attributes.process_label', state, 'label'], tag='one'
        )
        rows = query.order_by({'one': {'id': 'desc'}}).all()
        found = [(str(pk), f'{label or name}, {state}') for pk, name, state, label in rows]
        return _matching(found, incomplete)

    return _quietly(complete)


def _ensembles(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from aiida import orm

    from aiida_anial.data.ensemble import EnsembleData
    from aiida_anial.potential.packaged import names

    query = orm.QueryBuilder()
    query.append(EnsembleData, project=['id', 'label', 'ctime'], tag='one')
    rows = query.order_by({'one': {'id': 'desc'}}).all()
    found = [(name, 'comes with the package') for name in names()]
    found += [(str(pk), label or f'of {created:%Y-%m-%d %H:%M}') for pk, label, created in rows]
    return _matching(found, incomplete)


def complete_list(values: Callable[[], Sequence[str]]) -> Completion:
    """Return a function that offers values for a comma-separated list.

    :param values: returns all values.
    """

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(',')
        left = [value for value in values() if value not in before.split(',')]
        return [CompletionItem(f'{before}{comma}{value}') for value in left if value.startswith(last)]

    return complete


def _matching(found: Sequence[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    items = [CompletionItem(value, help=text) for value, text in found if value.startswith(incomplete)]
    return items[:_MOST]


def _quietly(complete: Completion) -> Completion:
    """Load the profile of the command line, and offer nothing if anything fails."""

    def run(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with suppress(Exception):
            from aiida import load_profile

            load_profile(_profile())
            return complete(ctx, parameter, incomplete)
        return []

    return run


def _profile() -> Any:
    """Return the name of the profile on the command line that the shell completes; None if there is none."""
    words = shlex.split(os.environ.get('COMP_WORDS', ''))
    named = [after for word, after in pairwise(words) if word in ('-p', '--profile')]
    return named[-1] if named else None


complete_ensembles = _quietly(_ensembles)
"""Offers the newest ensembles, and the potentials of the package."""
