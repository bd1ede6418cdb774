"""Settings of the jobs of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from aiida_anial.common.settings import Settings

__all__ = ('JobSettings',)

Count = Annotated[int, Field(ge=1)]


def _lines(value: Any) -> Any:
    """Return the lines of a text or a list as a tuple, and anything else unchanged."""
    value = value.splitlines() if isinstance(value, str) else value
    return tuple(value) if isinstance(value, list) else value


def _directives(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that are not empty.

    :raises ValueError: if a line is not a directive: the shell would run it, or the scheduler would not read it.
    """
    single = [line.strip() for text in lines for line in text.splitlines() if line.strip()]
    for line in single:
        if not line.startswith('#'):
            raise ValueError(f'{line!r} is not a line for the scheduler, which begins with #, as #SBATCH does')
    return tuple(single)


def _word(text: str) -> str:
    """Return ``text`` if it is one word in the script of a job.

    :raises ValueError: if it is not.
    """
    if len(text.split()) != 1 or text != text.strip():
        raise ValueError('a name without blanks is needed')
    return text


Directives = Annotated[tuple[str, ...], BeforeValidator(_lines), AfterValidator(_directives)]
Word = Annotated[str, AfterValidator(_word)]

_RESOURCES = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')


class JobSettings(Settings):
    """Resources that one kind of job requests from the scheduler.

    :param max_wallclock_seconds: training and sampling stop shortly before, and continue in a new job.
    :param max_memory_kb: memory on each machine, in units of 1024 bytes; ``null`` leaves it to the scheduler.
    :param custom_scheduler_commands: lines copied to the scheduler script, such as ``#SBATCH --gres=gpu:1``; a list or
        one text.
    """

    num_machines: Count = 1
    num_mpiprocs_per_machine: Count = 1
    num_cores_per_mpiproc: Count | None = None
    max_wallclock_seconds: Annotated[int, Field(ge=10)] = 3600
    max_memory_kb: Annotated[int, Field(ge=1024)] | None = None
    withmpi: bool = False
    queue_name: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    custom_scheduler_commands: Directives = ()

    def options(self) -> dict[str, Any]:
        """Return the ``metadata.options`` of a CalcJob."""
        resources = {key: getattr(self, key) for key in ('num_machines', 'num_mpiprocs_per_machine')}
        if self.num_cores_per_mpiproc is not None:
            resources['num_cores_per_mpiproc'] = self.num_cores_per_mpiproc
        names = ('max_memory_kb', 'queue_name', 'account', 'qos')
        optional = {key: getattr(self, key) for key in names if getattr(self, key) is not None}
        if self.custom_scheduler_commands:
            optional['custom_scheduler_commands'] = '\n'.join(self.custom_scheduler_commands)
        return {
            'resources': resources,
            'max_wallclock_seconds': self.max_wallclock_seconds,
            'withmpi': self.withmpi,
            **optional,
        }

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the settings whose ``options()`` are the ``metadata.options`` of a CalcJob."""
        resources = {name: options['resources'].get(name) for name in _RESOURCES}
        known = {**resources, **options}
        return cls.parse({name: known[name] for name in cls.model_fields if known.get(name) is not None})
