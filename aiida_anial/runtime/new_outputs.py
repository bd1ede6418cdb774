"""Do not ask the database for outputs that a work chain does not have.

:hook: ``Process.update_outputs``
:changes: Nothing is asked while a work chain has no output.
:why: AiiDA asks the database at each change of state which outputs it holds.
:upstream: UPSTREAM_new_outputs
:until: AiiDA remembers which outputs it has stored.
"""

from __future__ import annotations

from aiida.engine import WorkChain

__all__ = ('StoresNewOutputs',)


class StoresNewOutputs(WorkChain):
    """Store outputs when there are any."""

    def update_outputs(self) -> None:
        """Store new outputs."""
        if self.outputs:
            super().update_outputs()
