"""The base class of all work chains of this package."""

from __future__ import annotations

from collections.abc import Callable

from aiida import orm

from aiida_anial.runtime.attached_outputs import ask_for_new_outputs_alone
from aiida_anial.runtime.kept_values import keep_values
from aiida_anial.runtime.killing import KillsChildren
from aiida_anial.runtime.launch_once import LaunchesOnce
from aiida_anial.runtime.linked_inputs import LinksInputs
from aiida_anial.runtime.lost_children import FindsLostChildren
from aiida_anial.runtime.pausing import PausesOnMachineFailure
from aiida_anial.runtime.polling import wake_jobs_at_changes
from aiida_anial.runtime.process_status import ShowsStage
from aiida_anial.runtime.rolling import WakesOnAnyChild
from aiida_anial.runtime.slots import granted, pool_of_campaign, pool_of_computer
from aiida_anial.runtime.stored_links import ask_for_links_directly
from aiida_anial.runtime.xml_schema import keep_schemas

__all__ = ('AnialWorkChain',)


class AnialWorkChain(
    LinksInputs,
    LaunchesOnce,
    PausesOnMachineFailure,
    FindsLostChildren,
    KillsChildren,
    WakesOnAnyChild,
    ShowsStage,
):
    """A work chain that survives what happens to the daemon, and that can keep a bounded number of children alive.

    An outline step sets ``ctx.stage``, in plain words, for the process status, and submits every child under a
    ``call_link_label`` of its own. A step that returns ``ToContext`` waits for all children, as in AiiDA. A step inside
    ``while_`` may instead keep slots filled: it calls ``ended`` for the children that have ended since, ``start`` for
    new ones and ``wait`` last, or ``fill`` for the latter two.
    """

    def init(self) -> None:
        """Prepare this process for many labels, whether the work chain is new or loaded from its checkpoint."""
        super().init()
        wake_jobs_at_changes()
        keep_schemas()
        ask_for_new_outputs_alone()
        ask_for_links_directly()
        keep_values()

    def fill(self, most: int, computer: orm.Computer | None, launch: Callable[[str], None]) -> None:
        """Launch what ``ctx.waiting`` names as far as there is room, and wait until there is more.

        :param most: how many calculations of the campaign may be alive at once, over all its work chains.
        :param computer: whose limit over all campaigns holds too; None: no limit.
        :param launch: submits the child of this name, and calls ``start``.
        """
        pools = [pool_of_campaign(self.node, most)]
        if computer is not None:
            pools.append(pool_of_computer(computer))
        with granted(self.node, pools, len(self.ctx.waiting)) as grant:
            for _ in range(grant.number):
                launch(self.ctx.waiting.pop(0))
        if computer is not None and pools[-1] in grant.full:
            self.ctx.stage += f', waiting for room on {computer.label}'
        self.wait(grant.awaited)
