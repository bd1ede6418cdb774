"""Write the citation file of a release, in the Citation File Format 1.2.0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from aiida_anial.common.errors import AnialError

__all__ = ('METHOD', 'Author', 'citation_file', 'spdx_license')

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
    """Return the content of ``CITATION.cff``.

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
