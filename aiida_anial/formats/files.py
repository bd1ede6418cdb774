"""Atomic writing of files, and one sentence for any exception that a damaged file causes in a library."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiida_anial.common.errors import AnialError, FileFormatError, is_printable, one_line

__all__ = ('check_name', 'check_target', 'new_folder', 'reading', 'replaced')

# File systems allow 255 bytes; names of incomplete files have the suffix .part.
_MAX_NAME_BYTES = 250

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


def check_name(name: str) -> str:
    """Return ``name`` if it is a valid name of a file in a folder, without any path.

    :raises AnialError: if it is not.
    """
    shown = one_line(repr(name))
    if not name or name in ('.', '..') or '/' in name or '\\' in name:
        raise AnialError(f'filename: {shown} is not the name of a file in a folder.')
    if not is_printable(name):
        raise AnialError(f'filename: {shown} has characters that cannot be printed.')
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise AnialError(f'filename: {shown[:40]}... is longer than {_MAX_NAME_BYTES} bytes.')
    return name


def check_target(path: Path) -> None:
    """Refuse a path that cannot be written.

    :raises AnialError: if the path exists, its folder does not, or its name is not allowed.
    """
    check_name(path.name)
    if not path.absolute().parent.is_dir():
        raise AnialError(f'{path}: there is no folder {path.parent}.')
    if path.exists():
        raise AnialError(f'{path}: it exists already.')


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the path of an empty file that replaces ``path`` at the end, so that readers never see an incomplete file.

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
def new_folder(path: Path) -> Iterator[Path]:
    """Yield the path of an empty folder that becomes ``path`` at the end, so that it appears only when it is complete.

    :raises AnialError: if ``path`` exists, which is never replaced, or cannot be written.
    """
    if path.exists():
        raise AnialError(f'{path}: already exists; give the name of a new folder.')
    temporary = path.with_name(path.name + '.part')
    try:
        temporary.mkdir()
        yield temporary
        temporary.rename(path)
    except OSError as exception:
        raise AnialError(f'{path}: cannot be written ({exception.strerror or exception}).') from exception
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def reading(path: Path, *, kind: str) -> Iterator[None]:
    """Turn any exception of a library about a damaged file into one sentence about ``path``.

    :param kind: what the file should be, such as ``an ASE database``.
    :raises FileFormatError: if the block raises.
    """
    try:
        yield
    except FileFormatError as exception:
        raise FileFormatError(one_line(exception)) from exception
    except AnialError as exception:
        raise FileFormatError(one_line(f'{path}: {exception}')) from exception
    except _RAISED_BY_LIBRARIES as exception:
        text = ' '.join(str(exception)[:1000].split())[:200].rstrip('.') or type(exception).__name__
        raise FileFormatError(one_line(f'{path}: not {kind}, or damaged ({text}).')) from exception
