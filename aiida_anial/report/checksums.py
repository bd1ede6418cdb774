"""Sizes and checksums of the files of a release."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ('CHECKSUMS_FILE', 'file_sizes_and_checksums', 'size_and_checksum', 'write_checksums')

CHECKSUMS_FILE = 'SHA256SUMS'


def size_and_checksum(path: Path) -> tuple[int, str]:
    """Return size in bytes and SHA-256 of a file."""
    with path.open('rb') as stream:
        return path.stat().st_size, hashlib.file_digest(stream, 'sha256').hexdigest()


def file_sizes_and_checksums(folder: Path) -> dict[str, tuple[int, str]]:
    """Return size in bytes and SHA-256 of every file under ``folder``, by its relative path."""
    paths = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {path.relative_to(folder).as_posix(): size_and_checksum(path) for path in paths}


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS`` for all other files under ``folder``, in the format of ``sha256sum -c``."""
    lines = [f'{digest}  {name}\n' for name, (_, digest) in file_sizes_and_checksums(folder).items()]
    (folder / CHECKSUMS_FILE).write_text(''.join(lines), encoding='utf-8')
