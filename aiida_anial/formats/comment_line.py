"""Values in the comment line of extended XYZ, as ASE reads them back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ('numbers', 'quoted_json', 'text')

_READ_AS_BOOLEAN = {'T', 'F', 'true', 'false', 'True', 'False', 'TRUE', 'FALSE'}
_SPECIAL = set('\\"\'{}[]=, ')


def numbers(values: NDArray[np.float64]) -> str:
    """Return numbers in quotes with all their digits, those of a matrix row by row."""
    return '"' + ' '.join(map(repr, values.ravel().tolist())) + '"'


def quoted_json(value: Any) -> str:
    """Return any JSON value in quotes; ASE gives the value back."""
    content = json.dumps(value, sort_keys=True, allow_nan=False)
    return '"_JSON ' + content.replace('\\', '\\\\').replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return text that ASE reads as text, also where it could be a number: the digits of a hash, or ``12e5``."""
    is_plain = value and not (value in _READ_AS_BOOLEAN or _SPECIAL & set(value) or _is_number(value))
    return value if is_plain else quoted_json(value)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
