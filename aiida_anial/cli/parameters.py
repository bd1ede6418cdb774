"""Types of values on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ('FiniteRange',)


class FiniteRange(click.FloatRange):
    """A number within a range. Click's own type takes NaN for a number in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f'{number} is not a finite number.', param, ctx)
        return number
