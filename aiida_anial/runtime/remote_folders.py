"""Clean the work directory of a job.

:hook: ``RemoteData._clean``
:changes: Nothing; the method is called.
:why: AiiDA offers ``verdi calcjob cleanworkdir`` to users, and no public function.
:upstream: none found; related: aiida-core #6732
:until: ``RemoteData`` has a public method for it.
"""

from __future__ import annotations

from aiida import orm

__all__ = ('clean',)


def clean(folder: orm.RemoteData) -> None:
    """Remove what is in a work directory.

    :raises OSError: if the computer does not answer.
    """
    folder._clean()
