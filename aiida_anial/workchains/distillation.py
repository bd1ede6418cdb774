"""Distil an ensemble into fewer networks, which learn from its energies and forces without further DFT."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.calculations.label_frames import LabelFramesCalculation
from aiida_anial.calculations.validate import ValidateCalculation
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.workchains.checkpointed import TrainWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('DistillationWorkChain',)


class DistillationWorkChain(AnialWorkChain):
    """Label frames of trajectories by an ensemble, train networks on them, and test these on other trajectories."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('ensemble', valid_type=EnsembleData, help='The ensemble to learn from.')
        spec.input('seed', valid_type=orm.Int, help='Seed of the draw, of the weights and of the batches.')
        spec.expose_inputs(LabelFramesCalculation, namespace='label', exclude=('ensemble', 'seed'))
        spec.expose_inputs(
            TrainWorkChain, namespace='train', exclude=('checkpoint', 'worker.shards', 'worker.seed', 'worker.initial')
        )
        spec.expose_inputs(ValidateCalculation, namespace='validate', exclude=('ensemble', 'shards'))
        spec.outline(
            cls.run_labels,
            cls.inspect_labels,
            cls.run_training,
            cls.inspect_training,
            cls.run_validation,
            cls.inspect_validation,
        )
        spec.expose_outputs(LabelFramesCalculation, include=('learn', 'test', 'rejected'))
        for name in ('learn', 'test', 'rejected'):
            spec.outputs[name].required = False
        spec.output('ensemble', valid_type=EnsembleData, required=False, help='The networks that have learned.')
        spec.output('training', valid_type=orm.Dict, required=False, help='Summary of their training.')
        spec.output(
            'errors', valid_type=orm.Dict, required=False, help='Their errors, against the ensemble, on `test`.'
        )
        spec.exit_code(401, 'ERROR_LABELLING_FAILED', message='The ensemble could not label the frames: {reason}')
        spec.exit_code(402, 'ERROR_TRAINING_FAILED', message='The training failed: {reason}')
        spec.exit_code(403, 'ERROR_VALIDATION_FAILED', message='The errors on other trajectories are missing: {reason}')

    def run_labels(self) -> ToContext:
        """Let the ensemble label frames to learn from, and others to test on."""
        inputs = AttributeDict(self.exposed_inputs(LabelFramesCalculation, 'label'))
        inputs.update(ensemble=self.inputs.ensemble, seed=self.inputs.seed)
        inputs.metadata.call_link_label = 'label'
        self.ctx.stage = f'labelling frames of {len(inputs.trajectories)} trajectories'
        return ToContext(label=self.submit(LabelFramesCalculation, **inputs))

    def inspect_labels(self) -> ExitCode | None:
        """Attach the labels."""
        node = self.ctx.label
        if not node.is_finished_ok:
            return self._failed('ERROR_LABELLING_FAILED', node)
        self.out_many({name: node.outputs[name] for name in ('learn', 'test', 'rejected')})
        return None

    def run_training(self) -> ToContext:
        """Train on the labels."""
        inputs = AttributeDict(self.exposed_inputs(TrainWorkChain, 'train'))
        inputs.worker.shards = {'learn': self.ctx.label.outputs.learn}
        inputs.worker.seed = self.inputs.seed
        inputs.metadata.update(call_link_label='train', label='distillation')
        self.ctx.stage = 'training'
        return ToContext(train=self.submit(TrainWorkChain, **inputs))

    def inspect_training(self) -> ExitCode | None:
        """Attach the networks."""
        node = self.ctx.train
        if not node.is_finished_ok:
            return self._failed('ERROR_TRAINING_FAILED', node)
        self.out('ensemble', node.outputs.ensemble)
        self.out('training', node.outputs.summary)
        return None

    def run_validation(self) -> ToContext:
        """Compare the networks with the ensemble on the other trajectories."""
        inputs = AttributeDict(self.exposed_inputs(ValidateCalculation, 'validate'))
        inputs.ensemble = self.ctx.train.outputs.ensemble
        inputs.shards = {'test': self.ctx.label.outputs.test}
        inputs.metadata.call_link_label = 'validate'
        self.ctx.stage = 'testing'
        return ToContext(validate=self.submit(ValidateCalculation, **inputs))

    def inspect_validation(self) -> ExitCode | None:
        """Attach the errors."""
        node = self.ctx.validate
        if not node.is_finished_ok:
            return self._failed('ERROR_VALIDATION_FAILED', node)
        self.out('errors', node.outputs.summary)
        return None

    def _failed(self, label: str, node: Any) -> ExitCode:
        self.report(f'{node.process_label}<{node.pk}> failed with exit status {node.exit_status}')
        code: ExitCode = self.exit_codes[label]
        return code.format(reason=reason(node))
