"""Keep the values of nodes from one commit to the next.

:hook: ``PsqlDosBackend._session_factory``, and ``expire_on_commit`` of SQLAlchemy's sessions
:changes: A daemon worker keeps what it has read of a node, ids included, when it commits a change of any node.
:why: AiiDA reads again each value that may have changed, at the moment when it is used. To forget all values at each
    commit makes it ask twice: a fifth of the CPU time of a daemon worker.
:upstream: aiida-core #3083
:until: AiiDA's sessions keep their values.
"""

from __future__ import annotations

from typing import Any

from aiida.manage import get_manager

__all__ = ('keep_values',)


def keep_values() -> None:
    """Let the storage of this process keep what it has read."""
    storage: Any = get_manager().get_profile_storage()
    scoped = getattr(storage, '_session_factory', None)
    if scoped is not None and (session := scoped()).expire_on_commit:
        session.expire_on_commit = False
        # Other threads have sessions of their own.
        scoped.session_factory.configure(expire_on_commit=False)
