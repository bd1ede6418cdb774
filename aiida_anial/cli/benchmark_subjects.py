"""Resolve the arguments of ``benchmark`` to the potentials that are compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded_code, loaded_ensemble
from aiida_anial.labellers.pw_inputs import pseudo_and_cutoffs
from aiida_anial.potential.source import EAM_SUFFIXES
from aiida_anial.properties.comparison.results import DFT
from aiida_anial.protocols.benchmark import DFT_SETTINGS, BenchmarkSubjects
from aiida_anial.protocols.protocol import campaign_inputs

__all__ = ('benchmark_subjects',)


def benchmark_subjects(subject: str | None, references: Sequence[str], *, pw_code: str) -> BenchmarkSubjects:
    """Return the potentials to benchmark.

    :param subject: pk, UUID, file or folder of the ensemble, or None for references alone.
    :param references: ``qe``, EAM files and other ensembles.
    :param pw_code: code of pw.x, for the reference ``qe``.
    :raises AnialError: if one of them cannot be resolved, or neither is given.
    """
    if subject is None and not references:
        raise AnialError('ENSEMBLE: give an ensemble or a --reference.')
    found: dict[str, Any] = {'references': {}, 'potentials': {}}
    if subject is not None:
        found['ensemble'] = _ensemble(subject, 'ENSEMBLE')
    for reference in dict.fromkeys(references):
        if reference == DFT:
            found |= _dft(pw_code)
        elif reference.endswith(EAM_SUFFIXES):
            found['potentials'][_name(Path(reference).name)] = _potential(Path(reference))
        else:
            node = _ensemble(reference, '--reference')
            name = Path(reference).stem if Path(reference).exists() else f'ensemble_{node.pk}'
            found['references'][_name(name)] = node
    return BenchmarkSubjects(**found)


def _ensemble(identifier: str, option: str) -> EnsembleData:
    """Return the node of an ensemble; for a file or folder, an existing node with the same content or a new one."""
    path = Path(identifier)
    if not path.exists():
        return loaded_ensemble(identifier, option)
    from aiida_anial.potential.neurochem import read_neurochem
    from aiida_anial.potential.potential import potential_bytes, read_potential

    ensemble = read_neurochem(path) if path.is_dir() else read_potential(path)
    digest = hashlib.sha256(potential_bytes(ensemble)).hexdigest()
    query = orm.QueryBuilder().append(EnsembleData, filters={'attributes.sha256': digest})
    known: EnsembleData | None = query.first(flat=True)
    if known is not None:
        return known
    node = EnsembleData(ensemble)
    node.label = path.stem
    return node


def _potential(path: Path) -> orm.SinglefileData:
    """Return an EAM file as an unstored node.

    :raises AnialError: if there is no such file, or it is not an EAM file.
    """
    if not path.is_file():
        raise AnialError(f'--reference: there is no file {str(path)!r}.')
    from aiida_anial.potential.source import read_eam

    read_eam(path)
    return orm.SinglefileData(path.absolute())


def _dft(pw_code: str) -> dict[str, Any]:
    """Return what DFT needs: the pseudopotential of the package, with its cutoffs."""
    code = loaded_code(pw_code, 'quantumespresso.pw', '--pw-code')
    pseudo, inputs = pseudo_and_cutoffs(campaign_inputs())
    cutoffs = {name: getattr(inputs.label.qe, name) for name in ('ecutwfc_ry', 'ecutrho_ry')}
    return {'pw_code': code, 'pseudo': pseudo, 'qe': DFT_SETTINGS.model_copy(update=cutoffs)}


def _name(text: str) -> str:
    """Return the text as a name of a potential that is valid in link labels."""
    name = re.sub(r'\W+', '_', text).strip('_')
    name = re.sub('_+', '_', name)
    return name if name[:1].isalpha() else f'potential_{name}'
