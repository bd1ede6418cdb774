"""``anial-worker property``: one property of an ensemble, an EAM potential or EMT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.source import EMT_NAME, NamedCalculator, PotentialSource, open_potential
from aiida_anial.properties.registry import BenchmarkSettings, check_properties, run_properties
from aiida_anial.worker.evaluate import EAM_FILES
from aiida_anial.worker.job import Job, JobInputs

__all__ = ('PropertyInputs', 'run')


class PropertyInputs(JobInputs):
    """Content of ``input.json``.

    :param property: its name.
    :param settings: of the property and of the lattice constant.
    :param labeller: what is evaluated.
    :param engine: for an ensemble, which is evaluated in double precision always; its ``threads`` count.
    """

    property: str
    settings: BenchmarkSettings = BenchmarkSettings()
    labeller: PotentialSource
    engine: EngineSettings = EngineSettings()


def run(job: Job) -> dict[str, Any]:
    """Write the curves of the property to ``curves.safetensors``, and return its quantities and notes.

    :raises AnialError: if an input is wrong, or nothing follows.
    """
    inputs = job.parse(PropertyInputs)
    check_properties([inputs.property])
    potential = _potential(job.directory, inputs)
    results = run_properties([inputs.property], inputs.settings, potential.calculator, report=job.report)
    result = results[inputs.property]
    metadata = {'property': inputs.property}
    write_tensors(job.path('curves.safetensors'), TensorFile('curves', 1, metadata, dict(result.curves)))
    return {
        'quantities': {name: quantity.to_dict() for name, quantity in result.quantities.items()},
        'notes': list(result.notes),
    }


def _potential(directory: Path, inputs: PropertyInputs) -> NamedCalculator:
    """Return what is evaluated.

    :raises FileFormatError: if its file is missing or wrong.
    """
    names = {'ensemble': ('ensemble.safetensors',), 'eam': EAM_FILES}.get(inputs.labeller.kind)
    if names is None:
        return open_potential(Path(EMT_NAME))
    for name in names:
        if (directory / name).is_file():
            return open_potential(directory / name, threads=inputs.engine.threads)
    raise FileFormatError(f'{directory}: the labeller {inputs.labeller.kind} needs {" or ".join(names)}.')
