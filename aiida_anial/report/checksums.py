"""Checksums of the files of a folder, as ``sha256sum`` writes and checks them."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ('CHECKSUMS_FILE', 'file_sizes_and_checksums', 'write_checksums')

CHECKSUMS_FILE = 'SHA256SUMS'


def file_sizes_and_checksums(folder: Path) -> dict[str, tuple[int, str]]:
    """Return size in bytes and SHA-256 of every file under ``folder``, by its path in there."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(folder.rglob('*')):
        if path.is_file():
            with path.open('rb') as stream:
                digest = hashlib.file_digest(stream, 'sha256').hexdigest()
            found[path.relative_to(folder).as_posix()] = (path.stat().st_size, digest)
    return found


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS``, which ``sha256sum -c`` accepts, over all other files under ``folder``."""
    lines = [f'{digest}  {name}\n' for name, (_, digest) in file_sizes_and_checksums(folder).items()]
    (folder / CHECKSUMS_FILE).write_text(''.join(lines), encoding='utf-8')
