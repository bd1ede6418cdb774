"""One active-learning iteration: cycles side by side, then one retraining on all labels."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, if_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.settings import CampaignSettings, ThresholdRule
from aiida_anial.calcfunctions.derive_seeds import derive_seeds
from aiida_anial.calcfunctions.next_thresholds import next_thresholds
from aiida_anial.calcfunctions.summarise_iteration import summarise_iteration
from aiida_anial.calculations.validate import ValidateCalculation
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator, validate_positive
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.sampling.settings import SamplingSettings, Thresholds
from aiida_anial.workchains.adopted import adopted, define_adopted_training
from aiida_anial.workchains.checkpointed import TrainWorkChain
from aiida_anial.workchains.cycle import CycleWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('AlIterationWorkChain',)


class AlIterationWorkChain(AnialWorkChain):
    """Sample and label in ``n_cycles`` cycles, test the old ensemble on the fresh labels, and retrain on all labels."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(CycleWorkChain, namespace='cycle', exclude=('cycle', 'number', 'adopted'))
        spec.input(
            'n_trajectories',
            valid_type=orm.Int,
            validator=validate_positive,
            help='Trajectories, shared evenly among the cycles.',
        )
        spec.input_namespace('shards', valid_type=DatasetData, dynamic=True, help='All labels so far.')
        spec.input(
            'threshold_rule',
            valid_type=orm.Dict,
            validator=settings_validator(ThresholdRule, 'thresholds'),
            help='How the thresholds of the next iteration follow from this one.',
        )
        spec.expose_inputs(ValidateCalculation, namespace='validate', exclude=('ensemble', 'shards'))
        spec.expose_inputs(
            TrainWorkChain, namespace='train', exclude=('checkpoint', 'worker.shards', 'worker.seed', 'worker.initial')
        )
        spec.input(
            'warm_start',
            valid_type=orm.Bool,
            default=lambda: orm.Bool(True),
            help='Whether the retraining starts from the weights of the old ensemble.',
        )
        spec.input_namespace('adopted', required=False, help='Results of the iteration that this one continues.')
        spec.input_namespace(
            'adopted.cycles',
            valid_type=orm.Data,
            dynamic=True,
            help='For each cycle the `number` of trajectories and its namespace `adopted`.',
        )
        spec.input('adopted.fresh_errors', valid_type=orm.Dict, required=False, help='Errors on the fresh labels.')
        define_adopted_training(spec, 'adopted.training')
        spec.outline(
            cls.run_cycles,
            cls.inspect_cycles,
            cls.take_over,
            if_(cls.should_run_training)(
                cls.run_training,
                cls.inspect_training,
            ),
            cls.set_thresholds,
        )
        spec.output('summary', valid_type=orm.Dict, help='Counts, median time to a stop, convergence.')
        spec.output('thresholds', valid_type=orm.Dict, help='Thresholds of the next iteration.')
        spec.output_namespace('shards', valid_type=DatasetData, dynamic=True, help='The fresh labels, by cycle.')
        spec.output('ensemble', valid_type=EnsembleData, required=False, help='The retrained networks.')
        spec.output('training', valid_type=orm.Dict, required=False, help='Summary of the retraining.')
        spec.output(
            'fresh_errors',
            valid_type=orm.Dict,
            required=False,
            help='Errors of the old ensemble on the fresh labels, beside its disagreement there.',
        )
        spec.exit_code(401, 'ERROR_CYCLES_FAILED', message='Every cycle failed; the last one: {reason}')
        spec.exit_code(402, 'ERROR_VALIDATION_FAILED', message='The errors on the fresh labels are missing: {reason}')
        spec.exit_code(403, 'ERROR_TRAINING_FAILED', message='The retraining failed: {reason}')

    def run_cycles(self) -> ToContext:
        """Launch all cycles, which share the slots for calculations of the campaign."""
        n_cycles = self._n_cycles
        done = adopted(self.inputs, 'adopted', 'cycles')
        dynamics = SamplingSettings.parse(self.inputs.cycle.sample.worker.settings.get_dict())
        compares = dynamics.compares(Thresholds.parse(self.inputs.cycle.thresholds.get_dict()))
        nodes = {}
        for cycle in range(n_cycles):
            inputs = AttributeDict(self.exposed_inputs(CycleWorkChain, 'cycle'))
            name = f'cycle_{cycle:02d}'
            inputs.cycle = orm.Int(cycle)
            if compares:
                inputs.sample.worker.shards = dict(self.inputs.shards)
            inputs.adopted = done.get(name, {})
            number = orm.Int(_share(self.inputs.n_trajectories.value, n_cycles, cycle))
            inputs.number = inputs.adopted.pop('number', number)
            inputs.metadata = {'call_link_label': name, 'label': f'cycle {cycle}'}
            nodes[name] = self.submit(CycleWorkChain, **inputs)
        self.ctx.cycles = [*nodes]
        self.ctx.stage = 'sampling and labelling'
        pks = ', '.join(f'CycleWorkChain<{node.pk}>' for node in nodes.values())
        self.report(f'iteration {self.inputs.cycle.iteration.value}: launching {pks}')
        return ToContext(**nodes)

    def inspect_cycles(self) -> ExitCode | None:
        """Attach the fresh labels; a failed cycle loses only its own."""
        nodes = {name: self.ctx[name] for name in self.ctx.cycles}
        for node in nodes.values():
            if not node.is_finished_ok:
                self.report(f'CycleWorkChain<{node.pk}> failed with exit status {node.exit_status}')
        outputs = {name: node.outputs for name, node in nodes.items() if 'table' in node.outputs}
        self.ctx.shards = {name: entry.dataset for name, entry in outputs.items() if 'dataset' in entry}
        self.out('shards', self.ctx.shards)
        failed = [node for node in nodes.values() if not node.is_finished_ok]
        if len(failed) == len(nodes):
            code: ExitCode = self.exit_codes.ERROR_CYCLES_FAILED
            return code.format(reason=reason(failed[-1]))
        summary = summarise_iteration(
            rule=self.inputs.threshold_rule,
            thresholds=self.inputs.cycle.thresholds,
            tables={name: entry.table for name, entry in outputs.items()},
            rejected={name: entry.rejected for name, entry in outputs.items() if 'rejected' in entry},
            datasets=self.ctx.shards,
        )
        self.out('summary', summary)
        values = summary.get_dict()
        self.report(
            f'{values["n_stopped"]} of {values["n_trajectories"]} trajectories stopped by disagreement, '
            f'median time {values["median_time_ps"]:.2f} ps, {values["n_labels"]} fresh labels, '
            f'{values["n_rejected"]} rejected'
        )
        return None

    def take_over(self) -> None:
        """Attach the errors and the ensemble if the iteration that this one continues has them."""
        done = adopted(self.inputs, 'adopted')
        training = done.get('training', {})
        found = {
            'fresh_errors': done.get('fresh_errors'),
            'ensemble': training.get('ensemble'),
            'training': training.get('summary'),
        }
        self.out_many({name: node for name, node in found.items() if node is not None})

    def should_run_training(self) -> bool:
        """Return whether there are fresh labels, and the retrained ensemble or the old one's errors are missing."""
        return bool(self.ctx.shards) and not {'fresh_errors', 'ensemble'} <= set(self.outputs)

    def run_training(self) -> ToContext:
        """Launch the retraining on all labels, and beside it the old ensemble on the fresh ones."""
        launched = {}
        if 'fresh_errors' not in self.outputs:
            launched['validation'] = self._submit_validation()
        if 'ensemble' not in self.outputs:
            launched['training'] = self._submit_training()
        self.ctx.stage = 'retraining' if 'training' in launched else 'errors on the fresh labels'
        pks = ', '.join(f'{node.process_label}<{node.pk}>' for node in launched.values())
        self.report(f'launching {pks}')
        return ToContext(**launched)

    def inspect_training(self) -> ExitCode | None:
        """Attach the retrained ensemble, and the errors of the old one on the fresh labels."""
        code: ExitCode | None = None
        for key, outputs, failure in (
            ('validation', {'fresh_errors': 'summary'}, 'ERROR_VALIDATION_FAILED'),
            ('training', {'ensemble': 'ensemble', 'training': 'summary'}, 'ERROR_TRAINING_FAILED'),
        ):
            node = self.ctx.get(key)
            if node is None:
                continue
            if node.is_finished_ok:
                self.out_many({ours: node.outputs[its] for ours, its in outputs.items()})
            else:
                self.report(f'{node.process_label}<{node.pk}> failed with exit status {node.exit_status}')
                code = self.exit_codes[failure].format(reason=reason(node))
        return code

    def set_thresholds(self) -> None:
        """Attach the thresholds of the next iteration."""
        found = {name: self.outputs[name] for name in ('training', 'fresh_errors') if name in self.outputs}
        rule, thresholds = self.inputs.threshold_rule, self.inputs.cycle.thresholds
        self.out('thresholds', next_thresholds(rule, thresholds, self.outputs['summary'], **found))

    def _submit_validation(self) -> Any:
        inputs = AttributeDict(self.exposed_inputs(ValidateCalculation, 'validate'))
        inputs.ensemble = self.inputs.cycle.ensemble
        inputs.shards = self.ctx.shards
        inputs.metadata.call_link_label = 'validate'
        return self.submit(ValidateCalculation, **inputs)

    def _submit_training(self) -> Any:
        iteration = self.inputs.cycle.iteration
        inputs = AttributeDict(self.exposed_inputs(TrainWorkChain, 'train'))
        fresh = {f'shard_{iteration.value:03d}_{name}': shard for name, shard in self.ctx.shards.items()}
        inputs.worker.shards = {**self.inputs.shards, **fresh}
        # Every cycle derives a training seed that it does not use; the retraining takes that of the first.
        inputs.worker.seed = derive_seeds(self.inputs.cycle.seed, iteration, orm.Int(0))['training']
        if self.inputs.warm_start.value:
            inputs.worker.initial = self.inputs.cycle.ensemble
        done = adopted(self.inputs, 'adopted', 'training')
        if 'checkpoint' in done:
            inputs.checkpoint = done['checkpoint']
        inputs.metadata.call_link_label = 'train'
        inputs.metadata.label = 'retraining'
        return self.submit(TrainWorkChain, **inputs)

    @property
    def _n_cycles(self) -> int:
        n_cycles = CampaignSettings.parse(self.inputs.cycle.campaign.get_dict()).n_cycles
        return max(n_cycles, len(adopted(self.inputs, 'adopted', 'cycles')))


def _share(total: int, parts: int, index: int) -> int:
    """Return the size of one of ``parts`` shares of ``total`` that differ by one at most."""
    return total // parts + (index < total % parts)
