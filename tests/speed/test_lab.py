"""The servers of a measurement are its own, and nothing of them is left behind."""

from __future__ import annotations

import psycopg
import pytest
from lab import Lab, lab


@pytest.mark.services
def test_servers_ask_for_a_password_and_end():
    with lab() as made, made.connect() as connection:
        assert connection.execute('SHOW server_encoding').fetchone() == ('UTF8',)
        server = {'host': '127.0.0.1', 'port': connection.info.port, 'dbname': 'postgres'}
        with pytest.raises(psycopg.OperationalError, match='password'):
            psycopg.connect(**server, user=connection.info.user, password='guess')
    assert not made.folder.exists()
    with pytest.raises(psycopg.OperationalError, match='refused'):
        psycopg.connect(**server, user='anybody')


def test_what_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r'(?s)python -c .* ended with status 1: .*ValueError: too late'):
        Lab(tmp_path).run('python', '-c', 'raise ValueError("too late")')
