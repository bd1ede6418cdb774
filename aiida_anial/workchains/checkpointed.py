"""Work over as many jobs as the wall clock needs: sampling, training, properties from dynamics, and LAMMPS."""

from __future__ import annotations

from typing import Any, ClassVar

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

from aiida_anial.calculations.lammps import LammpsCalculation
from aiida_anial.calculations.property import PropertyCalculation
from aiida_anial.calculations.sample import SampleCalculation
from aiida_anial.calculations.train import TrainEnsembleCalculation
from aiida_anial.calculations.worker import validate_checkpoint
from aiida_anial.runtime.resuming import ResumingWorkChain

__all__ = ('CheckpointedWorkChain', 'LammpsWorkChain', 'PropertyWorkChain', 'SampleWorkChain', 'TrainWorkChain')


class CheckpointedWorkChain(ResumingWorkChain):
    """Run a job to its end, over as many jobs as its wall clock needs."""

    _process_class: type[CalcJob]
    _namespace: ClassVar[str]
    # Exit status from which on another run would end in the same way.
    _hopeless: ClassVar[int] = 410
    # Whether a job takes its outputs from an equal one.
    _cached: ClassVar[bool] = False

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace=cls._namespace, exclude=('parent_folder',))
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
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, self._namespace))

    def submit(self, *args: Any, **kwargs: Any) -> orm.ProcessNode:
        """Submit a job."""
        return super().submit(*args, cached=self._cached, **kwargs)

    def checkpoint_of(self, node: orm.CalcJobNode) -> orm.Data:
        """Return what a job continues from that an interrupted one left."""
        raise NotImplementedError

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
        self.ctx.inputs.parent_folder = self.checkpoint_of(node)
        self.report(f'{self.ctx.process_name}<{node.pk}> was interrupted; action taken: continue from its checkpoint')
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=400)
    def handle_hopeless(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """End with the reason that the job gives; another run would end in the same way."""
        if node.exit_status is None or node.exit_status < self._hopeless:
            return None
        self.report(f'{self.ctx.process_name}<{node.pk}> failed with exit status {node.exit_status}')
        return ProcessHandlerReport(do_break=True, exit_code=ExitCode(node.exit_status, node.exit_message))


class _WorkerWorkChain(CheckpointedWorkChain):
    """Run a job of ``anial-worker`` to its end; its checkpoint is among the retrieved files."""

    _namespace = 'worker'

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input(
            'checkpoint',
            valid_type=orm.FolderData,
            required=False,
            validator=validate_checkpoint,
            help='Checkpoint of a job of another work chain to continue from; a job with other inputs starts anew.',
        )

    def setup(self) -> None:
        """Take the inputs of the job into the context, with the checkpoint of another work chain if there is one."""
        super().setup()
        if 'checkpoint' in self.inputs:
            self.ctx.inputs.parent_folder = self.inputs.checkpoint

    def checkpoint_of(self, node: orm.CalcJobNode) -> orm.Data:
        """Return the retrieved files."""
        retrieved: orm.FolderData = node.outputs.retrieved
        return retrieved

    @process_handler(priority=450)
    def handle_foreign_checkpoint(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Start anew if the worker refuses the checkpoint of another work chain, which had other inputs."""
        given, used = (
            self.inputs.get('checkpoint'),
            node.inputs.parent_folder if 'parent_folder' in node.inputs else None,
        )
        if given is None or used is None or used.uuid != given.uuid or node.exit_status != self._hopeless:
            return None
        self.ctx.inputs.pop('parent_folder')
        self.report(f'{self.ctx.process_name}<{node.pk}> cannot use FolderData<{given.pk}>; action taken: start anew')
        return ProcessHandlerReport(do_break=True)


class SampleWorkChain(_WorkerWorkChain):
    """Run a batch of trajectories."""

    _process_class = SampleCalculation


class TrainWorkChain(_WorkerWorkChain):
    """Train an ensemble."""

    _process_class = TrainEnsembleCalculation


class PropertyWorkChain(_WorkerWorkChain):
    """Compute a property from dynamics."""

    _process_class = PropertyCalculation
    _cached = True


class LammpsWorkChain(CheckpointedWorkChain):
    """Run a dynamics in LAMMPS; its state and its frames may be large, so they stay where the jobs run."""

    _process_class = LammpsCalculation
    _namespace = 'lammps'
    # A time limit too short for what cannot be continued is too short again.
    _hopeless = 401
    _cached = True

    def checkpoint_of(self, node: orm.CalcJobNode) -> orm.Data:
        """Return the work directory."""
        folder: orm.RemoteData = node.outputs.remote_folder
        return folder
