"""Fixtures of the tests of work chains and of the hooks under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process

from aiida_anial.workchains.label import LabelWorkChain


@pytest.fixture(scope='session')
def jobs_under() -> Callable[[Any], list[Any]]:
    """Return a function that finds the calculation jobs that a process called, in the order of their making."""

    def find(node: Any) -> list[Any]:
        return sorted(
            (child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)), key=lambda job: job.pk
        )

    return find


@pytest.fixture
def new_labelling(local_runner, worker, make_structures) -> Any:
    """A labelling that has not begun."""
    evaluate = {**worker, 'labeller': orm.Dict({'kind': 'emt'})}
    process: Any = instantiate_process(local_runner, LabelWorkChain, cells=make_structures(1), evaluate=evaluate)
    return process
