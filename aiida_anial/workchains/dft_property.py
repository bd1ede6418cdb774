"""One property by DFT."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida_quantumespresso.workflows.pw.relax import PwRelaxWorkChain

from aiida_anial.calcfunctions.analyse_property import analyse_property
from aiida_anial.calcfunctions.make_tasks import make_tasks, mesh_name, tasks_of
from aiida_anial.common.errors import AnialError
from aiida_anial.data.validation import settings_validator, validate_positive, validate_property
from aiida_anial.labellers.pw_base import PwBaseWorkChain
from aiida_anial.properties.evaluation import Relaxation, Task
from aiida_anial.properties.registry import BenchmarkSettings, all_provided, required
from aiida_anial.runtime.launch_once import fingerprint, finished_twins
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('DftPropertyWorkChain',)

# Forces as in relaxations with potentials, 1 meV/angstrom; pw.x checks the energy too.
_FORCE_TOLERANCE_RY_PER_BOHR = 3.9e-5
_ENERGY_TOLERANCE_RY = 1e-6
_PRESSURE_TOLERANCE_KBAR = 0.1


class DftPropertyWorkChain(AnialWorkChain):
    """Compute a property with pw.x, never more than a few calculations at once."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('property', valid_type=orm.Str, validator=validate_property, help='Name of the property.')
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(BenchmarkSettings, 'settings'),
            help='Settings of the property and of those that it starts from.',
        )
        numbers = {key: f'{column.help}, {column.unit}.' for key, column in all_provided().items()}
        for key, text in numbers.items():
            spec.input(key, valid_type=orm.Float, required=False, help=f'For properties that start from it: {text}')
        spec.input('kpoints_distance', valid_type=orm.Float, help='Largest distance between k-points, in 1/angstrom.')
        spec.input(
            'max_concurrent',
            valid_type=orm.Int,
            default=lambda: orm.Int(2),
            validator=validate_positive,
            help='Calculations alive at once.',
        )
        spec.expose_inputs(
            PwBaseWorkChain,
            namespace='qe',
            exclude=('pw.structure', 'kpoints', 'kpoints_distance', 'kpoints_force_parity'),
            namespace_options={'help': 'Inputs of every calculation by pw.x.'},
        )
        spec.inputs.validator = cls.validate_requirements
        spec.outline(
            cls.setup,
            while_(cls.should_run_calculations)(
                cls.run_calculations,
            ),
            cls.inspect_calculations,
            cls.results,
        )
        spec.output('quantities', valid_type=orm.Dict, help='`quantities`: value, unit, uncertainty by name; `notes`.')
        spec.output('curves', valid_type=orm.ArrayData, help='Arrays by name; the names end in the unit.')
        for key, text in numbers.items():
            spec.output(key, valid_type=orm.Float, required=False, help=text)
        spec.exit_code(410, 'ERROR_CALCULATIONS_FAILED', message='{failed} of {total} calculations failed: {reason}')
        spec.exit_code(500, 'ERROR_NOTHING_FOLLOWS', message='Nothing follows from the calculations: {reason}')

    @staticmethod
    def validate_requirements(inputs: dict[str, Any], _: Any) -> str | None:
        """Refuse a property without the numbers that it starts from."""
        if (node := inputs.get('property')) is None:
            return None
        missing = [key for key in required(node.value) if inputs.get(key) is None]
        return f'{missing[0]}: the property {node.value!r} starts from it.' if missing else None

    def setup(self) -> None:
        """Make the structures and queue them."""
        made = make_tasks(
            self.inputs.property, self.inputs.settings, self.inputs.kpoints_distance, **self._requirements
        )
        self.ctx.structures, self.ctx.meshes = made['structures'], made['meshes']
        self.ctx.done, self.ctx.failures = {}, {}
        tasks = self._tasks()
        fingerprints = {name: self._fingerprint(name, task) for name, task in tasks.items()}
        twins = finished_twins(fingerprints.values())
        # A calculation with a finished twin needs no slot.
        known = sorted(name for name, value in fingerprints.items() if value in twins)
        self.ctx.waiting = sorted(set(self.ctx.structures) - set(known))
        for name in known:
            self._launch(name, tasks[name])

    def should_run_calculations(self) -> bool:
        """Return whether structures wait, or calculations are alive."""
        return bool(self.ctx.waiting or self.alive)

    def run_calculations(self) -> None:
        """Record the calculations that have ended, and fill the slots."""
        for name, node in self.ended().items():
            if node.is_finished_ok:
                self.ctx.done[name] = node.pk
            else:
                self.ctx.failures[name] = reason(node)
                self.report(f'{name} failed: {self.ctx.failures[name]}')
        self.ctx.stage = f'{len(self.ctx.done)} of {len(self.ctx.structures)} structures done'
        tasks, computer = self._tasks(), self.inputs.qe.pw.code.computer
        self.fill(self.inputs.max_concurrent.value, computer, lambda name: self._launch(name, tasks[name]))

    def inspect_calculations(self) -> ExitCode | None:
        """Fail if a calculation failed: the analysis needs all of them."""
        if not self.ctx.failures:
            return None
        name, why = min(self.ctx.failures.items())
        code: ExitCode = self.exit_codes.ERROR_CALCULATIONS_FAILED
        return code.format(
            failed=str(len(self.ctx.failures)), total=str(len(self.ctx.structures)), reason=f'{name}, {why}'
        )

    def results(self) -> ExitCode | None:
        """Analyse, and attach the outputs."""
        nodes = {name: orm.load_node(pk) for name, pk in self.ctx.done.items()}
        try:
            outputs = analyse_property(
                property=self.inputs.property,
                settings=self.inputs.settings,
                structures={name: self._evaluated(name, node) for name, node in nodes.items()},
                parameters={name: node.outputs.output_parameters for name, node in nodes.items()},
                trajectories={name: node.outputs.output_trajectory for name, node in nodes.items()},
                **self._requirements,
            )
        except AnialError as exception:
            code: ExitCode = self.exit_codes.ERROR_NOTHING_FOLLOWS
            return code.format(reason=str(exception))
        self.out_many(outputs)
        return None

    def _evaluated(self, name: str, node: Any) -> orm.StructureData:
        """Return the structure of the results of a calculation: the relaxed one, if it relaxed."""
        structure: orm.StructureData = self.ctx.structures[name]
        if 'output_structure' in node.outputs:
            structure = node.outputs['output_structure']
        return structure

    def _tasks(self) -> dict[str, Task]:
        return tasks_of(self.inputs.property, self.inputs.settings, self._requirements)

    def _fingerprint(self, name: str, task: Task) -> str:
        """Return the fingerprint of the calculation of one structure; it does not depend on the code that runs pw.x."""
        structure, pw = self.ctx.structures[name], self.inputs.qe.pw
        sites = [site.position for site in structure.sites]
        return fingerprint(
            cell=np.round([*structure.cell, *sites], 8).tolist(),
            mesh=self.ctx.meshes[mesh_name(name, task)].get_kpoints_mesh()[0],
            parameters=pw.parameters.get_dict(),
            pseudo=pw.pseudos.Al.md5,
            relaxation=str(task.relaxation),
        )

    @property
    def _requirements(self) -> dict[str, orm.Float]:
        return {key: self.inputs[key] for key in required(self.inputs.property.value)}

    def _launch(self, name: str, task: Task) -> None:
        """Submit the calculation of one structure, with a relaxation if it asks for one."""
        structure = self.ctx.structures[name]
        inputs = AttributeDict(self.exposed_inputs(PwBaseWorkChain, 'qe'))
        inputs.kpoints = self.ctx.meshes[mesh_name(name, task)]
        inputs.metadata = {'call_link_label': name, 'label': name}
        process: Any = PwRelaxWorkChain
        if task.relaxation == Relaxation.NONE:
            process = PwBaseWorkChain
            inputs.pw.structure = structure
        else:
            inputs = _relaxation(inputs, structure, task.relaxation)
        node = self.submit(process, twin=self._fingerprint(name, task), **inputs)
        self.start(name, node)
        if not node.is_terminated:
            self.report(f'launching {node.process_label}<{node.pk}> for {name}: {len(self.ctx.waiting)} waiting')


