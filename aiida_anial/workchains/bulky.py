"""A work chain with hundreds or thousands of inputs."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from aiida.engine import WorkChain
from plumpy.persistence import LoadSaveContext
from plumpy.processes import BundleKeys

from aiida_anial.calcfunctions.many_inputs import WorkChainNodeOfMany

__all__ = ('BulkyWorkChain',)


class BulkyWorkChain(WorkChain):
    """Write the inputs down once, where AiiDA does so twice for each checkpoint.

    A checkpoint is written two or three times for each child: with a thousand inputs that would cost as much as the
    child. The inputs as they were given, without defaults, are left out: they matter as the node is made, and no more.
    """

    _node_class = WorkChainNodeOfMany

    # Not part of a checkpoint.
    _encoded_inputs: str | None = None

    def encode_input_args(self, inputs: Any) -> str:
        """Return inputs or outputs as text; the inputs do not change."""
        if inputs is self._raw_inputs:
            return ''
        if inputs is not self._parsed_inputs:
            return super().encode_input_args(inputs)
        if self._encoded_inputs is None:
            self._encoded_inputs = super().encode_input_args(inputs)
        return self._encoded_inputs

    def save_instance_state(self, out_state: MutableMapping[str, Any], save_context: LoadSaveContext | None) -> None:
        """Save what a restarted daemon needs."""
        super().save_instance_state(out_state, save_context)  # type: ignore[no-untyped-call]
        out_state.pop(BundleKeys.INPUTS_RAW, None)
