"""What the script of a job begins and ends with, so that a job that was submitted twice runs once.

A daemon that is killed before it has stored the number of a job submits it again, in the same folder. The second job
waits for the end of the first, and leaves its results to it.
"""

from __future__ import annotations

from typing import Final

__all__ = ('ONCE_AFTER', 'ONCE_BEFORE')

# Where the folder cannot be locked, the second job runs as well.
ONCE_BEFORE: Final = (
    'exec 9> .anial_once; if command -v flock > /dev/null; then flock 9; fi\n[ ! -e .anial_ended ] || exit 0\n'
)
ONCE_AFTER: Final = 'status=$?; touch .anial_ended; exit $status\n'
