"""Check of pseudopotential files, before any calculation uses them.

aiida-pseudo checks only the entries for the element and the valence. The files are not valid XML, because comments in
them are not escaped; they are therefore searched for the names of sections.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ('upf_fault',)

# Files with all-electron data on a fine mesh have some ten megabytes.
_MAX_BYTES = 2**26

_TABLES = ('PP_R', 'PP_LOCAL', 'PP_RHOATOM')
_MIN_ROWS = 10

_HEADER = 10_000
_ELEMENT = re.compile(r'element\s*=\s*["\']\s*([A-Za-z]{1,2})\s*["\']|^ *([A-Za-z]{1,2}) +Element', re.MULTILINE)

# Fortran omits the letter of an exponent with three digits.
_LONG_EXPONENT = re.compile(r'(?<=[0-9.])[Dd]?([+-][0-9]{3})\b')


def upf_fault(content: bytes, *, element: str) -> str | None:
    """Return why ``content`` is not a pseudopotential of ``element`` in the Unified Pseudopotential Format, or None.

    :param element: chemical symbol.
    """
    if len(content) > _MAX_BYTES:
        return f'it has {len(content)} bytes where at most {_MAX_BYTES} are allowed'
    try:
        text = content.decode('utf-8')
    except UnicodeDecodeError:
        return 'it is not text'
    # A few nested entities can expand to gigabytes in an XML parser.
    if '<!DOCTYPE' in text or '<!ENTITY' in text:
        return 'it declares entities, which no pseudopotential does'
    header = _section(text, 'PP_HEADER')
    if header is None:
        return 'it has no PP_HEADER'
    found = _ELEMENT.search(header[:_HEADER])
    symbol = (found[1] or found[2]) if found else 'no element'
    if symbol != element:
        return f'it is of {symbol} and not of {element}'
    return _tables_fault(text)


def _section(text: str, name: str) -> str | None:
    """Return the text of a section after its name; None if it does not begin or does not end."""
    start = min((at for end in (' ', '\n', '\t', '>', '/') if (at := text.find(f'<{name}{end}')) >= 0), default=-1)
    if start < 0:
        return None
    start += len(name) + 1
    bracket = text.find('>', start)
    if bracket > 0 and text[bracket - 1] == '/':
        return text[start:bracket]
    end = text.find(f'</{name}>', start)
    return text[start:end] if end >= 0 else None


def _tables_fault(text: str) -> str | None:
    """Return what is wrong with the tables on the radial mesh, or None."""
    lengths = {}
    for name in _TABLES:
        section = _section(text, name)
        if section is None:
            return f'it has no {name}'
        words = _LONG_EXPONENT.sub(r'E\1', section.partition('>')[2]).replace('D', 'E').split()
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError:
            return f'{name} holds no numbers'
        if not np.isfinite(values).all():
            return f'a number in {name} is not finite'
        lengths[name] = len(values)
    if len(set(lengths.values())) > 1 or min(lengths.values()) < _MIN_ROWS:
        return 'its tables have ' + ', '.join(f'{count} ({name})' for name, count in lengths.items()) + ' rows'
    return None
