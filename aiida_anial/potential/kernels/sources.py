"""What numba's cache on disk has to know of the sources of the kernels."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ('FINGERPRINT',)


def _fingerprint() -> int:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], 'little')


# Changes with any source of the kernels. A function that goes into the cache encloses it, because numba looks at what a
# function encloses and at its own file alone, while the functions of all files go into what is kept.
FINGERPRINT: int = _fingerprint()
