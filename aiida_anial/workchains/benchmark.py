"""A benchmark: properties of an ensemble beside those of other potentials and of DFT."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.calcfunctions.tabulate_benchmark import tabulate_benchmark
from aiida_anial.calculations.property import PropertyCalculation
from aiida_anial.common.errors import SettingsError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator, validate_positive
from aiida_anial.properties.comparison.results import DFT, MAIN
from aiida_anial.properties.registry import (
    PROPERTIES,
    BenchmarkSettings,
    all_provided,
    check_properties,
    provided,
    with_requirements,
)
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.workchains.checkpointed import PropertyWorkChain
from aiida_anial.workchains.dft_property import DftPropertyWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('BenchmarkWorkChain',)


class BenchmarkWorkChain(AnialWorkChain):
    """Compute the same properties of an ensemble and of any number of references, one process each.

    The subjects are ``ensemble``, the names in ``references`` and ``potentials``, and ``qe``.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('ensemble', valid_type=EnsembleData, required=False, help='The networks.')
        spec.input_namespace('references', valid_type=EnsembleData, dynamic=True, help='Other ensembles, by name.')
        spec.input_namespace(
            'potentials', valid_type=orm.SinglefileData, dynamic=True, help='EAM files of LAMMPS, by name.'
        )
        spec.input(
            'properties', valid_type=orm.List, validator=cls.validate_properties, help='Names of the properties.'
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(BenchmarkSettings, 'settings'),
            help='Settings by property.',
        )
        spec.input(
            'max_concurrent',
            valid_type=orm.Int,
            default=lambda: orm.Int(2),
            validator=validate_positive,
            help='Jobs alive at once.',
        )
        spec.expose_inputs(
            PropertyCalculation,
            namespace='worker',
            exclude=('property', 'settings', 'labeller', 'ensemble', 'potential', 'parent_folder'),
            namespace_options={'help': 'Jobs of potentials.', 'required': False, 'populate_defaults': False},
        )
        spec.expose_inputs(
            DftPropertyWorkChain,
            namespace='dft',
            exclude=('property', 'settings', 'max_concurrent', *all_provided()),
            namespace_options={'help': 'DFT.', 'required': False, 'populate_defaults': False},
        )
        spec.inputs.validator = cls.validate_subjects
        spec.outline(
            cls.setup,
            while_(cls.should_run_properties)(
                cls.run_properties,
            ),
            cls.results,
        )
        spec.output_namespace(
            'quantities', valid_type=orm.Dict, dynamic=True, help='Quantities, by subject and property.'
        )
        spec.output_namespace('curves', valid_type=orm.ArrayData, dynamic=True, help='Curves, by subject and property.')
        spec.output('table', valid_type=orm.Dict, required=False, help='All quantities, by subject and property.')
        spec.exit_code(410, 'ERROR_PROPERTIES_FAILED', message='{failed} of {total} properties failed: {key}, {reason}')

    @staticmethod
    def validate_properties(node: orm.List | None, _: Any) -> str | None:
        """Refuse unknown properties, and an empty list."""
        if node is None:
            return None
        try:
            check_properties(node.get_list())
        except SettingsError as exception:
            return str(exception)
        return None if node.get_list() else 'properties: at least one is needed.'

    @staticmethod
    def validate_subjects(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse a benchmark of nothing, and subjects that cannot run."""
        if 'ensemble' not in ports:
            return None  # a campaign gives it later
        potentials = [*inputs.get('references', ()), *inputs.get('potentials', ())]
        if inputs.get('ensemble') is not None:
            potentials.append(MAIN)
        if not potentials and not inputs.get('dft'):
            return 'ensemble: there is nothing to benchmark.'
        if potentials and not inputs.get('worker'):
            return 'worker.code: the potentials need a code of anial-worker.'
        names = inputs['properties'].get_list() if inputs.get('properties') is not None else []
        if not potentials and all(PROPERTIES[name].is_dynamic for name in names):
            return f'properties: {names[0]} follows from dynamics, which DFT does not run; give a potential.'
        taken = sorted(name for name in {*potentials, DFT} if [*potentials, DFT].count(name) > 1)
        return f'references.{taken[0]}: two subjects have this name.' if taken else None

    def setup(self) -> None:
        """Queue every property of every subject, as ``subject.property``."""
        names = self.inputs.properties.get_list()
        subjects = sorted(self._potentials())
        self.ctx.waiting = [f'{subject}.{name}' for subject in subjects for name in names]
        if self.inputs.get('dft'):
            of_dft = with_requirements(name for name in names if not PROPERTIES[name].is_dynamic)
            self.ctx.waiting = [f'{DFT}.{name}' for name in of_dft] + self.ctx.waiting
        self.ctx.total = len(self.ctx.waiting)
        self.ctx.done, self.ctx.failures = {}, {}

    def should_run_properties(self) -> bool:
        """Return whether properties wait, or are alive."""
        return bool(self.ctx.waiting or self.alive)

    def run_properties(self) -> None:
        """Record the properties that have ended, and fill the slots."""
        for key, node in self.ended().items():
            self._note(key, node)
        for key in list(self.ctx.waiting):
            if len(self.alive) < self.inputs.max_concurrent.value and self._is_ready(key):
                self.ctx.waiting.remove(key)
                self._launch(*key.split('.'))
        self.ctx.stage = f'{len(self.ctx.done)} of {self.ctx.total} properties done'
        if self.alive:
            self.wait()

    def results(self) -> ExitCode | None:
        """Attach the results, and then fail if a property failed."""
        nodes: dict[str, dict[str, Any]] = {}
        for key, pk in self.ctx.done.items():
            subject, name = key.split('.')
            outputs = orm.load_node(pk).outputs
            nodes.setdefault(subject, {})[name] = outputs['quantities']
            self.out(f'quantities.{key}', outputs['quantities'])
            self.out(f'curves.{key}', outputs['curves'])
        if nodes:
            self.out('table', tabulate_benchmark(**nodes))
        self.report(f'{len(self.ctx.done)} of {self.ctx.total} properties done')
        if not self.ctx.failures:
            return None
        key, why = min(self.ctx.failures.items())
        code: ExitCode = self.exit_codes.ERROR_PROPERTIES_FAILED
        return code.format(failed=str(len(self.ctx.failures)), total=str(self.ctx.total), key=key, reason=why)

    def _potentials(self) -> dict[str, dict[str, Any]]:
        """Return, by subject, the inputs of a ``PropertyCalculation`` that name the potential."""
        ensembles = dict(self.inputs.get('references', {}))
        if 'ensemble' in self.inputs:
            ensembles[MAIN] = self.inputs.ensemble
        found = {name: {'labeller': {'kind': 'ensemble'}, 'ensemble': node} for name, node in ensembles.items()}
        for name, node in self.inputs.get('potentials', {}).items():
            found[name] = {'labeller': {'kind': 'eam'}, 'potential': node}
        return found

    def _is_ready(self, key: str) -> bool:
        """Return whether a property can start.

        A property by DFT needs those that it starts from, and runs alone: it fills all slots with its calculations.
        """
        subject, name = key.split('.')
        if subject != DFT:
            return True
        busy = any(other.startswith(f'{DFT}.') for other in self.alive)
        return not busy and all(f'{DFT}.{other}' in self.ctx.done for other in PROPERTIES[name].requires)

    def _note(self, key: str, node: Any) -> None:
        """Record a property, or the reason why there is none."""
        if node.is_finished_ok:
            self.ctx.done[key] = node.pk
            return
        self.ctx.failures[key] = reason(node)
        self.report(f'{key} failed: {self.ctx.failures[key]}')
        for other in list(self.ctx.waiting):
            subject, name = other.split('.')
            if subject == DFT and key in [f'{DFT}.{one}' for one in with_requirements([name])]:
                self.ctx.waiting.remove(other)
                self.ctx.failures[other] = f'{key}, which it starts from, failed'

    def _launch(self, subject: str, name: str) -> None:
        """Submit one property of one subject."""
        settings = BenchmarkSettings.parse(self.inputs.settings.get_dict())
        process, inputs = self._by_dft(name, settings) if subject == DFT else self._by(subject, name, settings)
        metadata = {'call_link_label': f'{subject}__{name}', 'label': f'{subject} {name}'}
        inputs.metadata = {**inputs.get('metadata', {}), **metadata}
        node = self.submit(process, cached=process is PropertyCalculation, **inputs)
        self.start(f'{subject}.{name}', node)
        self.report(f'launching {node.process_label}<{node.pk}> for {subject} {name}: {len(self.ctx.waiting)} waiting')

    def _by_dft(self, name: str, settings: BenchmarkSettings) -> tuple[Any, AttributeDict]:
        """Return the process of a property by DFT, and its inputs."""
        inputs = AttributeDict(self.exposed_inputs(DftPropertyWorkChain, 'dft'))
        inputs.property = orm.Str(name)
        inputs.settings = orm.Dict(settings.for_dft().part(name))
        inputs.max_concurrent = self.inputs.max_concurrent
        for other in PROPERTIES[name].requires:
            outputs = orm.load_node(self.ctx.done[f'{DFT}.{other}']).outputs
            inputs.update({column.provides: outputs[column.provides] for column in provided(other)})
        return DftPropertyWorkChain, inputs

    def _by(self, subject: str, name: str, settings: BenchmarkSettings) -> tuple[Any, AttributeDict]:
        """Return the process of a property of a potential, and its inputs."""
        inputs = AttributeDict(self.exposed_inputs(PropertyCalculation, 'worker'))
        potential = self._potentials()[subject]
        inputs.update({**potential, 'labeller': orm.Dict(potential['labeller'])})
        inputs.property = orm.Str(name)
        inputs.settings = orm.Dict(settings.part(name))
        # What takes hours goes on after the wall clock; for the others one job is enough.
        is_long = PROPERTIES[name].is_dynamic
        return (PropertyWorkChain, AttributeDict({'worker': inputs})) if is_long else (PropertyCalculation, inputs)
