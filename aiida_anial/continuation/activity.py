"""Whether anything of a campaign is still alive."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import LinkType

from aiida_anial.common.errors import AnialError
from aiida_anial.data.states import ACTIVE

__all__ = ('check_ended',)

_CALLS = [LinkType.CALL_CALC.value, LinkType.CALL_WORK.value]

# More names would not help, and the sentence be endless.
_N_NAMED = 5


def check_ended(campaign: Any) -> None:
    """Refuse a campaign as long as a process of it is alive, which might yet add to what it has.

    :raises AnialError: with the names of such processes.
    """
    names = [] if campaign.is_terminated else [f'{campaign.process_label}<{campaign.pk}>']
    pks = [campaign.pk]
    while pks:
        query = orm.QueryBuilder().append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='caller')
        query.append(
            orm.ProcessNode,
            with_incoming='caller',
            edge_filters={'type': {'in': _CALLS}},
            project=['id', 'attributes.process_label', 'attributes.process_state'],
        )
        children = sorted(query.all())
        names += [f'{label}<{pk}>' for pk, label, state in children if state in ACTIVE]
        pks = [pk for pk, _, _ in children]
    if names:
        more = f' and {len(names) - _N_NAMED} more' if len(names) > _N_NAMED else ''
        raise AnialError(
            f'--continue-from: campaign {campaign.pk} is still active ({", ".join(names[:_N_NAMED])}{more}); '
            f'wait for it, or end it with `verdi process kill {names[0].split("<")[1].rstrip(">")}`.'
        )
