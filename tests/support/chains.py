"""Fixtures for the tests of the work chains and of the hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType
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


@pytest.fixture
def copy_of_campaign(campaigns) -> Callable[..., Any]:
    """Return a function that stores a campaign with the inputs of the main one and without children.

    It has the shards of the main campaign as inputs, like a campaign that continues it.
    """

    def make(*, ensemble: bool, state: str, exit_status: int | None = None) -> Any:
        main = campaigns['main']
        node = orm.WorkChainNode(process_type=main.process_type)
        own = ('sealed', 'process_state', 'exit_status', 'exit_message')
        node.base.attributes.set_many({key: value for key, value in main.base.attributes.all.items() if key not in own})
        node.base.attributes.set('process_state', state)
        if exit_status is not None:
            node.set_exit_status(exit_status)
        inputs = {link.link_label: link.node for link in main.base.links.get_incoming().all()}
        inputs |= {f'continued__shards__{name}': shard for name, shard in main.outputs.shards.items()}
        for label, value in inputs.items():
            node.base.links.add_incoming(value, link_type=LinkType.INPUT_WORK, link_label=label)
        node.store()
        if ensemble:
            main.outputs.ensemble.base.links.add_incoming(node, link_type=LinkType.RETURN, link_label='ensemble')
        return node

    return make
