"""The job that runs molecular dynamics in LAMMPS."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.data.validation import settings_validator
from aiida_anial.interfaces.lammps_dynamics import (
    ATOMS,
    END,
    FRAMES,
    INPUT,
    LammpsSettings,
    data_file,
    input_file,
)

__all__ = ('LammpsCalculation',)


class LammpsCalculation(CalcJob):
    """Build the plugin of an ensemble where the job runs, and run a dynamics in LAMMPS, on any number of ranks."""

    LOG = 'log.lammps'
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
        spec.input('structure', valid_type=orm.StructureData, validator=validate_structure, help='Atoms at the start.')
        spec.input(
            'settings',
            valid_type=orm.Dict,
            validator=settings_validator(LammpsSettings, 'settings'),
            help='Settings of the dynamics: ensemble, time, temperatures, pressure, stored frames.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the velocities.')
        spec.output('trajectory', valid_type=orm.TrajectoryData, help='Stored frames, and why the dynamics ended.')
        spec.output('table', valid_type=orm.ArrayData, help='Energies, temperature, volume and pressure at each check.')
        spec.exit_code(310, 'ERROR_NO_LOG', invalidates_cache=True, message='LAMMPS left no log: {reason}')
        spec.exit_code(311, 'ERROR_OUTPUT_UNREADABLE', invalidates_cache=True, message='An output is wrong: {reason}')
        spec.exit_code(312, 'ERROR_NOT_BUILT', invalidates_cache=True, message='The plugin was not built: {reason}')
        spec.exit_code(400, 'ERROR_INTERRUPTED', invalidates_cache=True, message='The time limit ended the dynamics.')
        spec.exit_code(410, 'ERROR_LAMMPS_FAILED', message='LAMMPS stopped: {reason}')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input and the atoms, and list the files to copy and to retrieve."""
        structure = self.inputs.structure
        settings = LammpsSettings.parse(self.inputs.settings.get_dict())
        limit = self.inputs.metadata.options.get('max_wallclock_seconds')
        positions = np.array([site.position for site in structure.sites])
        self._write(folder, ATOMS, data_file(positions, np.array(structure.cell)))
        self._write(folder, INPUT, input_file(settings, seed=self.inputs.seed.value, max_wallclock_seconds=limit))
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = ['-in', INPUT]
        code.stdout_name = 'lammps.out'
        info = CalcInfo()
        info.codes_info = [code]
        info.prepend_text = f'sh build.sh {shlex.quote(str(self.inputs.code.get_executable()))} > {self.BUILD} 2>&1'
        names = self.inputs.potential.base.repository.list_object_names()
        info.local_copy_list = [(self.inputs.potential.uuid, name, name) for name in names]
        info.retrieve_list = [self.BUILD, self.LOG, 'lammps.out']
        info.retrieve_temporary_list = [FRAMES, END]
        return info

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
