"""A level of theory in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ('theory_in_words',)

_SIMPLE = {
    'emt': "effective medium theory, as ASE's calculator EMT has it",
    'eam': 'an embedded-atom potential',
    'ensemble': 'a trained ensemble of ANI networks as teacher',
}


def theory_in_words(theory: Mapping[str, Any] | None) -> str:
    """Return one level of theory as part of a sentence.

    :param theory: values of ``LevelOfTheory``; ``None`` where it is not known.
    """
    if theory is None:
        return 'an unknown level of theory'
    if theory['code'] in _SIMPLE:
        return _SIMPLE[theory['code']]
    name = f'`{theory["code"]}`' if theory['code'] != 'pw.x' else '`pw.x` of Quantum ESPRESSO'
    version = f' {theory["version"]}' if theory['version'] else ''
    return ', '.join([name + version, *_details(theory)])


def _details(theory: Mapping[str, Any]) -> list[str]:
    """Return functional, cutoffs, smearing and k-points, as far as they are known."""
    details = []
    if theory['functional']:
        details.append(f'functional {theory["functional"]}')
    if theory['ecutwfc_ry']:
        density = f' (charge density {theory["ecutrho_ry"]:g} Ry)' if theory['ecutrho_ry'] else ''
        details.append(f'plane waves up to {theory["ecutwfc_ry"]:g} Ry{density}')
    if theory['smearing']:
        width = f' of {theory["degauss_ry"]:g} Ry' if theory['degauss_ry'] else ''
        details.append(f'{theory["smearing"]} smearing{width}')
    if theory['kpoints_mesh']:
        details.append(f'k-points {"x".join(map(str, theory["kpoints_mesh"]))}')
    if theory['kpoints_distance_per_angstrom']:
        details.append(f'k-points at most {theory["kpoints_distance_per_angstrom"]:g} 1/Å apart')
    return details
