"""Completion by the shell: ``aiida-anial completion``, and what commands suggest for their values.

Each function has the signature that click gives to ``shell_complete``. While the shell completes, errors are silent
(see ``aiida_anial.cli.entry``): a list that cannot be made is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from aiida_anial.cli.parameters import examples

__all__ = (
    'COMPLETE_VARIABLE',
    'command',
    'complete_campaigns',
    'complete_codes',
    'complete_columns',
    'complete_computers',
    'complete_ensembles',
    'complete_properties',
    'complete_protocols',
    'complete_sort',
)

COMPLETE_VARIABLE: Final = '_AIIDA_ANIAL_COMPLETE'
"""Variable of the environment by which the shell asks for completions; click derives it from the program's name."""

_PROGRAM: Final = 'aiida-anial'
# The newest nodes that are suggested.
_NEWEST: Final = 20
_CAMPAIGN: Final = {'attributes.process_label': 'ActiveLearningWorkChain'}
_ENSEMBLE: Final = {'node_type': {'like': 'data.anial.ensemble.%'}}

Completed = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Completed]


@click.command(
    'completion',
    epilog=examples('completion bash > ~/.local/share/bash-completion/completions/aiida-anial', 'completion zsh'),
)
@click.argument('shell', type=click.Choice(['bash', 'zsh', 'fish']))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, options, and campaigns, ensembles and other values."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, _PROGRAM, COMPLETE_VARIABLE).source())


def _silent(function: Complete) -> Complete:
    """Make a completion empty where it fails, such as for a profile whose database does not answer."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:
        with suppress(Exception):
            return function(ctx, parameter, incomplete)
        return []

    return complete


def _matching(values: Iterable[str], incomplete: str) -> Completed:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _listed(values: Iterable[str], incomplete: str) -> Completed:
    """Complete the last of comma-separated values."""
    before, comma, last = incomplete.rpartition(',')
    given = before.split(',')
    return _matching((before + comma + value for value in values if value not in given), before + comma + last)


def _query() -> Any:
    """Return an empty query of the profile that the line names, or of the default one."""
    from aiida import load_profile, orm
    from aiida.manage import get_manager

    if get_manager().get_profile() is None:
        load_profile()
    return orm.QueryBuilder()


def _nodes(entity: Any, filters: dict[str, Any], incomplete: str) -> Completed:
    """Return the newest nodes by their pks with their labels as help, or by their labels where one is begun."""
    query = _query().append(entity, filters=filters, project=['id', 'label', 'ctime'], tag='node')
    query.order_by({'node': [{'id': 'desc'}]}).limit(_NEWEST)
    found = query.all()
    items = [
        CompletionItem(str(pk), help=f'{label or "no label"}, {created:%Y-%m-%d %H:%M}') for pk, label, created in found
    ]
    labels = [CompletionItem(label, help=f'pk {pk}') for pk, label, _ in found if label and incomplete]
    return [item for item in (*items, *labels) if item.value.startswith(incomplete)]


@_silent
def complete_campaigns(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return campaigns."""
    from aiida import orm

    return _nodes(orm.WorkChainNode, _CAMPAIGN, incomplete)


@_silent
def complete_ensembles(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return potentials of the package, and ensembles; where none matches, the shell completes the name of a file."""
    from aiida import orm

    from aiida_anial.potential.packaged import names

    found = [*_matching(names(), incomplete), *_nodes(orm.Data, _ENSEMBLE, incomplete)]
    return found or [CompletionItem(incomplete, type='file')]


@_silent
def complete_codes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return codes as LABEL@COMPUTER."""
    from aiida import orm

    query = _query().append(orm.Computer, project='label', tag='computer')
    query.append(orm.InstalledCode, with_computer='computer', project='label')
    return _matching(sorted(f'{code}@{computer}' for computer, code in query.all()), incomplete)


@_silent
def complete_computers(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return computers."""
    from aiida import orm

    return _matching(_query().append(orm.Computer, project='label').all(flat=True), incomplete)


@_silent
def complete_properties(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return comma-separated properties."""
    from aiida_anial.properties.registry import PROPERTIES

    return _listed(PROPERTIES, incomplete)


@_silent
def complete_protocols(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return protocols."""
    from aiida_anial.protocols.protocol import protocols

    return _matching(protocols(), incomplete)


@_silent
def complete_columns(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return comma-separated columns of the kind of records that the command is about."""
    from aiida_anial.queries.kinds import KINDS

    return _listed((column.name for column in KINDS[str(ctx.info_name)].columns), incomplete)


@_silent
def complete_sort(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Completed:  # noqa: ARG001
    """Return columns to sort by; after a minus sign, click expects an option."""
    from aiida_anial.queries.kinds import KINDS

    return _matching((column.name for column in KINDS[str(ctx.info_name)].searchable), incomplete)
