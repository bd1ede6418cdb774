"""Processes with many inputs leave the same graph as AiiDA's own, in a time proportional to their number."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import calcfunction
from aiida.orm.nodes.process.process import ProcessNodeLinks

from aiida_anial.runtime.many_inputs import WorkChainNodeOfMany, calcfunction_of_many


def total(**numbers):
    return {'sum': orm.Int(sum(number.value for number in numbers.values()))}


def incoming(node):
    return {(link.node.pk, link.link_type, link.link_label) for link in node.base.links.get_incoming().all()}


@pytest.fixture
def numbers(aiida_profile):
    return {f'number_{index}': orm.Int(index).store() for index in range(5)}


@pytest.fixture
def nodes(numbers):
    """The records of the same function as AiiDA makes them and as we do."""
    return [decorate(total).run_get_node(**numbers)[1] for decorate in (calcfunction, calcfunction_of_many)]


def test_the_record_is_like_any_other(nodes, numbers):
    theirs, ours = nodes
    assert type(ours) is type(theirs) is orm.CalcFunctionNode
    assert (ours.node_type, ours.process_type) == (theirs.node_type, theirs.process_type)
    assert incoming(orm.load_node(ours.pk)) == incoming(theirs)
    assert {label for _, _, label in incoming(ours)} == set(numbers)
    assert ours.outputs.sum.value == 10


def test_the_hash_is_that_of_aiida(nodes):
    theirs, ours = nodes
    assert orm.load_node(ours.pk).base.caching.compute_hash() == ours.base.caching.get_hash()
    assert ours.base.caching.get_hash() == theirs.base.caching.get_hash()


def test_an_input_without_a_hash_is_hashed(numbers):
    numbers['number_0'].base.caching.clear_hash()
    _, ours = calcfunction_of_many(total).run_get_node(**numbers)
    assert ours.base.caching.get_hash() == orm.load_node(ours.pk).base.caching.compute_hash()


def test_a_label_of_an_input_is_given_once(numbers):
    node = WorkChainNodeOfMany()
    node.base.links.add_incoming(numbers['number_1'], LinkType.INPUT_WORK, 'x')
    with pytest.raises(ValueError, match='x: there is such an input already'):
        node.base.links.add_incoming(numbers['number_2'], LinkType.INPUT_WORK, 'x')


@pytest.mark.parametrize('label', ['not a name', 'a__'])
def test_a_label_that_aiida_refuses_is_refused(numbers, label):
    with pytest.raises(ValueError, match=label):
        WorkChainNodeOfMany().base.links.add_incoming(numbers['number_1'], LinkType.INPUT_WORK, label)


def test_a_process_is_refused_as_input(nodes):
    with pytest.raises(ValueError, match='an input must be a data node'):
        WorkChainNodeOfMany().base.links.add_incoming(nodes[0], LinkType.INPUT_WORK, 'x')


def test_inputs_of_a_stored_process_are_refused(numbers):
    node = WorkChainNodeOfMany(process_type='some.process').store()
    with pytest.raises(ValueError, match='already stored'):
        node.base.links.add_incoming(numbers['number_1'], LinkType.INPUT_WORK, 'x')


def test_inputs_are_not_compared_with_one_another(numbers, monkeypatch):
    compared = []
    monkeypatch.setattr(orm.Node, '__eq__', lambda self, other: compared.append(other) or self is other)
    monkeypatch.setattr(ProcessNodeLinks, 'validate_incoming', lambda *_: pytest.fail('the database was asked'))
    node = WorkChainNodeOfMany()
    for label, number in numbers.items():
        node.base.links.add_incoming(number, LinkType.INPUT_WORK, label)
    assert len(node.base.links.incoming_cache) == len(numbers)
    assert not compared
