"""The potential that a job evaluates: EMT, an EAM file, or a trained ensemble."""

from __future__ import annotations

from typing import Any, Literal

from aiida import orm
from aiida.engine.processes.process_spec import CalcJobProcessSpec

from aiida_anial.calculations.worker import CopyList
from aiida_anial.common.settings import Settings
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.validation import settings_validator

__all__ = ('define_labeller', 'labeller_files')


class _Labeller(Settings):
    """Which potential labels."""

    kind: Literal['emt', 'eam', 'ensemble']


def define_labeller(spec: CalcJobProcessSpec) -> None:
    """Add the inputs ``labeller``, ``potential`` and ``ensemble``."""
    spec.input(
        'labeller',
        valid_type=orm.Dict,
        validator=settings_validator(_Labeller, 'labeller'),
        help='`kind`: `emt`, `eam` (needs `potential`) or `ensemble` (needs `ensemble`).',
    )
    spec.input(
        'potential', valid_type=orm.SinglefileData, required=False, help='EAM file of LAMMPS, alloy or fs style.'
    )
    spec.input('ensemble', valid_type=EnsembleData, required=False, help='The networks.')
    spec.inputs.validator = _validate


def labeller_files(inputs: Any) -> CopyList:
    """Return the copy of the file of the potential, under the name that the worker knows."""
    if 'potential' in inputs:
        name = inputs.potential.filename
        style = 'alloy' if name.endswith('alloy') else 'fs'
        return [(inputs.potential.uuid, name, f'potential.eam.{style}')]
    return [(inputs.ensemble.uuid, EnsembleData.FILENAME, EnsembleData.FILENAME)] if 'ensemble' in inputs else []


def _validate(inputs: dict[str, Any], _: Any) -> str | None:
    """Refuse a labeller without its file."""
    kind = inputs['labeller'].get('kind') if inputs.get('labeller') is not None else None
    needed = {'eam': 'potential', 'ensemble': 'ensemble'}.get(str(kind))
    if needed is not None and inputs.get(needed) is None:
        return f'{needed}: the labeller `{kind}` needs this input.'
    return None
