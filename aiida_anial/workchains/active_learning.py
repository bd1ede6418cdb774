"""A campaign: random cells, labels, a first ensemble, and iterations until it has converged."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.settings import CampaignInputs, CampaignSettings
from aiida_anial.calcfunctions.derive_seeds import derive_seeds
from aiida_anial.calcfunctions.generate_cells import generate_cells
from aiida_anial.calcfunctions.initial_thresholds import initial_thresholds
from aiida_anial.calcfunctions.lengthen_schedules import lengthen_schedules
from aiida_anial.calcfunctions.renew_thresholds import renew_thresholds
from aiida_anial.calcfunctions.summarise_campaign import summarise_campaign
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.workchains.adopted import adopted, define_adopted_labels, define_adopted_training
from aiida_anial.workchains.benchmark import BenchmarkWorkChain
from aiida_anial.workchains.checkpointed import TrainWorkChain
from aiida_anial.workchains.iteration import AlIterationWorkChain
from aiida_anial.workchains.label import LabelWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('ActiveLearningWorkChain',)

_INITIAL_SHARD = 'shard_000'


class ActiveLearningWorkChain(AnialWorkChain):
    """Build a potential by active learning (Smith et al., Nat. Commun. 12, 1257 (2021), II.B)."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            AlIterationWorkChain,
            exclude=(
                *('adopted', 'shards', 'n_trajectories', 'train.worker.settings'),
                *('cycle.iteration', 'cycle.ensemble', 'cycle.thresholds', 'cycle.seed', 'cycle.campaign'),
            ),
        )
        spec.input('seed', valid_type=orm.Int, help='Every random draw of the campaign follows from it.')
        spec.input(
            'campaign',
            valid_type=orm.Dict,
            validator=settings_validator(CampaignSettings, 'campaign'),
            help='How many cells, trajectories and iterations.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            required=False,
            validator=settings_validator(CampaignInputs, 'settings'),
            help='All settings from which this campaign was built; read when it is shown or continued.',
        )
        spec.input_namespace('training', help='Settings of the training by stage.')
        for stage, text in (('initial', 'first ensemble'), ('retrain', 'iterations'), ('final', 'last ensemble')):
            spec.input(
                f'training.{stage}',
                valid_type=orm.Dict,
                required=stage != 'final',
                validator=settings_validator(TrainingSettings, f'training.{stage}'),
                help=f'Settings of the training of the {text}.',
            )
        cls._define_continued(spec)
        spec.expose_inputs(
            BenchmarkWorkChain,
            namespace='benchmark',
            exclude=('ensemble', 'references', 'potentials', 'dft'),
            namespace_options={
                'required': False,
                'populate_defaults': False,
                'help': 'Properties of the ensemble of every iteration.',
            },
        )
        spec.outline(
            cls.setup,
            if_(cls.should_run_initial_labels)(
                cls.run_initial_labels,
                cls.inspect_initial_labels,
            ),
            if_(cls.should_run_initial_training)(
                cls.run_initial_training,
                cls.inspect_initial_training,
            ),
            cls.set_thresholds,
            while_(cls.should_run_iteration)(
                cls.run_iteration,
                cls.inspect_iteration,
            ),
            if_(cls.should_run_final_training)(
                cls.run_final_training,
                cls.inspect_final_training,
            ),
            if_(cls.should_run_benchmark)(
                cls.run_benchmark,
                cls.inspect_benchmark,
            ),
            cls.results,
        )
        spec.output('ensemble', valid_type=EnsembleData, required=False, help='The newest networks.')
        spec.output('training', valid_type=orm.Dict, required=False, help='Summary of their training.')
        spec.output_namespace('shards', valid_type=DatasetData, dynamic=True, help='All labels, by iteration.')
        spec.output('summary', valid_type=orm.Dict, required=False, help='The campaign in numbers, and its verdict.')
        spec.exit_code(401, 'ERROR_INITIAL_LABELS_FAILED', message='The initial labelling failed: {reason}')
        spec.exit_code(402, 'ERROR_TRAINING_FAILED', message='The training failed: {reason}')
        spec.exit_code(403, 'ERROR_ITERATION_FAILED', message='Iteration {iteration} failed: {reason}')
        spec.exit_code(
            600,
            'ERROR_NOT_CONVERGED',
            message='Not converged after {iterations} iterations; everything so far is in the outputs.',
        )

    @staticmethod
    def _define_continued(spec: WorkChainSpec) -> None:
        """Add the inputs of a campaign that continues others."""
        spec.input_namespace('continued', required=False, help='Results of the campaigns that this one continues.')
        spec.input_namespace('continued.shards', valid_type=DatasetData, dynamic=True, help='Labels, by shard.')
        spec.input_namespace(
            'continued.cells', valid_type=orm.StructureData, dynamic=True, help='Initial random cells.'
        )
        define_adopted_labels(spec, 'continued.label')
        define_adopted_training(spec, 'continued.training')
        spec.input(
            'continued.thresholds', valid_type=orm.Dict, required=False, help='Thresholds of the next iteration.'
        )
        spec.input('continued.iteration', valid_type=orm.Int, required=False, help='The last finished iteration.')
        spec.input_namespace(
            'continued.summaries', valid_type=orm.Dict, dynamic=True, help='Summaries of the finished iterations.'
        )
        spec.input('continued.verdict', valid_type=orm.Str, required=False, help='Why there is no further iteration.')
        spec.input_namespace(
            'continued.next',
            valid_type=orm.Data,
            dynamic=True,
            help='The namespace `adopted` of the next iteration.',
        )
        define_adopted_training(spec, 'continued.final')

    def setup(self) -> None:
        """Start from nothing, or from the results of other campaigns."""
        done = self._continued
        self.ctx.iteration = self._n_continued
        self.ctx.shards = done.get('shards', {})
        self.ctx.summaries = done.get('summaries', {})
        self.ctx.verdict = done['verdict'].value if 'verdict' in done else None
        training = done.get('training', {})
        if 'ensemble' in training:
            self.ctx.ensemble = training['ensemble']
        if 'summary' in training:
            self.ctx.training_summary = training['summary']
        self.ctx.seeds = derive_seeds(self.inputs.seed, orm.Int(0), orm.Int(0))
        if self.ctx.shards or self.ctx.iteration:
            self.report(f'taking over {self._n_labels()} labels and {self.ctx.iteration} iterations')

    def should_run_initial_labels(self) -> bool:
        """Return whether the random cells have not been labelled."""
        return _INITIAL_SHARD not in self.ctx.shards

    def run_initial_labels(self) -> ToContext:
        """Draw the random cells, and launch their labelling."""
        self.ctx.cells = self._initial_cells()
        inputs = AttributeDict(self.exposed_inputs(AlIterationWorkChain)).cycle.label
        inputs.cells = self.ctx.cells
        inputs.adopted = self._continued.get('label', {})
        inputs.source = orm.Dict({'iteration': 0, 'origin': 'random'})
        inputs.metadata = {'call_link_label': 'initial_labels', 'label': 'initial random cells'}
        node = self.submit(LabelWorkChain, **inputs)
        self.report(f'iteration 0: launching LabelWorkChain<{node.pk}> for {len(self.ctx.cells)} random cells')
        self.ctx.stage = 'labelling the initial random cells'
        return ToContext(labelling=node)

    def inspect_initial_labels(self) -> ExitCode | None:
        """Take the first shard, also from a labelling with too many failures."""
        node = self.ctx.labelling
        if 'dataset' in node.outputs:
            self.ctx.shards[_INITIAL_SHARD] = node.outputs.dataset
        if not node.is_finished_ok or _INITIAL_SHARD not in self.ctx.shards:
            return self._give_up('ERROR_INITIAL_LABELS_FAILED', node)
        return None

    def should_run_initial_training(self) -> bool:
        """Return whether no ensemble has been trained on all labels."""
        return 'training_summary' not in self.ctx

    def run_initial_training(self) -> ToContext:
        """Launch the training of the first ensemble, or of one on the labels of several campaigns."""
        stage = 'retrain' if self._is_warm else 'initial'
        return self._train(self.inputs.training[stage], 'initial_training', self._continued.get('training', {}))

    def inspect_initial_training(self) -> ExitCode | None:
        """Take the first ensemble."""
        return self._inspect_training()

    def set_thresholds(self) -> None:
        """Set the thresholds of the next iteration."""
        rule = self.inputs.threshold_rule
        if 'thresholds' in self._continued:
            self.ctx.thresholds = renew_thresholds(rule, self._continued['thresholds'])
        else:
            self.ctx.thresholds = initial_thresholds(rule, self.ctx.training_summary)

    def should_run_iteration(self) -> bool:
        """Return whether there is no verdict yet, and iterations are left."""
        return self.ctx.verdict is None and self.ctx.iteration < self._campaign.max_iterations

    def run_iteration(self) -> ToContext:
        """Launch the next iteration on the newest ensemble."""
        self.ctx.iteration += 1
        iteration = orm.Int(self.ctx.iteration)
        inputs = AttributeDict(self.exposed_inputs(AlIterationWorkChain))
        campaign = self._campaign
        inputs.shards = self.ctx.shards
        summaries = [self.ctx.summaries[name].get_dict() for name in sorted(self.ctx.summaries)]
        inputs.n_trajectories = orm.Int(campaign.trajectories(self._n_labels(), *summaries[-1:]))
        inputs.train.worker.settings = self.inputs.training.retrain
        inputs.cycle.update(
            iteration=iteration,
            seed=self.inputs.seed,
            campaign=self.inputs.campaign,
            ensemble=self.ctx.ensemble,
            thresholds=self.ctx.thresholds,
        )
        if campaign.t_max_growth > 0 and (growths := campaign.growths(iteration.value, summaries)):
            inputs.cycle.schedule_settings = lengthen_schedules(
                inputs.cycle.schedule_settings, self.inputs.campaign, orm.Int(growths + 1)
            )
        if self.ctx.iteration == self._n_continued + 1:
            inputs.adopted = self._continued.get('next', {})
        name = f'iteration_{self.ctx.iteration:03d}'
        inputs.metadata = {'call_link_label': name, 'label': f'iteration {self.ctx.iteration}'}
        node = self.submit(AlIterationWorkChain, **inputs)
        self.report(
            f'iteration {self.ctx.iteration}: launching AlIterationWorkChain<{node.pk}> with '
            f'{inputs.n_trajectories.value} trajectories, threshold '
            f'{self.ctx.thresholds["energy_ev_per_sqrt_atom"]:.4f} eV/sqrt(atom), {self._n_labels()} labels so far'
        )
        self.ctx.stage = f'iteration {self.ctx.iteration} of at most {campaign.max_iterations}'
        return ToContext(current=node, **self._benchmark(self.ctx.iteration - 1))

    def inspect_iteration(self) -> ExitCode | None:
        """Take the fresh labels and the retrained ensemble, and decide whether the campaign has converged."""
        self.inspect_benchmark()
        node = self.ctx.current
        outputs = node.outputs
        for name, shard in dict(outputs.shards if 'shards' in outputs else {}).items():
            self.ctx.shards[f'shard_{self.ctx.iteration:03d}_{name}'] = shard
        if not node.is_finished_ok:
            return self._give_up('ERROR_ITERATION_FAILED', node, iteration=self.ctx.iteration)
        self.ctx.summaries[f'iteration_{self.ctx.iteration:03d}'] = outputs.summary
        self.ctx.thresholds = outputs.thresholds
        if 'ensemble' in outputs:
            self.ctx.ensemble, self.ctx.training_summary = outputs.ensemble, outputs.training
        if outputs.summary['converged']:
            self.ctx.verdict = 'converged'
        elif 'ensemble' not in outputs:
            self.ctx.verdict = 'nothing to label'
        self.report(f'iteration {self.ctx.iteration}: {self._n_labels()} labels, {self.ctx.verdict or "continuing"}')
        return None

    def should_run_final_training(self) -> bool:
        """Return whether a final training of the last ensemble was asked for and is not done."""
        return 'final' in self.inputs.training and 'ensemble' not in self._continued.get('final', {})

    def run_final_training(self) -> ToContext:
        """Launch the final training."""
        benchmark = self._benchmark(self.ctx.iteration)
        training = self._train(self.inputs.training.final, 'final_training', self._continued.get('final', {}))
        return ToContext(**training, **benchmark)

    def inspect_final_training(self) -> ExitCode | None:
        """Take the ensemble of the final training."""
        self.inspect_benchmark()
        return self._inspect_training()

    def should_run_benchmark(self) -> bool:
        """Return whether a benchmark of the last ensemble was asked for."""
        return bool(self.inputs.get('benchmark'))

    def run_benchmark(self) -> ToContext:
        """Launch the benchmark of the last ensemble."""
        self.ctx.stage = 'benchmark of the last ensemble'
        trained = 'final' in self.inputs.training and 'ensemble' not in self._continued.get('final', {})
        return ToContext(**self._benchmark(self.ctx.iteration, final=trained))

    def inspect_benchmark(self) -> None:
        """Report a benchmark that failed; the campaign continues without it."""
        node = self.ctx.pop('benchmark', None)
        if node is not None and not node.is_finished_ok:
            self.report(f'BenchmarkWorkChain<{node.pk}> failed with exit status {node.exit_status}: {reason(node)}')

    def results(self) -> ExitCode | None:
        """Attach the outputs and report the verdict."""
        done = self._continued.get('final', {})
        if 'ensemble' in done:
            self.ctx.ensemble, self.ctx.training_summary = done['ensemble'], done['summary']
        verdict = self.ctx.verdict or 'iterations used up'
        self._attach(verdict)
        self.report(f'{verdict} after {self.ctx.iteration} iterations with {self._n_labels()} labels')
        if self.ctx.verdict is None and self._campaign.max_iterations_is_failure:
            code: ExitCode = self.exit_codes.ERROR_NOT_CONVERGED
            return code.format(iterations=self.ctx.iteration)
        return None

    def _benchmark(self, iteration: int, *, final: bool = False) -> dict[str, Any]:
        """Launch the benchmark of the newest ensemble if one was asked for, and return the process to wait for."""
        if not self.inputs.get('benchmark'):
            return {}
        name = 'benchmark_final' if final else f'benchmark_{iteration:03d}'
        inputs = AttributeDict(self.exposed_inputs(BenchmarkWorkChain, 'benchmark'))
        inputs.ensemble = self.ctx.ensemble
        inputs.metadata = {'call_link_label': name, 'label': name.replace('_', ' ')}
        node = self.submit(BenchmarkWorkChain, **inputs)
        self.report(f'launching BenchmarkWorkChain<{node.pk}> for the ensemble of iteration {iteration}')
        return {'benchmark': node}

    def _initial_cells(self) -> dict[str, orm.StructureData]:
        """Return the initial random cells: those of the continued campaign, and fresh ones if it had fewer."""
        cells: dict[str, orm.StructureData] = self._continued.get('cells', {})
        if len(cells) >= self._campaign.n_initial_cells or 'labels' in self._continued.get('label', {}):
            return cells
        number = orm.Int(self._campaign.n_initial_cells)
        return {**generate_cells(self.inputs.cycle.cell_settings, self.ctx.seeds['cells'], number), **cells}

    def _train(self, settings: orm.Dict, name: str, done: dict[str, Any]) -> ToContext:
        """Launch a training on all labels.

        :param done: may hold the ``checkpoint`` of an interrupted training to start from.
        """
        inputs = AttributeDict(self.exposed_inputs(AlIterationWorkChain)).train
        inputs.worker.shards = self.ctx.shards
        inputs.worker.settings = settings
        inputs.worker.seed = self.ctx.seeds['training']
        if 'checkpoint' in done:
            inputs.checkpoint = done['checkpoint']
        if self._is_warm:
            inputs.worker.initial = self.ctx.ensemble
        inputs.metadata = {'call_link_label': name, 'label': name.replace('_', ' ')}
        node = self.submit(TrainWorkChain, **inputs)
        self.report(f'launching TrainWorkChain<{node.pk}> ({name}) on {self._n_labels()} labels')
        self.ctx.stage = name.replace('_', ' ')
        return ToContext(current=node)

    def _inspect_training(self) -> ExitCode | None:
        """Take the ensemble of the last training."""
        node = self.ctx.current
        if not node.is_finished_ok:
            return self._give_up('ERROR_TRAINING_FAILED', node)
        self.ctx.ensemble, self.ctx.training_summary = node.outputs.ensemble, node.outputs.summary
        return None

    def _give_up(self, label: str, node: orm.ProcessNode, **values: Any) -> ExitCode:
        """Attach everything so far and return the exit code with the child's reason."""
        self.report(f'{node.process_label}<{node.pk}> failed with exit status {node.exit_status}')
        self._attach('failed')
        code: ExitCode = getattr(self.exit_codes, label)
        return code.format(reason=reason(node), **values)

    def _attach(self, verdict: str) -> None:
        """Attach the newest ensemble, all shards and the summary."""
        self.out('shards', self.ctx.shards)
        if 'training_summary' not in self.ctx:
            return
        self.out('ensemble', self.ctx.ensemble)
        self.out('training', self.ctx.training_summary)
        training, settings = self.ctx.training_summary, self.inputs.get('settings')
        nodes = {'shards': self.ctx.shards, 'iterations': self.ctx.summaries}
        self.out('summary', summarise_campaign(orm.Str(verdict), training, settings, **nodes))

    @property
    def _continued(self) -> dict[str, Any]:
        return adopted(self.inputs, 'continued')

    @property
    def _n_continued(self) -> int:
        return self._continued['iteration'].value if 'iteration' in self._continued else 0

    @property
    def _is_warm(self) -> bool:
        return 'ensemble' in self.ctx and self.inputs.warm_start.value

    @property
    def _campaign(self) -> CampaignSettings:
        return CampaignSettings.parse(self.inputs.campaign.get_dict())

    def _n_labels(self) -> int:
        return sum(shard.n_configurations for shard in self.ctx.shards.values())
