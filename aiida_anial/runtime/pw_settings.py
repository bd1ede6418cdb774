"""Share the settings of ``pw.x`` among all labels.

:hook: ``BaseRestartWorkChain._wrap_bare_dict_inputs``
:changes: Parameters and settings that a ``PwBaseWorkChain`` leaves as they are go to its job as the same nodes.
:why: The work chain unwraps them into plain dictionaries and wraps them into two new nodes for each label.
:upstream: none found
:until: aiida-quantumespresso hands on the nodes that it does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import BaseRestartWorkChain, PortNamespace

__all__ = ('SharesSettings',)


class SharesSettings(BaseRestartWorkChain):
    """Hand unchanged ``parameters`` and ``settings`` of the namespace ``pw`` on as the nodes that they are."""

    def _wrap_bare_dict_inputs(self, port_namespace: PortNamespace, inputs: Mapping[str, Any]) -> Any:
        given = {name: self.inputs.pw[name] for name in ('parameters', 'settings') if name in self.inputs.pw}
        unchanged = {name: node for name, node in given.items() if node.get_dict() == inputs.get(name)}
        return super()._wrap_bare_dict_inputs(port_namespace, {**inputs, **unchanged})
