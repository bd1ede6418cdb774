"""Common to all jobs of ``anial-worker``: files, options, exit codes, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.validation import settings_validator
from aiida_anial.potential.settings import EngineSettings

__all__ = ('CHECKPOINT', 'WorkerCalculation', 'define_checkpoint')

CHECKPOINT = 'checkpoint.safetensors'


def define_checkpoint(spec: CalcJobProcessSpec) -> None:
    """Add the optional input ``parent_folder``."""
    spec.input(
        'parent_folder',
        valid_type=orm.FolderData,
        required=False,
        validator=validate_checkpoint,
        help='Retrieved files of an interrupted job with the same inputs; this one continues from its checkpoint.',
    )


def validate_checkpoint(folder: orm.FolderData | None, _: Any) -> str | None:
    """Refuse the retrieved files of a job that left no checkpoint."""
    if folder is None or CHECKPOINT in folder.base.repository.list_object_names():
        return None
    return f'parent_folder: FolderData<{folder.pk}> holds no checkpoint.'


CopyList = list[tuple[str, str, str]]


class WorkerCalculation(CalcJob):
    """A job of ``anial-worker``, which reads ``input.json`` and tensor files, and writes ``output.json`` at the end."""

    COMMAND: ClassVar[str]
    RETRIEVE: ClassVar[tuple[str, ...]] = ()
    RETRIEVE_TEMPORARY: ClassVar[tuple[str, ...]] = ()

    INPUT = 'input.json'
    OUTPUT = 'output.json'
    CHECKPOINT = CHECKPOINT
    ENSEMBLE = EnsembleData.FILENAME

    # One thread per process. glibc keeps freed memory, which doubles the speed of torch on small tensors.
    ENVIRONMENT: ClassVar[dict[str, str]] = {
        'OMP_NUM_THREADS': '1',
        'MALLOC_MMAP_THRESHOLD_': '1073741824',
        'MALLOC_TRIM_THRESHOLD_': '1073741824',
    }
    # A scheduler sends SIGTERM to all processes of a job. If the shell ended at once, the scheduler would kill the
    # worker before its checkpoint is written; with this trap, the shell waits for it.
    PREPEND: ClassVar[str] = 'trap : TERM'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.inputs['code'].required = True
        spec.inputs['metadata']['options']['parser_name'].default = f'anial.{cls.COMMAND}'
        spec.inputs['metadata']['options']['environment_variables'].default = dict(cls.ENVIRONMENT)
        spec.inputs['metadata']['options']['resources'].default = lambda: {
            'num_machines': 1,
            'num_mpiprocs_per_machine': 1,
        }
        spec.inputs['metadata']['options']['withmpi'].default = False
        spec.inputs['metadata']['options']['prepend_text'].default = cls.PREPEND
        spec.input(
            'engine',
            valid_type=orm.Dict,
            required=False,
            validator=settings_validator(EngineSettings, 'engine'),
            help='Engine of the potential: `engine`, `device`, `dtype`, `threads`.',
        )
        spec.exit_code(310, 'ERROR_OUTPUT_MISSING', invalidates_cache=True, message='The worker left no `output.json`.')
        spec.exit_code(
            311, 'ERROR_OUTPUT_UNREADABLE', invalidates_cache=True, message='An output cannot be read: {reason}'
        )
        spec.exit_code(
            400,
            'ERROR_INTERRUPTED',
            invalidates_cache=True,
            message='The job ended before it was done; its checkpoint was retrieved.',
        )
        spec.exit_code(
            401,
            'ERROR_NO_CHECKPOINT',
            invalidates_cache=True,
            message='The job ended before it was done, and left no checkpoint to continue from: {reason}',
        )
        spec.exit_code(410, 'ERROR_WORKER_FAILED', message='The worker stopped: {reason}')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input files of the job, and list the files to copy and to retrieve."""
        self._write_json(folder, self.job_inputs() | self._limits())
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [self.COMMAND]
        code.stdout_name = 'worker.out'
        code.stderr_name = 'worker.err'
        info = CalcInfo()
        info.codes_info = [code]
        info.local_copy_list = self.files(folder)
        info.retrieve_list = [self.OUTPUT, 'worker.out', 'worker.err', *self.RETRIEVE]
        info.retrieve_temporary_list = list(self.RETRIEVE_TEMPORARY)
        return info

    def job_inputs(self) -> dict[str, Any]:
        """Return the content of ``input.json`` except the engine and the time limit."""
        raise NotImplementedError

    def files(self, folder: Folder) -> CopyList:
        """Write tensor files into ``folder``, and return further copies: (UUID of node, path in node, path in job)."""
        raise NotImplementedError

    def _limits(self) -> dict[str, Any]:
        engine = self.inputs.engine.get_dict() if 'engine' in self.inputs else {}
        return {
            'engine': EngineSettings.parse(engine).to_dict(),
            'max_wallclock_seconds': self.inputs.metadata.options.get('max_wallclock_seconds'),
        }

    def _write_json(self, folder: Folder, content: dict[str, Any]) -> None:
        with folder.open(self.INPUT, 'w', encoding='utf-8') as stream:
            json.dump(content, stream, indent=2, sort_keys=True)

    def ensemble_file(self, name: str = EnsembleData.FILENAME) -> CopyList:
        """Return the copy of the input ``ensemble``."""
        return [(self.inputs.ensemble.uuid, EnsembleData.FILENAME, name)]

    def checkpoint_file(self) -> CopyList:
        """Return the copy of the checkpoint from which the job continues; empty if it starts anew."""
        if 'parent_folder' not in self.inputs:
            return []
        return [(self.inputs.parent_folder.uuid, self.CHECKPOINT, self.CHECKPOINT)]

    @staticmethod
    def shard_files(folder: Folder, shards: Mapping[str, DatasetData]) -> CopyList:
        """Return the copies of the shards, which ``anial-worker`` reads in the order of their labels."""
        folder.get_subfolder('shards', create=True)
        return [(shards[label].uuid, DatasetData.FILENAME, f'shards/{label}.safetensors') for label in sorted(shards)]
