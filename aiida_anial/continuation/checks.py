"""Check that a campaign can be continued: it has ended, and the levels of theory agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm
from aiida.common import LinkType

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.protocols.reader import CampaignNodes
from aiida_anial.runtime.states import ACTIVE

__all__ = ('check_ended', 'check_theories', 'theory_of')

_CALLS = [LinkType.CALL_CALC.value, LinkType.CALL_WORK.value]

# Naming more processes would make the message too long.
_N_NAMED = 5


def check_ended(campaign: Any) -> None:
    """Refuse a campaign with active processes, which may still produce results.

    :raises AnialError: if there are active processes; the message names them.
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


def theory_of(inputs: CampaignInputs, nodes: CampaignNodes) -> LevelOfTheory:
    """Return the level of theory of the labels that a campaign with these inputs will compute.

    The version of ``pw.x`` and the functional are known only once a label is computed, and are left out.
    """
    return labeller_named(inputs.label.labeller).level_of_theory(inputs.label, nodes.labeller)


def check_theories(own: LevelOfTheory, others: Iterable[tuple[str, LevelOfTheory | None]]) -> None:
    """Refuse labels whose level of theory differs from that of the campaign that would train on them.

    :param own: level of theory of the labels that the campaign will compute.
    :param others: pairs of a name for messages, such as ``campaign 12``, and the level of theory of its labels.
    :raises AnialError: for the first that differs or is unknown.
    """
    named = list(others)
    functional = next((theory.functional for _, theory in named if theory is not None and theory.functional), None)
    for name, theory in named:
        if theory is None:
            raise AnialError(
                f'--mix-theory: the level of theory of {name} is unknown; give this option to train on it.'
            )
        # The functional is known from labels, not from settings.
        mine = own.model_copy(update={'functional': functional if theory.functional else None})
        if differences := mine.differences(theory):
            raise AnialError(
                f'--mix-theory: the labels of {name} have another level of theory ({"; ".join(differences)}); '
                'give this option to train on both.'
            )
