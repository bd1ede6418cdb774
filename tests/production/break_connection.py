"""Break the connection to the database, use it, and print the error message; run by ``verdi run``."""

from __future__ import annotations

import sqlalchemy
from aiida import orm
from aiida.manage import get_manager

from aiida_anial.common.errors import AnialError

session = get_manager().get_profile_storage().get_session()
pid = session.execute(sqlalchemy.text('SELECT pg_backend_pid()')).scalar_one()
engine = sqlalchemy.create_engine(session.get_bind().url)
with engine.connect() as connection:
    connection.execute(sqlalchemy.text(f'SELECT pg_terminate_backend({pid})'))
try:
    orm.QueryBuilder().append(orm.Node).count()
except AnialError as error:
    print(error)
