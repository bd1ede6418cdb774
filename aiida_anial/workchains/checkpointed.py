"""Sampling and training over as many jobs as the wall clock needs."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import (
    CalcJob,
    ExitCode,
    ProcessHandlerReport,
    ProcessState,
    WorkChain,
    process_handler,
    while_,
)
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.calculations.sample import SampleCalculation
from aiida_anial.calculations.train import TrainEnsembleCalculation
from aiida_anial.calculations.worker import validate_checkpoint
from aiida_anial.runtime.resuming import ResumingWorkChain

__all__ = ('CheckpointedWorkChain', 'SampleWorkChain', 'TrainWorkChain')

_WORKER_FAILED = 410


class CheckpointedWorkChain(ResumingWorkChain):
    """Run a job of ``anial-worker`` to its end, over as many jobs as its wall clock needs."""

    _process_class: type[CalcJob]

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace='worker', exclude=('parent_folder',))
        spec.input(
            'checkpoint',
            valid_type=orm.FolderData,
            required=False,
            validator=validate_checkpoint,
            help='Checkpoint of a job of another work chain to continue from; a job with other inputs starts anew.',
        )
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
        cls.do_not_require_remote_folder(spec)

    def setup(self) -> None:
        """Take the inputs of the job into the context."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, 'worker'))
        if 'checkpoint' in self.inputs:
            self.ctx.inputs.parent_folder = self.inputs.checkpoint

    def on_terminated(self) -> None:
        """Clean the work directories, unless they may hold the only checkpoint of a job."""
        if self.state in (ProcessState.KILLED, ProcessState.EXCEPTED):
            WorkChain.on_terminated(self)
        else:
            super().on_terminated()

    @process_handler(priority=500)
    def handle_interrupted(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Continue from the checkpoint of a job that ended before it was done."""
        if node.exit_status != self._process_class.spec().exit_codes.ERROR_INTERRUPTED.status:
            return None
        self.ctx.inputs.parent_folder = node.outputs.retrieved
        self.report(f'{self.ctx.process_name}<{node.pk}> was interrupted; action taken: continue from its checkpoint')
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=450)
    def handle_foreign_checkpoint(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Start anew if the worker refuses the checkpoint of another work chain, which had other inputs."""
        given, used = (
            self.inputs.get('checkpoint'),
            node.inputs.parent_folder if 'parent_folder' in node.inputs else None,
        )
        if given is None or used is None or used.uuid != given.uuid or node.exit_status != _WORKER_FAILED:
            return None
        self.ctx.inputs.pop('parent_folder')
        self.report(f'{self.ctx.process_name}<{node.pk}> cannot use FolderData<{given.pk}>; action taken: start anew')
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=400)
    def handle_worker_failed(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """End with the reason that the worker gives; another run would end in the same way."""
        if node.exit_status is None or node.exit_status < _WORKER_FAILED:
            return None
        self.report(f'{self.ctx.process_name}<{node.pk}> failed with exit status {node.exit_status}')
        return ProcessHandlerReport(do_break=True, exit_code=ExitCode(node.exit_status, node.exit_message))


class SampleWorkChain(CheckpointedWorkChain):
    """Run a batch of trajectories."""

    _process_class = SampleCalculation


class TrainWorkChain(CheckpointedWorkChain):
    """Train an ensemble."""

    _process_class = TrainEnsembleCalculation
