"""Fixtures of the contract tests."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from sqlalchemy import event


@pytest.fixture
def make(local_runner) -> Any:
    return lambda cls, **inputs: instantiate_process(local_runner, cls, **inputs)


@pytest.fixture
def cells() -> dict[str, orm.Int]:
    return {f'cell_{index}': orm.Int(index).store() for index in range(3)}


@pytest.fixture
def statements(aiida_profile) -> Any:
    """What the database is asked."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    engine = get_manager().get_profile_storage().get_session().get_bind()
    event.listen(engine, 'before_cursor_execute', note)
    yield seen
    event.remove(engine, 'before_cursor_execute', note)
