"""A calculation by pw.x that is run again until it ends well."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessHandlerReport, process_handler
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain as _PwBaseWorkChain

from aiida_anial.runtime.pw_settings import SharesSettings
from aiida_anial.runtime.resuming import ResumingWorkChain

__all__ = ('PwBaseWorkChain',)

_ARRAYS = ('energy', 'forces', 'stress')


class PwBaseWorkChain(ResumingWorkChain, SharesSettings, _PwBaseWorkChain):  # type: ignore[misc]
    """The work chain of aiida-quantumespresso, which resumes jobs that died and refuses numbers that are not finite."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        cls.do_not_require_remote_folder(spec)
        spec.exit_code(510, 'ERROR_NOT_FINITE', message='pw.x gave {name} that are not finite, twice.')

    @process_handler(priority=700, exit_codes=ExitCode(0))
    def sanity_check_finite(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Run a finished calculation once more if its energy, forces or stress are not finite.

        The machine is the cause more often than the physics.
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
