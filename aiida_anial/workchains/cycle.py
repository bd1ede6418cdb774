"""One sample-and-label cycle: random cells, dynamics until the networks disagree, labels."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, if_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.candidates import labelled_trajectories
from aiida_anial.active_learning.settings import CampaignSettings
from aiida_anial.calcfunctions.derive_seeds import derive_seeds
from aiida_anial.calcfunctions.draw_schedules import draw_schedules
from aiida_anial.calcfunctions.extract_candidate import extract_candidate
from aiida_anial.calcfunctions.generate_cells import generate_cells
from aiida_anial.calculations.worker import validate_checkpoint
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator, validate_positive
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.sampling.settings import CellSettings, SamplingSettings, ScheduleSettings
from aiida_anial.workchains.adopted import adopted, define_adopted_labels
from aiida_anial.workchains.checkpointed import SampleWorkChain
from aiida_anial.workchains.label import LabelWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('CycleWorkChain',)


class CycleWorkChain(AnialWorkChain):
    """Draw random cells and schedules, run molecular dynamics on the newest ensemble, and label where it disagrees."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('seed', valid_type=orm.Int, help='Seed of the campaign.')
        spec.input('iteration', valid_type=orm.Int, help='Active-learning iteration, from 1.')
        spec.input('cycle', valid_type=orm.Int, default=lambda: orm.Int(0), help='Cycle within the iteration.')
        spec.input('number', valid_type=orm.Int, validator=validate_positive, help='How many trajectories.')
        spec.input(
            'cell_settings',
            valid_type=orm.Dict,
            validator=settings_validator(CellSettings, 'cells'),
            help='Ranges of the random cells: angstrom, g/cm3.',
        )
        spec.input(
            'schedule_settings',
            valid_type=orm.Dict,
            validator=settings_validator(ScheduleSettings, 'schedules'),
            help='Ranges of the temperature schedules: K, ps.',
        )
        spec.input(
            'campaign',
            valid_type=orm.Dict,
            validator=settings_validator(CampaignSettings, 'campaign'),
            help='For `label_completed_fraction`, the share of completed trajectories to label.',
        )
        spec.input('ensemble', valid_type=EnsembleData, help='The networks that drive the dynamics.')
        spec.input('thresholds', valid_type=orm.Dict, help='The disagreement at which a trajectory stops.')
        spec.expose_inputs(
            SampleWorkChain,
            namespace='sample',
            exclude=(
                *('checkpoint', 'worker.cells', 'worker.schedules', 'worker.seed'),
                *('worker.ensemble', 'worker.thresholds'),
            ),
        )
        spec.expose_inputs(LabelWorkChain, namespace='label', exclude=('cells', 'source', 'adopted'))
        cls._define_adopted(spec)
        spec.outline(
            if_(cls.should_run_sampling)(
                cls.draw,
                cls.run_sampling,
                cls.inspect_sampling,
            ),
            cls.take_over,
            cls.extract_candidates,
            if_(cls.should_run_labels)(
                cls.run_labels,
                cls.inspect_labels,
            ),
        )
        spec.expose_outputs(SampleWorkChain, include=('table', 'trajectories'))
        spec.expose_outputs(LabelWorkChain, include=('rejected', 'dataset'))
        spec.outputs['rejected'].required = False
        spec.exit_code(401, 'ERROR_SAMPLING_FAILED', message='The dynamics failed: {reason}')
        spec.exit_code(402, 'ERROR_LABELLING_FAILED', message='The labelling failed: {reason}')

    @staticmethod
    def _define_adopted(spec: WorkChainSpec) -> None:
        """Add the inputs for the results of a cycle that was cut short."""
        spec.input_namespace('adopted', required=False, help='Results of the cycle that this one continues.')
        spec.input('adopted.table', valid_type=orm.Dict, required=False, help='Table of the dynamics.')
        spec.input_namespace(
            'adopted.trajectories', valid_type=orm.TrajectoryData, dynamic=True, help='Trajectories, beside `table`.'
        )
        spec.input(
            'adopted.checkpoint',
            valid_type=orm.FolderData,
            required=False,
            validator=validate_checkpoint,
            help='Where the dynamics were interrupted.',
        )
        spec.input_namespace(
            'adopted.candidates', valid_type=orm.StructureData, dynamic=True, help='Candidates of the trajectories.'
        )
        define_adopted_labels(spec, 'adopted.label')
        spec.input('adopted.dataset', valid_type=DatasetData, required=False, help='Labels of the candidates.')
        spec.input('adopted.rejected', valid_type=orm.Dict, required=False, help='Reasons, of the other candidates.')

    def should_run_sampling(self) -> bool:
        """Return whether there are no trajectories yet."""
        return 'table' not in adopted(self.inputs, 'adopted')

    def draw(self) -> None:
        """Draw the random cells and the schedules."""
        inputs = self.inputs
        self.ctx.seeds = derive_seeds(inputs.seed, inputs.iteration, inputs.cycle)
        self.ctx.cells = generate_cells(inputs.cell_settings, self.ctx.seeds['cells'], inputs.number)
        self.ctx.schedules = draw_schedules(inputs.schedule_settings, self.ctx.seeds['schedules'], inputs.number)

    def run_sampling(self) -> ToContext:
        """Launch the dynamics."""
        inputs = AttributeDict(self.exposed_inputs(SampleWorkChain, 'sample'))
        inputs.worker.cells = self.ctx.cells
        inputs.worker.schedules = self.ctx.schedules
        inputs.worker.seed = self.ctx.seeds['sampling']
        inputs.worker.ensemble = self.inputs.ensemble
        inputs.worker.thresholds = self.inputs.thresholds
        if 'checkpoint' in adopted(self.inputs, 'adopted'):
            inputs.checkpoint = self.inputs.adopted.checkpoint
        inputs.metadata.call_link_label = 'sample'
        self.ctx.stage = f'running {self.inputs.number.value} trajectories'
        node = self.submit(SampleWorkChain, **inputs)
        self.report(f'launching SampleWorkChain<{node.pk}> for {self.inputs.number.value} trajectories')
        return ToContext(sampling=node)

    def inspect_sampling(self) -> ExitCode | None:
        """Fail with the reason if there are no trajectories."""
        node = self.ctx.sampling
        if not node.is_finished_ok:
            self.report(f'SampleWorkChain<{node.pk}> failed with exit status {node.exit_status}')
            code: ExitCode = self.exit_codes.ERROR_SAMPLING_FAILED
            return code.format(reason=reason(node))
        return None

    def take_over(self) -> None:
        """Attach the trajectories, and the labels if the cycle that this one continues has them."""
        done = adopted(self.inputs, 'adopted')
        made = self.ctx.sampling.outputs if 'sampling' in self.ctx else done
        self.ctx.trajectories = dict(made['trajectories'])
        self.out('table', made['table'])
        self.out('trajectories', self.ctx.trajectories)
        self.out_many({name: done[name] for name in ('dataset', 'rejected') if name in done})
        self.ctx.candidates = dict(done.get('candidates', {}))

    def extract_candidates(self) -> None:
        """Extract the candidate of each trajectory that stopped, and of a fraction of the others."""
        if 'rejected' in self.outputs:
            return
        trajectories = self.ctx.trajectories
        campaign = CampaignSettings.parse(self.inputs.campaign.get_dict())
        names = sorted(trajectories)
        rows = [trajectories[name].base.attributes.all for name in names]
        for name in [names[position] for position in labelled_trajectories(rows, campaign)]:
            if name not in self.ctx.candidates:
                self.ctx.candidates[name] = extract_candidate(trajectories[name])
        duplicates = sum(row.get('duplicate_of') is not None for row in rows)
        self.report(
            f'{len(self.ctx.candidates)} of {len(trajectories)} trajectories give candidates, of the others '
            f'{duplicates} are duplicates'
        )

    def should_run_labels(self) -> bool:
        """Return whether there is anything to label."""
        return bool(self.ctx.candidates) and 'rejected' not in self.outputs

    def run_labels(self) -> ToContext:
        """Launch the labelling of the candidates."""
        inputs = AttributeDict(self.exposed_inputs(LabelWorkChain, 'label'))
        inputs.cells = self.ctx.candidates
        inputs.adopted = adopted(self.inputs, 'adopted', 'label')
        origin = SamplingSettings.parse(self.inputs.sample.worker.settings.get_dict()).origin
        inputs.source = orm.Dict({'iteration': self.inputs.iteration.value, 'origin': origin})
        inputs.metadata.call_link_label = 'label'
        self.ctx.stage = f'labelling {len(self.ctx.candidates)} candidates'
        node = self.submit(LabelWorkChain, **inputs)
        self.report(f'launching LabelWorkChain<{node.pk}> for {len(self.ctx.candidates)} cells')
        return ToContext(labelling=node)

    def inspect_labels(self) -> ExitCode | None:
        """Attach the labels, also those of a labelling with too many failures."""
        node = self.ctx.labelling
        for name in ('dataset', 'rejected'):
            if name in node.outputs:
                self.out(name, node.outputs[name])
        if not node.is_finished_ok:
            self.report(f'LabelWorkChain<{node.pk}> failed with exit status {node.exit_status}')
            code: ExitCode = self.exit_codes.ERROR_LABELLING_FAILED
            return code.format(reason=reason(node))
        return None
