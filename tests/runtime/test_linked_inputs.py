"""A checkpoint of a work chain with many inputs is cheap, and holds all that a restarted daemon needs."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import WorkChain
from aiida.engine.persistence import AiiDAPersister
from aiida.engine.utils import instantiate_process
from plumpy.persistence import LoadSaveContext

from aiida_anial.runtime.linked_inputs import LinksInputs


class Plain(WorkChain):
    """A work chain with any number of inputs."""

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace('cells', valid_type=orm.Int, dynamic=True)
        spec.input('limit', valid_type=orm.Int, default=lambda: orm.Int(7))
        spec.input('share', valid_type=int, non_db=True, required=False)
        spec.output('best', valid_type=orm.Int, required=False)
        spec.outline(cls.setup)

    def setup(self) -> None:
        """Do nothing."""


class Linked(LinksInputs, Plain):
    """The same with cheap checkpoints."""


@pytest.fixture
def start(local_runner) -> Any:
    def start(cls: Any, number: int = 3) -> Any:
        cells = {f'cell_{index}': orm.Int(index) for index in range(number)}
        inputs = {'cells': cells, 'share': 2, 'metadata': {'label': 'many'}}
        return instantiate_process(local_runner, cls, **inputs)

    return start


def restarted(process: Any) -> Any:
    """Return the process as a daemon loads it from the checkpoint in the database."""
    AiiDAPersister().save_checkpoint(process)
    bundle = AiiDAPersister().load_checkpoint(process.node.pk)
    return bundle.unbundle(LoadSaveContext(runner=process.runner))


def test_a_restarted_daemon_has_all_inputs(start):
    process = start(Linked)
    again = restarted(process)
    assert {label: node.pk for label, node in again.inputs.cells.items()} == {
        label: node.pk for label, node in process.inputs.cells.items()
    }
    assert (again.inputs.limit.value, again.inputs.share, again.inputs.metadata.label) == (7, 2, 'many')


def test_so_has_a_daemon_that_restarts_twice(start):
    assert len(restarted(restarted(start(Linked))).inputs.cells) == 3


def test_outputs_that_come_later_are_in_the_next_checkpoint(start):
    process = start(Linked)
    restarted(process)
    process.out('best', orm.Int(1).store())
    assert restarted(process).outputs['best'].value == 1


def test_a_checkpoint_is_as_long_with_any_number_of_inputs(start):
    lengths = []
    for number in (1, 100):
        process = start(Linked, number=number)
        AiiDAPersister().save_checkpoint(process)
        lengths.append(len(process.node.checkpoint))
    # Except for the digits of the pks.
    assert abs(lengths[0] - lengths[1]) < 10


def test_inputs_are_found_under_the_same_names(start):
    process = start(Linked)
    again = restarted(process)
    assert again.inputs.keys() == process.inputs.keys()
    assert again.inputs.metadata.keys() == process.inputs.metadata.keys()
    assert type(again.inputs) is type(process.inputs)
    assert type(again.inputs.cells) is type(process.inputs.cells)


def test_the_record_is_like_any_other(start):
    node = orm.load_node(start(Linked).node.pk)
    assert type(node) is orm.WorkChainNode
    assert set(node.inputs.cells) == {'cell_0', 'cell_1', 'cell_2'}
    assert node.inputs.limit.value == 7
