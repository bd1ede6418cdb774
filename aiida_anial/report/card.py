"""The data card: what a release holds, how it was made, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from aiida_anial.report.theories import theory_in_words

__all__ = ('data_card',)

_TEMPLATE = 'card.md.jinja'


def data_card(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    :param facts: plain values by the names in the template ``card.md.jinja``; ``release_facts`` gathers them.
    :raises jinja2.UndefinedError: if one is missing.
    """
    environment = Environment(
        loader=PackageLoader('aiida_anial.report', '.'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, and not HTML
    )
    environment.filters |= {'number': _number, 'size': _size, 'words': theory_in_words}
    return environment.get_template(_TEMPLATE).render(facts)


def _number(value: float | None, digits: int = 0) -> str:
    """Return a number with ``digits`` behind the point, and a dash where there is none."""
    return '–' if value is None else f'{value:,.{digits}f}'  # noqa: RUF001 - a dash in a table


def _size(n_bytes: int) -> str:
    """Return a size in bytes, kB or MB."""
    if n_bytes < 1000:
        return f'{n_bytes} B'
    return f'{n_bytes / 1e3:.1f} kB' if n_bytes < 1e6 else f'{n_bytes / 1e6:.1f} MB'
