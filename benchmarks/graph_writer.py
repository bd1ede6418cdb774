"""Rows of AiiDA's database and files of its repository, written in bulk past its classes.

Rows carry their own primary keys, so that links can be written together with the nodes. Nobody else may write to the
profile at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ('CopyWriter', 'Writer', 'make_writer')

_BATCH: Final = 20_000
_TABLES: Final = {'node': 'db_dbnode', 'link': 'db_dblink', 'log': 'db_dblog'}


class Writer:
    """Writes to any storage of AiiDA's with a database of tables.

    :param backend: storage of the loaded profile.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TABLES}
        self._files: list[bytes] = []
        self._next = {kind: self._largest(kind) + 1 for kind in _TABLES}
        self.counts = dict.fromkeys(_TABLES, 0)

    def add(self, kind: str, row: Mapping[str, Any]) -> int:
        """Take a row without ``id`` and return the primary key that it gets.

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

    def expect(self, values: Iterable[dict[str, Any]]) -> None:
        """Take note of values that will come again and again, as the same objects."""

    def flush(self, *, at_least: int = _BATCH) -> None:
        """Write the rows that wait, if there are so many nodes."""
        if len(self._rows['node']) < at_least:
            return
        with self._backend.transaction() as session:
            # Links refer to nodes.
            for kind, rows in self._rows.items():
                if rows:
                    self._write(session, kind, rows)
        self._rows = {kind: [] for kind in _TABLES}

    def finish(self) -> None:
        """Write all that is left."""
        self.flush(at_least=0)

    def _largest(self, kind: str) -> int:
        from sqlalchemy import func, select

        mapper = self._mapper(kind)
        with self._backend.transaction() as session:
            return session.execute(select(func.max(mapper.c.id))).scalar() or 0

    def _mapper(self, kind: str) -> Any:
        from aiida.orm.entities import EntityTypes

        return self._backend._get_mapper_from_entity(EntityTypes[kind.upper()], True)[0]

    def _write(self, session: Any, kind: str, rows: list[dict[str, Any]]) -> None:
        from sqlalchemy import insert

        if kind == 'log':
            rows = [{('_metadata' if key == 'metadata' else key): value for key, value in row.items()} for row in rows]
        session.execute(insert(self._mapper(kind)), rows)


class CopyWriter(Writer):
    """Writes to PostgreSQL by ``COPY``, several times as fast."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        # Keeping the values keeps their ids from being used again.
        self._texts: dict[int, tuple[Any, str]] = {}

    def expect(self, values: Iterable[dict[str, Any]]) -> None:
        """Write out once what comes again."""
        self._texts.update({id(value): (value, json.dumps(value)) for value in values})

    def finish(self) -> None:
        """Write all that is left, and let the server know: of the keys that are taken, and of what the tables hold."""
        from sqlalchemy import text

        super().finish()
        with self._backend.transaction() as session:
            for table in _TABLES.values():
                session.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))  # noqa: S608
        engine = self._backend.get_session().get_bind()
        with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as connection:
            connection.execute(text('VACUUM ANALYZE'))

    def _write(self, session: Any, kind: str, rows: list[dict[str, Any]]) -> None:
        names = list(rows[0])
        connection = session.connection().connection.driver_connection
        statement = f'COPY {_TABLES[kind]} ({", ".join(names)}) FROM STDIN'
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(self._values(row[name] for name in names))

    def _values(self, values: Iterable[Any]) -> list[Any]:
        return [self._text(value) if isinstance(value, dict) else value for value in values]

    def _text(self, value: dict[str, Any]) -> str:
        known = self._texts.get(id(value))
        return known[1] if known is not None else json.dumps(value)


def make_writer(backend: Any) -> Writer:
    """Return the fastest writer to a storage."""
    from aiida.storage.sqlite_dos.backend import SqliteDosStorage

    return Writer(backend) if isinstance(backend, SqliteDosStorage) else CopyWriter(backend)
