"""Whether a campaign may be continued: it has ended, and the levels of theory agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm
from aiida.common import LinkType

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.nodes import ACTIVE
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.protocols.reader import CampaignNodes

__all__ = ('check_ended', 'check_theories', 'theory_of')

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


def theory_of(inputs: CampaignInputs, nodes: CampaignNodes) -> LevelOfTheory:
    """Return the level of theory of the labels that a campaign with these inputs will make.

    The version of ``pw.x`` and the functional, which follows from the pseudopotential, are known when a label is done.
    """
    return labeller_named(inputs.label.labeller).level_of_theory(inputs.label, nodes.labeller)


def check_theories(own: LevelOfTheory, others: Iterable[tuple[str, LevelOfTheory | None]]) -> None:
    """Refuse labels that are not of the level of theory of the campaign that is to train on them.

    :param own: that of the labels to come.
    :param others: a name for messages, such as ``campaign 12``, and what its labels were computed with.
    :raises AnialError: for the first that differs, or is not known.
    """
    named = list(others)
    functional = next((theory.functional for _, theory in named if theory is not None and theory.functional), None)
    for name, theory in named:
        if theory is None:
            raise AnialError(
                f'--mix-theory: the level of theory of {name} is unknown; give this option to train on it.'
            )
        # Only labels know their functional for certain, not settings.
        mine = own.model_copy(update={'functional': functional if theory.functional else None})
        if differences := mine.differences(theory):
            raise AnialError(
                f'--mix-theory: the labels of {name} are of another level of theory ({"; ".join(differences)}); '
                'give this option to train on both.'
            )
