"""Files that appear when they are whole, and one sentence for whatever a damaged one makes a library raise."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiida_anial.common.errors import AnialError, FileFormatError

__all__ = ('reading', 'replaced')

_RAISED_BY_LIBRARIES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    sqlite3.Error,
)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give the path of an empty file that takes the place of ``path`` in the end, so that no reader sees half of it.

    :raises AnialError: if the file cannot be written.
    """
    temporary = path.with_name(path.name + '.part')
    try:
        temporary.write_bytes(b'')
        yield temporary
        temporary.replace(path)
    except OSError as exception:
        raise AnialError(f'{path}: cannot be written ({exception.strerror or exception}).') from exception
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def reading(path: Path, *, kind: str) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into one sentence about ``path``.

    :param kind: what the file should be, such as ``an ASE database``.
    :raises FileFormatError: if the block raises.
    """
    try:
        yield
    except FileFormatError:
        raise
    except AnialError as exception:
        raise FileFormatError(f'{path}: {exception}') from exception
    except _RAISED_BY_LIBRARIES as exception:
        text = ' '.join(str(exception).split())[:200].rstrip('.') or type(exception).__name__
        raise FileFormatError(f'{path}: not {kind}, or damaged ({text}).') from exception
