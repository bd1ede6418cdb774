"""The job that runs molecular dynamics in LAMMPS."""

from __future__ import annotations

import shlex
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.data.structures import to_cells
from aiida_anial.data.validation import settings_validator
from aiida_anial.interfaces.lammps_dynamics import (
    ATOMS,
    END,
    FRAMES,
    INPUT,
    LOG,
    RESTART,
    LammpsSettings,
    data_file,
    input_file,
    job_header,
)

__all__ = ('LammpsCalculation',)


class LammpsCalculation(CalcJob):
    """Build the plugin of an ensemble where the job runs, and run LAMMPS with it, on any number of ranks.

    It runs the dynamics that ``settings`` describe, and stores its frames; or any ``script``, whose files are retrieved
    as ``metadata.options.additional_retrieve_list`` says. Shortly before the end of its wall-clock time LAMMPS ends the
    dynamics and saves its state, from which another job with the same inputs goes on.
    """

    BUILD = 'build.out'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.inputs['code'].required = True
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'anial.lammps'
        options['resources'].default = lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        options['environment_variables'].default = {'OMP_NUM_THREADS': '1', 'LAMMPS_PLUGIN_PATH': '.'}
        spec.input(
            'potential',
            valid_type=orm.FolderData,
            validator=validate_potential,
            help='Ensemble as sources of a plugin, as `export_sources` writes it.',
        )
        spec.input(
            'structure',
            valid_type=orm.StructureData,
            required=False,
            validator=validate_structure,
            help=f'Atoms at the start; scripts read them from `{ATOMS}`.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            required=False,
            validator=settings_validator(LammpsSettings, 'settings'),
            help='Settings of the dynamics: ensemble, time, temperatures, pressure, stored frames.',
        )
        spec.input('seed', valid_type=orm.Int, required=False, help='Seed of the velocities.')
        spec.input(
            'script',
            valid_type=orm.SinglefileData,
            required=False,
            help='Input of LAMMPS, instead of settings; it includes `${anial}/potential.in`.',
        )
        spec.input(
            'parent_folder',
            valid_type=orm.RemoteData,
            required=False,
            help='Work directory of an interrupted job with the same inputs; this one goes on from its state.',
        )
        spec.inputs.validator = cls.validate_inputs
        spec.output(
            'trajectory',
            valid_type=orm.TrajectoryData,
            required=False,
            help='Stored frames, and why the dynamics ended; none with a script.',
        )
        spec.output(
            'table',
            valid_type=orm.ArrayData,
            required=False,
            help='Energies, temperature, volume and pressure at each check; none with a script.',
        )
        spec.exit_code(310, 'ERROR_NO_LOG', invalidates_cache=True, message='LAMMPS left no log: {reason}')
        spec.exit_code(311, 'ERROR_OUTPUT_UNREADABLE', invalidates_cache=True, message='An output is wrong: {reason}')
        spec.exit_code(312, 'ERROR_NOT_BUILT', invalidates_cache=True, message='The plugin was not built: {reason}')
        spec.exit_code(400, 'ERROR_INTERRUPTED', invalidates_cache=True, message='The time limit ended the dynamics.')
        spec.exit_code(
            401,
            'ERROR_NO_RESTART',
            invalidates_cache=True,
            message=f'The time limit ended the dynamics, which saved no `{RESTART}` to go on from.',
        )
        spec.exit_code(410, 'ERROR_LAMMPS_FAILED', message='LAMMPS stopped: {reason}')

    @staticmethod
    def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse both settings and a script, and settings without what they need."""
        if 'settings' not in ports or 'script' not in ports:
            return None
        if ('settings' in inputs) == ('script' in inputs):
            return 'settings: give either settings or a script.'
        missing = [name for name in ('structure', 'seed') if 'settings' in inputs and name not in inputs]
        return f'{missing[0]}: a dynamics by settings needs it.' if missing else None

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input and the atoms, and list the files to copy and to retrieve."""
        if 'structure' in self.inputs:
            cells = to_cells({'structure': self.inputs.structure})
            self._write(folder, ATOMS, data_file(cells.positions, cells.lattices[0]))
        limit = self.inputs.metadata.options.get('max_wallclock_seconds')
        self._write(folder, INPUT, job_header(limit) + self._input())
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ['-in', INPUT, '-log', 'none', '-var', 'anial', '.']
        code.stdout_name = 'lammps.out'
        info = CalcInfo()
        info.codes_info = [code]
        info.prepend_text = f'sh build.sh {shlex.quote(str(self.inputs.code.get_executable()))} > {self.BUILD} 2>&1'
        names = self.inputs.potential.base.repository.list_object_names()
        info.local_copy_list = [(self.inputs.potential.uuid, name, name) for name in names]
        info.retrieve_list = [self.BUILD, LOG, 'lammps.out']
        info.retrieve_temporary_list = [] if 'script' in self.inputs else [FRAMES, END]
        if 'parent_folder' in self.inputs:
            info.remote_copy_list = self._saved_files()
        return info

    def _saved_files(self) -> list[tuple[str, str, str]]:
        """Return the copies of the state from which the job goes on, and of the files that it appends to."""
        parent, written = self.inputs.parent_folder, [FRAMES]
        if 'script' in self.inputs:
            written = self.inputs.metadata.options.get('additional_retrieve_list', [])
        names = (LOG, RESTART, *written)
        return [(parent.computer.uuid, f'{parent.get_remote_path()}/{name}', name) for name in names]

    def _input(self) -> str:
        """Return the input of LAMMPS."""
        if 'script' in self.inputs:
            script: str = self.inputs.script.get_content()
            return script
        settings = LammpsSettings.parse(self.inputs.settings.get_dict())
        return input_file(settings, seed=self.inputs.seed.value)

    @staticmethod
    def _write(folder: Folder, name: str, text: str) -> None:
        with folder.open(name, 'w', encoding='utf-8') as stream:
            stream.write(text)


def validate_potential(folder: orm.FolderData | None, _: Any) -> str | None:
    """Refuse a folder that is no plugin of LAMMPS."""
    if folder is None or folder.base.attributes.get('file_format', None) == 'lammps':
        return None
    return f'potential: FolderData<{folder.pk}> is no plugin of LAMMPS; export_sources writes them.'


def validate_structure(structure: orm.StructureData | None, _: Any) -> str | None:
    """Refuse a structure that is not periodic, or of several elements."""
    if structure is None:
        return None
    if structure.pbc != (True, True, True):
        return 'structure: the cell must be periodic in three directions.'
    if len(structure.get_symbols_set()) > 1:
        return 'structure: it has more than one element.'
    return None
