"""Fixtures for the tests of the work chains and of the hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process

from aiida_anial.workchains.label import LabelWorkChain


@pytest.fixture(scope='session')
def jobs_under() -> Callable[[Any], list[Any]]:
    """Return a function that returns the calculation jobs under a process, in order of creation."""

    def find(node: Any) -> list[Any]:
        return sorted(
            (child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)), key=lambda job: job.pk
        )

    return find


@pytest.fixture
def new_labelling(local_runner, worker, make_structures) -> Any:
    """A ``LabelWorkChain`` that has not started."""
    evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    process: Any = instantiate_process(local_runner, LabelWorkChain, cells=make_structures(1), evaluate=evaluate)
    return process
