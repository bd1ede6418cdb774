"""Jobs that go on after their wall clock has ended them."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, CalcJob, ExitCode, ProcessHandlerReport, process_handler, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

__all__ = ('CheckpointedWorkChain',)


class CheckpointedWorkChain(BaseRestartWorkChain):
    """Run a job of ``anial-worker`` to its end, over as many jobs as its wall clock needs."""

    _process_class: type[CalcJob]

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace='worker', exclude=('parent_folder',))
        spec.inputs['max_iterations'].default = lambda: orm.Int(100)
        spec.inputs['clean_workdir'].default = lambda: orm.Bool(True)
        spec.inputs['on_unhandled_failure'].default = lambda: orm.Str('restart_once')
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )
        spec.expose_outputs(cls._process_class)

    def setup(self) -> None:
        """Take the inputs of the job into the context."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, 'worker'))

    @process_handler(priority=500)
    def handle_interrupted(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Continue from the checkpoint of a job that ended before it was done."""
        if node.exit_status != self._process_class.spec().exit_codes.ERROR_INTERRUPTED.status:
            return None
        self.ctx.inputs.parent_folder = node.outputs.retrieved
        self.report(f'{self.ctx.process_name}<{node.pk}> was interrupted; action taken: continue from its checkpoint')
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=400)
    def handle_worker_failed(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """End with the worker's own reason, which running it again would not change."""
        if node.exit_status is None or node.exit_status < 410:
            return None
        self.report(f'{self.ctx.process_name}<{node.pk}> failed with exit status {node.exit_status}')
        return ProcessHandlerReport(do_break=True, exit_code=ExitCode(node.exit_status, node.exit_message))
