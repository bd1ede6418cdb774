"""A range of lengths or volumes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from aiida_anial.common.settings import Positive

__all__ = ('Span',)


def _check(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError('it must end above where it begins')
    return value


Span = Annotated[tuple[Positive, Positive], AfterValidator(_check)]
"""From low to high, both above 0."""
