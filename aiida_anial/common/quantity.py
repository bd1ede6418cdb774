"""A value with its unit and uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ('Quantity',)


@dataclass(frozen=True)
class Quantity:
    """A value with its unit and uncertainty.

    :param value: value in ``unit``.
    :param unit: such as ``GPa``, ``angstrom``, ``meV``, ``meV/atom`` or ``mJ/m2``; ``1`` if there is none.
    :param uncertainty: one standard deviation in ``unit``, over the members of an ensemble or of a fit; None if
        unknown.
    """

    value: float
    unit: str
    uncertainty: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return ``{value, unit, uncertainty}``, with None for numbers that are not finite."""
        uncertainty = self.uncertainty
        return {
            'value': self.value if math.isfinite(self.value) else None,
            'unit': self.unit,
            'uncertainty': uncertainty if uncertainty is not None and math.isfinite(uncertainty) else None,
        }

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Self:
        """Return the quantity of which ``to_dict`` gave ``content``."""
        value = content['value']
        return cls(math.nan if value is None else float(value), str(content['unit']), content.get('uncertainty'))
