"""Write the texts of a release: the data card, from the facts about it, and the citation file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import yaml
from ase.data import atomic_numbers
from jinja2 import Environment, PackageLoader, StrictUndefined
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from aiida_anial.common.errors import AnialError

__all__ = ('METHOD', 'Author', 'citation_file', 'data_card', 'model_card', 'spdx_license', 'theory_in_words')

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
    if theory['kpoints_per_reciprocal_atom']:
        details.append(f'at least {theory["kpoints_per_reciprocal_atom"]} k-points per reciprocal atom')
    return details


def data_card(facts: Mapping[str, Any]) -> str:
    """Return the data card as Markdown.

    :param facts: plain values by the names in the template ``card.md.jinja``; ``write_release`` collects them.
    :raises jinja2.UndefinedError: if a fact is missing.
    """
    return _rendered('card.md.jinja', {**facts, 'e0s': _e0s(facts['described']['isolated_atom_energies_ev'])})


def model_card(facts: Mapping[str, Any]) -> str:
    """Return the model card as Markdown, without front matter.

    :param facts: result of :func:`~aiida_anial.report.description.description`.
    :raises jinja2.UndefinedError: if a fact is missing.
    """
    return _rendered('model.md.jinja', facts)


def _rendered(template: str, facts: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader('aiida_anial.report', '.'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    environment.filters |= {'number': _number, 'size': _size, 'words': theory_in_words}
    return environment.get_template(template).render(facts)


def _e0s(energies: Mapping[str, float]) -> str:
    """Return the value of MACE's option ``--E0s``.

    :param energies: energy of an isolated atom in eV by symbol; without any, MACE fits them.
    """
    by_number = {atomic_numbers[symbol]: energy for symbol, energy in energies.items()}
    return f"'{by_number}'" if by_number else 'average'


def _number(value: float | None, digits: int = 0) -> str:
    """Format a number with ``digits`` after the decimal point, and None as a dash."""
    return '–' if value is None else f'{value:,.{digits}f}'  # noqa: RUF001 - a dash in a table


def _size(n_bytes: int) -> str:
    """Format a size in bytes, kB or MB."""
    if n_bytes < 1000:
        return f'{n_bytes} B'
    return f'{n_bytes / 1e3:.1f} kB' if n_bytes < 1e6 else f'{n_bytes / 1e6:.1f} MB'


METHOD = {
    'type': 'article',
    'title': 'Automated discovery of a robust interatomic potential for aluminum',
    'authors': [
        {'family-names': family, 'given-names': given}
        for family, given in (
            ('Smith', 'J. S.'),
            ('Nebgen', 'B.'),
            ('Mathew', 'N.'),
            ('Chen', 'J.'),
            ('Lubbers', 'N.'),
            ('Burakovsky', 'L.'),
            ('Tretiak', 'S.'),
            ('Nam', 'H. A.'),
            ('Germann', 'T.'),
            ('Fensin', 'S.'),
            ('Barros', 'K.'),
        )
    ],
    'journal': 'Nature Communications',
    'volume': 12,
    'start': '1257',
    'year': 2021,
    'doi': '10.1038/s41467-021-21376-0',
}
"""The article that describes the method."""


@dataclass(frozen=True)
class Author:
    """An author of a release.

    :param family: family name.
    :param given: given names.
    """

    family: str
    given: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an author from ``Family, Given``.

        :raises AnialError: if the text has another form.
        """
        family, comma, given = (part.strip() for part in text.partition(','))
        if not (family and comma and given) or ',' in given:
            raise AnialError(f"--author: {text!r} must have the form 'Family, Given'.")
        return cls(family, given)

    def __str__(self) -> str:
        return f'{self.given} {self.family}'


def spdx_license(text: str) -> str:
    """Return the identifier of a licence in its SPDX spelling.

    :raises AnialError: if it is not an SPDX identifier, or an expression of several.
    """
    try:
        spelled = str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        spelled = ''
    if not spelled or ' ' in spelled or spelled.startswith('LicenseRef-') or spelled.endswith('+'):
        raise AnialError(f'--license: {text!r} is not the SPDX identifier of a licence, such as CC-BY-4.0.')
    return spelled


def citation_file(*, title: str, authors: Sequence[Author], license_id: str, abstract: str) -> str:
    """Return the content of ``CITATION.cff``, in the Citation File Format 1.2.0.

    It has no date and no DOI: the repository that publishes the release assigns them.
    """
    content: dict[str, Any] = {
        'cff-version': '1.2.0',
        'message': 'If you use these data or this potential, please cite them and the article on the method.',
        'type': 'dataset',
        'title': title,
        'authors': [{'family-names': author.family, 'given-names': author.given} for author in authors],
        'abstract': abstract,
        'keywords': ['aluminium', 'density functional theory', 'interatomic potential', 'active learning', 'AiiDA'],
        'license': license_id,
        'references': [METHOD],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
