"""The parser of molecular dynamics in LAMMPS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_anial.calculations.lammps import LammpsCalculation
from aiida_anial.common.errors import AnialError
from aiida_anial.data.structures import to_cells
from aiida_anial.interfaces.lammps_dynamics import LOG, LammpsSettings
from aiida_anial.interfaces.lammps_output import can_continue, error_of, ran_out_of_time, read_dynamics
from aiida_anial.parsers.sample import trajectory_node

__all__ = ('LammpsParser',)


class LammpsParser(Parser):
    """Store the frames as the sampler does, and the table as arrays."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Parse the retrieved files.

        :param kwargs: ``retrieved_temporary_folder``, the folder with the frames.
        """
        log = self._text(LOG)
        build = self._text(LammpsCalculation.BUILD)
        if 'is for' not in build:
            return self._exit('ERROR_NOT_BUILT', build.strip()[-300:] or 'build.sh said nothing')
        if error := error_of(log):
            return self._exit('ERROR_LAMMPS_FAILED', error)
        if not log:
            return self._exit('ERROR_NO_LOG', self._text('lammps.out').strip()[-300:] or 'it said nothing')
        if 'settings' in self.node.inputs and (problem := self._store_dynamics(log, **kwargs)) is not None:
            return problem
        if ran_out_of_time(log):
            return self._exit('ERROR_INTERRUPTED' if can_continue(log) else 'ERROR_NO_RESTART')
        return None

    def _store_dynamics(self, log: str, **kwargs: Any) -> ExitCode | None:
        """Attach the frames and the table of a dynamics by settings."""
        cells = to_cells({'structure': self.node.inputs.structure})
        try:
            found = read_dynamics(
                Path(kwargs['retrieved_temporary_folder']),
                log,
                LammpsSettings.parse(self.node.inputs.settings.get_dict()),
                species=cells.species,
                lattice=cells.lattices[0],
            )
        except (AnialError, LookupError, OSError, ValueError) as exception:
            return self._exit('ERROR_OUTPUT_UNREADABLE', str(exception))
        self.out('trajectory', trajectory_node(found.trajectory))
        table = orm.ArrayData()
        for name, values in found.table.items():
            table.set_array(name, values)
        self.out('table', table)
        return None

    def _text(self, name: str) -> str:
        """Return the content of a retrieved file, empty if there is none."""
        if name not in self.retrieved.base.repository.list_object_names():
            return ''
        content: str = self.retrieved.base.repository.get_object_content(name, 'r')
        return content

    def _exit(self, label: str, reason: str = '') -> ExitCode:
        code: ExitCode = getattr(self.exit_codes, label)
        return code.format(reason=reason)
