"""Calculations by pw.x that share their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import PortNamespace
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain as _PwBaseWorkChain

__all__ = ('PwBaseWorkChain',)


class PwBaseWorkChain(_PwBaseWorkChain):  # type: ignore[misc]
    """The work chain of aiida-quantumespresso; settings that it leaves as they are it hands on as the same nodes.

    Its own would make two nodes for each label that are the same for all.
    """

    def _wrap_bare_dict_inputs(self, port_namespace: PortNamespace, inputs: Mapping[str, Any]) -> Any:
        given = {name: self.inputs.pw[name] for name in ('parameters', 'settings') if name in self.inputs.pw}
        unchanged = {name: node for name, node in given.items() if node.get_dict() == inputs.get(name)}
        return super()._wrap_bare_dict_inputs(port_namespace, {**inputs, **unchanged})
