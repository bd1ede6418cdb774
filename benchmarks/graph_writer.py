"""Write rows of AiiDA's database and files of its repository in bulk, without AiiDA's classes.

Primary keys are assigned here, so that links can be written together with their nodes. No other program may write to
the profile at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select, text

_BATCH: Final = 20_000
# In this order, because links refer to nodes.
_TABLES: Final = {'node': 'db_dbnode', 'link': 'db_dblink', 'log': 'db_dblog'}


class Writer:
    """Writes to a storage of AiiDA with an SQL database.

    :param backend: storage of the loaded profile.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TABLES}
        with backend.transaction() as session:
            self._next = {
                kind: (session.execute(select(func.max(self._mapper(kind).c.id))).scalar() or 0) + 1 for kind in _TABLES
            }
        self.counts = dict.fromkeys(_TABLES, 0)

    def add(self, kind: str, row: Mapping[str, Any]) -> int:
        """Add a row without ``id`` to those to be written, and return its primary key.

        :param kind: ``node``, ``link`` or ``log``.
        """
        key = self._next[kind]
        self._next[kind] += 1
        self._rows[kind].append({**row, 'id': key})
        self.counts[kind] += 1
        return key

    def add_files(self, contents: Sequence[bytes]) -> list[str]:
        """Write files and return their keys in the repository."""
        with self._backend.get_repository()._container as container:
            keys: list[str] = container.add_objects_to_pack(list(contents), do_fsync=False)
        return keys

    def flush(self, *, at_least: int = _BATCH) -> None:
        """Write the pending rows if ``at_least`` nodes or more are among them."""
        if len(self._rows['node']) < at_least:
            return
        with self._backend.transaction() as session:
            for kind, rows in self._rows.items():
                if rows:
                    session.execute(insert(self._mapper(kind)), rows)
        self._rows = {kind: [] for kind in _TABLES}

    def finish(self) -> None:
        """Write the remaining rows, and update the key sequences and statistics of PostgreSQL."""
        self.flush(at_least=0)
        engine = self._backend.get_session().get_bind()
        if engine.dialect.name != 'postgresql':
            return
        with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as connection:
            for table in _TABLES.values():
                connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))  # noqa: S608
            connection.execute(text('VACUUM ANALYZE'))

    def _mapper(self, kind: str) -> Any:
        from aiida.orm.entities import EntityTypes

        return self._backend._get_mapper_from_entity(EntityTypes[kind.upper()], True)[0]
