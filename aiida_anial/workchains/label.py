"""Labels for any number of cells, never more than a few calculations at once."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from aiida import orm
from aiida.common import AttributeDict, LinkType
from aiida.engine import ExitCode, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.settings import LabelSettings
from aiida_anial.calcfunctions.collect_evaluated import collect_evaluated
from aiida_anial.calcfunctions.collect_labels import collect_labels
from aiida_anial.calcfunctions.make_meshes import make_meshes, mesh_name
from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.validation import settings_validator, validate_aluminium
from aiida_anial.labellers.pw_base import PwBaseWorkChain
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.workchains.adopted import adopted, define_adopted_labels
from aiida_anial.workchains.reasons import reason, was_cut_short

__all__ = ('LabelWorkChain',)

# Of a calculation: energies and forces are in the second.
_OUTPUTS = ('output_parameters', 'output_trajectory')


class LabelWorkChain(AnialWorkChain):
    """Label cells with energies, forces and stresses, set failures aside with their reasons, and go on.

    Exactly one labeller is given: ``qe``, a ``PwBaseWorkChain`` for each cell, or ``evaluate``, one job for all.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_aluminium, help='What to label.'
        )
        spec.input(
            'limits',
            valid_type=orm.Dict,
            default=lambda: orm.Dict(LabelSettings().to_dict()),
            validator=settings_validator(LabelSettings, 'limits'),
            help='`max_concurrent`, `max_failed_fraction`, `max_force_ev_per_angstrom`.',
        )
        spec.input(
            'source',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({'iteration': 0, 'origin': 'random'}),
            help='`iteration` and `origin` that the labels carry.',
        )
        spec.input(
            'max_concurrent',
            valid_type=int,
            non_db=True,
            required=False,
            help='Share of `limits.max_concurrent` that this one may use, where several run side by side.',
        )
        define_adopted_labels(spec, 'adopted')
        labeller: dict[str, Any] = {'required': False, 'populate_defaults': False}
        spec.expose_inputs(
            PwBaseWorkChain, namespace='qe', exclude=('pw.structure',), namespace_options={**labeller, 'help': 'pw.x.'}
        )
        spec.inputs['qe']['clean_workdir'].default = lambda: orm.Bool(True)
        spec.expose_inputs(
            EvaluateCalculation,
            namespace='evaluate',
            exclude=('cells',),
            namespace_options={**labeller, 'help': 'A potential.'},
        )
        spec.inputs.validator = cls.validate_labeller
        spec.outline(
            cls.setup,
            if_(cls.should_run_qe)(
                cls.make_meshes,
                while_(cls.should_run_calculations)(
                    cls.run_calculations,
                ),
                cls.collect_calculations,
            ).else_(
                if_(cls.should_run_evaluation)(
                    cls.run_evaluation,
                    cls.inspect_evaluation,
                ),
                cls.collect_evaluation,
            ),
            cls.results,
        )
        spec.output('dataset', valid_type=DatasetData, required=False, help='The sound labels.')
        spec.output('rejected', valid_type=orm.Dict, help='Reason by cell label, of those that were set aside.')
        spec.exit_code(
            410,
            'ERROR_TOO_MANY_FAILED',
            message='{failed} of {total} labels failed, more than the fraction {allowed} that is allowed.',
        )
        spec.exit_code(420, 'ERROR_EVALUATION_FAILED', message='The evaluation of the cells failed: {reason}')

    @staticmethod
    def validate_labeller(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse no labeller, or two."""
        given = [name for name in ('qe', 'evaluate') if inputs.get(name)]
        if len(given) != 1:
            return f'give exactly one labeller, `qe` or `evaluate`, not {len(given)}.'
        if 'cells' in ports and not inputs.get('cells'):
            return 'cells: there is nothing to label.'
        return None

    def setup(self) -> None:
        """Queue the cells that have no label yet."""
        done = adopted(self.inputs, 'adopted')
        failures = done['failures'].get_dict() if 'failures' in done else {}
        self.ctx.failures = {label: failures[label] for label in sorted(failures) if label in self.inputs.cells}
        self.ctx.taken_over = sorted(set(done.get('parameters', ())) & set(self.inputs.cells))
        self.ctx.waiting = sorted(set(self.inputs.cells) - set(self.ctx.taken_over) - set(failures))
        self.ctx.n_labelled = 0
        self.ctx.again = []
        self.ctx.max_concurrent = self.inputs.get('max_concurrent') or self._limits.max_concurrent
        if self.ctx.taken_over:
            self.report(f'{len(self.ctx.taken_over)} of {len(self.inputs.cells)} cells are labelled already')

    def should_run_qe(self) -> bool:
        """Return whether pw.x labels."""
        return bool(self.inputs.get('qe'))

    def make_meshes(self) -> None:
        """Make the meshes of all cells at once: for a single cell it takes a process and a node."""
        self.ctx.meshes = {}
        cells = {label: self.inputs.cells[label] for label in self.ctx.waiting}
        if cells and 'kpoints_distance' in self.inputs.qe:
            given = 'kpoints_force_parity' in self.inputs.qe
            self.ctx.parity = self.inputs.qe.kpoints_force_parity if given else orm.Bool(False).store()
            self.ctx.meshes = make_meshes(self.inputs.qe.kpoints_distance, self.ctx.parity, **cells)

    def should_run_calculations(self) -> bool:
        """Return whether cells wait, or calculations are alive."""
        return bool(self.ctx.waiting or self.alive)

    def run_calculations(self) -> None:
        """Note what has ended, and fill the slots."""
        for label, node in self.ended().items():
            self._note(label, node)
        done = len(self.ctx.taken_over) + self.ctx.n_labelled + len(self.ctx.failures)
        self.ctx.stage = f'{done} of {len(self.inputs.cells)} labels done'
        self.fill(self.ctx.max_concurrent, self.inputs.qe.pw.code.computer, self._launch)

    def collect_calculations(self) -> None:
        """Put the sound labels into one shard."""
        done = adopted(self.inputs, 'adopted')
        parameters = {label: done['parameters'][label] for label in self.ctx.taken_over}
        trajectories = {label: done['trajectories'][label] for label in self.ctx.taken_over}
        for label, *found in self._made():
            parameters[label], trajectories[label] = found
        distance = {'kpoints_distance': self.inputs.qe.kpoints_distance} if 'kpoints_distance' in self.inputs.qe else {}
        self.ctx.collected = collect_labels(
            **distance,
            settings=self.inputs.limits,
            source=self.inputs.source,
            failures=orm.Dict(self.ctx.failures),
            cells={label: self.inputs.cells[label] for label in parameters},
            parameters=parameters,
            trajectories=trajectories,
        )

    def should_run_evaluation(self) -> bool:
        """Return whether the labels of a potential are not there yet."""
        return 'labels' not in adopted(self.inputs, 'adopted')

    def run_evaluation(self) -> ToContext:
        """Launch one job for all cells."""
        inputs = AttributeDict(self.exposed_inputs(EvaluateCalculation, 'evaluate'))
        inputs.cells = self.inputs.cells
        inputs.metadata.call_link_label = 'evaluate'
        self.ctx.stage = f'evaluating {len(self.inputs.cells)} cells'
        node = self.submit(EvaluateCalculation, **inputs)
        self.report(f'launching EvaluateCalculation<{node.pk}> for {len(self.inputs.cells)} cells')
        return ToContext(evaluation=node)

    def inspect_evaluation(self) -> ExitCode | None:
        """Say why there are no labels, if there are none."""
        node = self.ctx.evaluation
        if not node.is_finished_ok:
            self.report(f'EvaluateCalculation<{node.pk}> failed with exit status {node.exit_status}')
            code: ExitCode = self.exit_codes.ERROR_EVALUATION_FAILED
            return code.format(reason=reason(node))
        return None

    def collect_evaluation(self) -> None:
        """Put the sound labels into one shard."""
        done = adopted(self.inputs, 'adopted') if 'evaluation' not in self.ctx else self.ctx.evaluation.outputs
        self.ctx.collected = collect_evaluated(
            settings=self.inputs.limits,
            source=self.inputs.source,
            labels=done['labels'],
            failures=done['rejected'],
            cells=dict(self.inputs.cells),
        )

    def results(self) -> ExitCode | None:
        """Attach the outputs; too many failures are an error only then."""
        # The labels are found through the process that made them; a link more for each says nothing new.
        self.out_many({name: node for name, node in self.ctx.collected.items() if name != 'labels'})
        total, failed = len(self.inputs.cells), len(self.ctx.collected['rejected'].get_dict())
        self.report(f'labelled {total - failed} of {total} cells')
        allowed = self._limits.max_failed_fraction
        if failed > allowed * total:
            code: ExitCode = self.exit_codes.ERROR_TOO_MANY_FAILED
            return code.format(failed=str(failed), total=str(total), allowed=str(allowed))
        return None

    @property
    def _limits(self) -> LabelSettings:
        return LabelSettings.parse(self.inputs.limits.get_dict())

    def _launch(self, label: str) -> None:
        """Submit the calculation of one cell."""
        inputs = AttributeDict(self.exposed_inputs(PwBaseWorkChain, 'qe'))
        inputs.pw.structure = self.inputs.cells[label]
        if self.ctx.meshes:
            name = mesh_name(inputs.pw.structure, inputs.pop('kpoints_distance'), self.ctx.parity)
            inputs.pop('kpoints_force_parity', None)
            inputs.kpoints = self.ctx.meshes[name]
        inputs.metadata.call_link_label = f'{label}_again' if label in self.ctx.again else label
        inputs.metadata.label = label
        node = self.submit(PwBaseWorkChain, **inputs)
        self.start(label, node)
        self.report(
            f'launching PwBaseWorkChain<{node.pk}> for {label}: '
            f'{len(self.alive)} alive, {len(self.ctx.waiting)} waiting, {self.ctx.n_labelled} done'
        )

    def _made(self) -> list[list[Any]]:
        """Return what each cell that was labelled here is called, in order, with the outputs of its calculation."""
        query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': self.node.pk}, tag='this')
        sound = {'attributes.exit_status': 0}
        query.append(orm.WorkChainNode, with_incoming='this', filters=sound, project='label', tag='calculation')
        for output in _OUTPUTS:
            query.append(orm.Data, with_incoming='calculation', edge_filters={'label': output}, project='*')
        found: list[list[Any]] = query.all()
        return sorted(found, key=itemgetter(0))

    def _note(self, label: str, node: orm.ProcessNode) -> None:
        """Note the label or the reason why there is none."""
        links = node.base.links.get_outgoing(link_type=LinkType.RETURN) if node.is_finished_ok else None
        if links is not None and set(_OUTPUTS) <= set(links.all_link_labels()):
            self.ctx.n_labelled += 1
            return
        if was_cut_short(node) and label not in self.ctx.again:
            self.ctx.again.append(label)
            self.ctx.waiting.append(label)
            self.report(f'{label} was cut short: {reason(node)}; action taken: launch it once more')
            return
        self.ctx.failures[label] = reason(node)
        self.report(f'{label} set aside: {self.ctx.failures[label]}')
