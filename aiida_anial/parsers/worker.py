"""Common to the parsers of all jobs of ``anial-worker``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_anial.calculations.worker import WorkerCalculation
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import read_tensors

__all__ = ('MACHINE_EXTRA', 'WorkerParser')

MACHINE_EXTRA = 'machine'


class WorkerParser(Parser):
    """Read ``output.json``, turn its status into an exit code, and let a subclass read the other files."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Parse the retrieved files.

        :param kwargs: ``retrieved_temporary_folder``, the folder with the large files.
        """
        names = self.retrieved.base.repository.list_object_names()
        if WorkerCalculation.OUTPUT not in names:
            # A job that the scheduler killed writes no output, but may have left its last checkpoint.
            return self._exit('ERROR_INTERRUPTED' if WorkerCalculation.CHECKPOINT in names else 'ERROR_OUTPUT_MISSING')
        try:
            output = json.loads(self.retrieved.base.repository.get_object_content(WorkerCalculation.OUTPUT, 'r'))
            status, summary = output['status'], dict(output['summary'])
        except (ValueError, KeyError, TypeError) as exception:
            return self._exit('ERROR_OUTPUT_UNREADABLE', reason=f'{WorkerCalculation.OUTPUT}: {exception}')
        if status == 'interrupted':
            return self.interrupted(output, has_checkpoint=WorkerCalculation.CHECKPOINT in names)
        if status != 'finished':
            return self.failed(output)
        try:
            self.read(Path(kwargs['retrieved_temporary_folder']), summary)
        except (AnialError, AttributeError, LookupError, OSError, TypeError, ValueError) as exception:
            return self._exit('ERROR_OUTPUT_UNREADABLE', reason=f'{type(exception).__name__}: {exception}')
        # In an extra, so that equal results have equal hashes, also in the cache, whichever machine computed them.
        self.outputs[self.node.process_class.spec().default_output_node].base.extras.set(
            MACHINE_EXTRA, output.get('machine')
        )
        return None

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished job.

        :param folder: folder with the large files.
        :param summary: the summary in ``output.json``.
        :raises AnialError, LookupError, OSError, TypeError, ValueError, AttributeError: if a file is missing or wrong.
        """
        raise NotImplementedError

    def interrupted(self, output: dict[str, Any], *, has_checkpoint: bool) -> ExitCode:
        """Return the exit code of a job that stopped on request: a signal or its time limit."""
        if has_checkpoint:
            return self._exit('ERROR_INTERRUPTED')
        return self._exit('ERROR_NO_CHECKPOINT', reason=output.get('message', 'it gives no reason'))

    def failed(self, output: dict[str, Any]) -> ExitCode:
        """Return the exit code of a job that reports a failure."""
        return self._exit('ERROR_WORKER_FAILED', reason=output.get('message', 'it gives no reason'))

    def _exit(self, label: str, **values: str) -> ExitCode:
        code: ExitCode = getattr(self.exit_codes, label)
        return code.format(**values) if values else code

    @staticmethod
    def arrays(path: Path, kind: str, *names: str) -> orm.ArrayData:
        """Return the arrays of a tensor file as a node.

        :param kind: kind that the header of the file must name.
        :param names: arrays that the file must contain.
        :raises FileFormatError: if the file is of another kind, or an array is missing.
        """
        arrays = read_tensors(path, kind=kind, schema_version=1).arrays
        if missing := set(names) - set(arrays):
            raise FileFormatError(f'{path}: has no {min(missing)}.')
        node = orm.ArrayData()
        for name, array in arrays.items():
            node.set_array(name, array)
        return node