def _relaxation(inputs: AttributeDict, structure: orm.StructureData, relaxation: Relaxation) -> AttributeDict:
    """Return the inputs of a ``PwRelaxWorkChain``, from those of a ``PwBaseWorkChain``."""
    shape = relaxation == Relaxation.SHAPE
    namelists = inputs.pw.parameters.get_dict()
    namelists['CONTROL'] |= {
        'calculation': 'vc-relax' if shape else 'relax',
        'forc_conv_thr': _FORCE_TOLERANCE_RY_PER_BOHR,
        'etot_conv_thr': _ENERGY_TOLERANCE_RY,
    }
    if shape:
        namelists['CELL'] = {'cell_dofree': 'shape', 'press_conv_thr': _PRESSURE_TOLERANCE_KBAR}
    inputs.pw.parameters = orm.Dict(namelists)
    if relaxation == Relaxation.NORMAL:
        fixed = {'FIXED_COORDS': [[True, True, False]] * len(structure.sites)}
        inputs.pw.settings = orm.Dict({**inputs.pw.settings.get_dict(), **fixed})
    return AttributeDict(
        {
            'metadata': inputs.pop('metadata'),
            'clean_workdir': inputs.pop('clean_workdir'),
            'structure': structure,
            'base_relax': inputs,
            'meta_convergence': orm.Bool(False),
        }
    )
