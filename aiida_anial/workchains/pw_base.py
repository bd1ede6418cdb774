"""Calculations by pw.x that share their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, PortNamespace, ProcessHandlerReport, process_handler
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain as _PwBaseWorkChain

from aiida_anial.runtime.resuming import ResumingWorkChain

__all__ = ('PwBaseWorkChain',)

_ARRAYS = ('energy', 'forces', 'stress')


class PwBaseWorkChain(ResumingWorkChain, _PwBaseWorkChain):  # type: ignore[misc]
    """The work chain of aiida-quantumespresso; settings that it leaves as they are it hands on as the same nodes.

    Its own would make two nodes for each label that are the same for all.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.outputs['remote_folder'].required = False
        spec.exit_code(510, 'ERROR_NOT_FINITE', message='pw.x gave {name} that are not finite, twice.')

    @process_handler(priority=700, exit_codes=ExitCode(0))
    def sanity_check_finite(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Run a calculation once more whose energy, forces or stress are no numbers, although it says that all is well.

        It is the machine more often than the physics that leaves them so.
        """
        link = calculation.base.links.get_outgoing(link_label_filter='output_trajectory').first()
        trajectory: Any = link.node if link else orm.ArrayData()
        names = [name for name in _ARRAYS if name in trajectory.get_arraynames()]
        wrong = next((name for name in names if not np.isfinite(trajectory.get_array(name)).all()), None)
        if wrong is None:
            return None
        if self.ctx.get('was_not_finite'):
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NOT_FINITE.format(name=wrong))
        self.ctx.was_not_finite = True
        self.report_error_handled(calculation, f'{wrong} is not finite; run it again')
        return ProcessHandlerReport(True)

    def _wrap_bare_dict_inputs(self, port_namespace: PortNamespace, inputs: Mapping[str, Any]) -> Any:
        given = {name: self.inputs.pw[name] for name in ('parameters', 'settings') if name in self.inputs.pw}
        unchanged = {name: node for name, node in given.items() if node.get_dict() == inputs.get(name)}
        return super()._wrap_bare_dict_inputs(port_namespace, {**inputs, **unchanged})
