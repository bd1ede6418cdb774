"""Shock waves in LAMMPS, with DFT on what is cut out of them."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.calcfunctions.analyse_wave import analyse_wave
from aiida_anial.calcfunctions.compare_surroundings import compare_surroundings
from aiida_anial.calcfunctions.cut_surroundings import cut_surroundings
from aiida_anial.calcfunctions.make_wave import make_wave
from aiida_anial.calculations.lammps import LammpsCalculation
from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.validation import settings_validator, validate_positive
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.wave_input import FRAMES, PROFILES
from aiida_anial.workchains.checkpointed import LammpsWorkChain
from aiida_anial.workchains.label import LabelWorkChain
from aiida_anial.workchains.reasons import reason

__all__ = ('ShockWorkChain', 'wave_name')

_FILES = [PROFILES, FRAMES]
_MADE_HERE = ('structure', 'settings', 'seed', 'script', 'parent_folder')


def wave_name(velocity_km_s: float) -> str:
    """Return the name of a wave in link labels: its velocity in m/s."""
    return f'wave_{round(1000 * velocity_km_s)}'


class ShockWorkChain(AnialWorkChain):
    """Run one wave for each velocity, and label surroundings of atoms in the first one if asked to."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(ShockSettings, 'settings'),
            help='Velocities, crystal, dynamics, and what is cut out.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of velocities, and of what is cut out.')
        spec.input(
            'max_concurrent',
            valid_type=orm.Int,
            default=lambda: orm.Int(1),
            validator=validate_positive,
            help='Waves alive at once.',
        )
        spec.expose_inputs(LammpsCalculation, namespace='lammps', exclude=_MADE_HERE)
        spec.expose_inputs(
            LabelWorkChain,
            namespace='label',
            exclude=('cells', 'source', 'adopted'),
            namespace_options={
                'required': False,
                'populate_defaults': False,
                'help': 'How surroundings of atoms in the first wave are labelled; without it, none are.',
            },
        )
        spec.outline(
            cls.setup,
            while_(cls.should_run_waves)(
                cls.run_waves,
            ),
            cls.inspect_waves,
            if_(cls.should_run_labels)(
                cls.run_labels,
                cls.inspect_labels,
            ),
        )
        spec.output_namespace('profiles', valid_type=orm.ArrayData, dynamic=True, help='Profiles, by wave.')
        spec.output_namespace('points', valid_type=orm.Dict, dynamic=True, help='Hugoniot points, by wave.')
        spec.output('surroundings', valid_type=orm.Dict, required=False, help='What was cut out, by name.')
        spec.output('dataset', valid_type=DatasetData, required=False, help='The labels of what was cut out.')
        spec.output('comparison', valid_type=orm.Dict, required=False, help='Errors of forces by radius.')
        spec.exit_code(401, 'ERROR_WAVES_FAILED', message='{failed} of {total} waves failed: {reason}')
        spec.exit_code(402, 'ERROR_NOTHING_CUT_OUT', message='Nothing could be cut out of the wave: {reason}')
        spec.exit_code(403, 'ERROR_LABELS_FAILED', message='The labelling failed: {reason}')

    def setup(self) -> None:
        """Queue the waves."""
        self.ctx.velocities = {wave_name(value): value for value in self._settings.particle_velocities_km_s}
        self.ctx.waiting = list(self.ctx.velocities)
        self.ctx.done, self.ctx.failures = {}, {}

    def should_run_waves(self) -> bool:
        """Return whether waves wait, or are alive."""
        return bool(self.ctx.waiting or self.alive)

    def run_waves(self) -> None:
        """Analyse the waves that have ended, and fill the slots."""
        for name, node in self.ended().items():
            self._analyse(name, node)
        self.ctx.stage = f'{len(self.ctx.done)} of {len(self.ctx.velocities)} waves done'
        self.fill(self.inputs.max_concurrent.value, self.inputs.lammps.code.computer, self._launch)

    def inspect_waves(self) -> ExitCode | None:
        """Fail if a wave failed; those that did not are among the outputs."""
        if not self.ctx.failures:
            return None
        name, why = min(self.ctx.failures.items())
        return self._exit('ERROR_WAVES_FAILED', f'{name}, {why}', failed=len(self.ctx.failures))

    def should_run_labels(self) -> bool:
        """Return whether labels are asked for."""
        return 'label' in self.inputs

    def run_labels(self) -> ToContext | ExitCode:
        """Cut surroundings out of the first wave, and launch their labelling."""
        name = wave_name(self._settings.particle_velocities_km_s[0])
        node = orm.load_node(self.ctx.done[name])
        try:
            made = cut_surroundings(self.inputs.settings, self.inputs.seed, node.outputs.retrieved)
        except AnialError as exception:
            return self._exit('ERROR_NOTHING_CUT_OUT', str(exception))
        self.out('surroundings', made['surroundings'])
        self.ctx.cells, self.ctx.surroundings = made['cells'], made['surroundings']
        inputs = AttributeDict(self.exposed_inputs(LabelWorkChain, 'label'))
        inputs.cells = made['cells']
        inputs.source = orm.Dict({'iteration': 0, 'origin': 'shock'})
        inputs.metadata = {'call_link_label': 'labels', 'label': 'surroundings in a wave'}
        self.ctx.stage = f'labelling {len(made["cells"])} surroundings'
        return ToContext(labelling=self.submit(LabelWorkChain, **inputs))

    def inspect_labels(self) -> ExitCode | None:
        """Compare forces, also where some labels failed."""
        node = self.ctx.labelling
        if 'dataset' in node.outputs:
            self.out('dataset', node.outputs.dataset)
            self.out(
                'comparison',
                compare_surroundings(
                    surroundings=self.ctx.surroundings, dataset=node.outputs.dataset, cells=self.ctx.cells
                ),
            )
        return None if node.is_finished_ok else self._exit('ERROR_LABELS_FAILED', reason(node))

    def _launch(self, name: str) -> None:
        """Submit a wave."""
        velocity = orm.Float(self.ctx.velocities[name])
        inputs = AttributeDict(self.exposed_inputs(LammpsCalculation, 'lammps'))
        inputs.script = make_wave(self.inputs.settings, velocity, self.inputs.seed)
        inputs.metadata.options.additional_retrieve_list = _FILES
        node = self.submit(LammpsWorkChain, lammps=inputs, metadata={'call_link_label': name, 'label': name})
        self.start(name, node)
        self.report(f'launching LammpsWorkChain<{node.pk}> for {velocity.value:g} km/s')

    def _analyse(self, name: str, node: Any) -> None:
        """Attach what follows from a wave, or record why nothing does."""
        if not node.is_finished_ok:
            self.ctx.failures[name] = reason(node)
            return
        velocity = orm.Float(self.ctx.velocities[name])
        try:
            found = analyse_wave(self.inputs.settings, velocity, node.outputs.retrieved)
        except (AnialError, OSError) as exception:
            self.ctx.failures[name] = str(exception)
            return
        self.ctx.done[name] = node.pk
        self.out(f'profiles.{name}', found['profiles'])
        self.out(f'points.{name}', found['point'])

    @property
    def _settings(self) -> ShockSettings:
        return ShockSettings.parse(self.inputs.settings.get_dict())

    def _exit(self, label: str, why: str, **values: int) -> ExitCode:
        code: ExitCode = getattr(self.exit_codes, label)
        return code.format(reason=why, total=str(len(self.ctx.velocities)), **{k: str(v) for k, v in values.items()})
