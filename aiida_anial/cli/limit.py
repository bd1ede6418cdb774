"""``aiida-anial limit``."""

from __future__ import annotations

import click

from aiida_anial.cli.completion import complete_computers
from aiida_anial.cli.parameters import examples, print_json
from aiida_anial.cli.profile import profile_option
from aiida_anial.common.errors import AnialError

__all__ = ('command',)


@click.command('limit', epilog=examples('limit', 'limit cluster 40', 'limit cluster --none'))
@click.argument('computer', required=False, shell_complete=complete_computers)
@click.argument('number', required=False, type=click.IntRange(min=1))
@click.option('--none', 'unlimited', is_flag=True, help='Remove the limit of COMPUTER.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON list.')
@profile_option()
def command(computer: str | None, number: int | None, *, unlimited: bool, as_json: bool) -> None:
    """Limit the pw.x calculations on COMPUTER to NUMBER at a time, over all campaigns of the profile.

    A campaign that starts later gets its share as calculations finish. Lowering the limit does not stop running
    calculations. Without NUMBER, the command prints the limits and the number of active calculations.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_anial.runtime.slots import LIMIT, held_slots, pool_of_computer

    if number is not None and unlimited:
        raise AnialError('--none: give either NUMBER or this option.')
    try:
        found = [orm.load_computer(computer)] if computer else orm.Computer.collection.all()
    except NotExistent as exception:
        raise AnialError(f'COMPUTER: there is no computer {computer!r}; see `verdi computer list`.') from exception
    if unlimited and computer is None:
        raise AnialError('COMPUTER: name the computer whose limit to remove.')
    if unlimited:
        found[0].delete_property(LIMIT, raise_exception=False)
    elif number is not None:
        found[0].set_property(LIMIT, number)
    limits = [
        {
            'computer': one.label,
            'limit': one.get_property(LIMIT, None),
            'n_active': sum(map(len, held_slots(pool_of_computer(one)).values())),
        }
        for one in found
    ]
    if as_json:
        print_json(limits)
        return
    for row in limits:
        bound = 'no limit' if row['limit'] is None else f'at most {row["limit"]}'
        click.echo(f'{row["computer"]}: {bound}, {row["n_active"]} active')
