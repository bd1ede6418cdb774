"""Exported files as nodes that are found again by the checksum of a copy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from aiida import orm

__all__ = ('CHECKSUMS', 'checksum', 'exported_file', 'exported_folder')

CHECKSUMS = 'sha256'
"""Attribute that maps the SHA-256 of each file to its name."""


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def exported_file(path: Path, **attributes: Any) -> orm.SinglefileData:
    """Return the file ``path`` as a node with the given attributes."""
    node = orm.SinglefileData(path)
    node.base.attributes.set_many({**attributes, CHECKSUMS: {checksum(path): path.name}})
    return node


def exported_folder(folder: Path, **attributes: Any) -> orm.FolderData:
    """Return all files under ``folder`` as a node with the given attributes."""
    node = orm.FolderData(tree=str(folder))
    files = {checksum(path): str(path.relative_to(folder)) for path in sorted(folder.rglob('*')) if path.is_file()}
    node.base.attributes.set_many({**attributes, CHECKSUMS: files})
    return node
