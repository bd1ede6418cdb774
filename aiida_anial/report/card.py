"""Write the data card of a release from the facts about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ('data_card', 'theory_in_words')

_SIMPLE = {
    'emt': "effective medium theory, as implemented in ASE's calculator EMT",
    'eam': 'an embedded-atom potential',
    'ensemble': 'a trained ensemble of ANI networks as teacher',
}


def theory_in_words(theory: Mapping[str, Any] | None) -> str:
    """Describe a level of theory as part of a sentence.

    :param theory: values of ``LevelOfTheory``, or ``None`` if it is unknown.
    """
    if theory is None:
        return 'an unknown level of theory'
    if theory['code'] in _SIMPLE:
        return _SIMPLE[theory['code']]
    name = f'`{theory["code"]}`' if theory['code'] != 'pw.x' else '`pw.x` of Quantum ESPRESSO'
    version = f' {theory["version"]}' if theory['version'] else ''
    return ', '.join([name + version, *_details(theory)])


def _details(theory: Mapping[str, Any]) -> list[str]:
    """Return the known ones of functional, cutoffs, smearing and k-points."""
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


_TEMPLATE = 'card.md.jinja'


def data_card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    :param facts: plain values by the names in the template ``card.md.jinja``; ``write_release`` collects them.
    :raises jinja2.UndefinedError: if a fact is missing.
    """
    environment = Environment(
        loader=PackageLoader('aiida_anial.report', '.'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    environment.filters |= {'number': _number, 'size': _size, 'words': theory_in_words}
    return environment.get_template(_TEMPLATE).render(facts)


def _number(value: float | None, digits: int = 0) -> str:
    """Format a number with ``digits`` after the decimal point, and None as a dash."""
    return '–' if value is None else f'{value:,.{digits}f}'  # noqa: RUF001 - a dash in a table


def _size(n_bytes: int) -> str:
    """Format a size in bytes, kB or MB."""
    if n_bytes < 1000:
        return f'{n_bytes} B'
    return f'{n_bytes / 1e3:.1f} kB' if n_bytes < 1e6 else f'{n_bytes / 1e6:.1f} MB'
