"""Archives of TorchScript, made the same for the same content."""

from __future__ import annotations

import io
import re
import zipfile

__all__ = ('reproducible',)

# Members of an archive with local paths for error messages, with a random number, and with the time.
_LEFT_OUT = re.compile(r'\.debug_pkl$|/\.data/serialization_id$|/extra/export-metadata$')
# The earliest time that a zip archive can store.
_TIME = (1980, 1, 1, 0, 0, 0)


def reproducible(archive: bytes) -> bytes:
    """Return the archive without anything that differs between machines or runs."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, 'w') as target:
        for name in source.namelist():
            if not _LEFT_OUT.search(name):
                content = source.read(name)
                target.writestr(zipfile.ZipInfo(name, _TIME), _in_order(content) if name.endswith('.py') else content)
    return result.getvalue()


def _in_order(code: bytes) -> bytes:
    """Return code with the constants of each class sorted; torch writes them in the random order of a set."""
    constants = re.compile(rb'(?:^  \w+ : Final\[.*\n)+', re.MULTILINE)
    return constants.sub(lambda match: b''.join(sorted(match[0].splitlines(keepends=True))), code)
