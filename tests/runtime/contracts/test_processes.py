"""Contracts of the hooks on inputs, links, statuses and lost children.

Each test names its hook. It fails for one of two reasons: upstream has changed what the hook builds on, and the hook
must follow; or upstream now does by itself what the hook is for, and the hook can go.
"""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import (
    Process,
    WorkChain,
)
from aiida.engine.persistence import AiiDAPersister
from aiida.orm.nodes.links import NodeLinks
from plumpy.persistence import LoadSaveContext
from plumpy.processes import BundleKeys
from support.contracts import GONE, Plain, same

from aiida_anial.runtime import stored_links


def test_linked_checkpoints_plumpy_encodes_the_two_mappings_themselves(make, cells, monkeypatch):
    same('linked_inputs', Process.encode_input_args, 'self', 'inputs')
    same('linked_inputs', Process.save_instance_state, 'self', 'out_state', 'save_context')
    same('linked_inputs', WorkChain.load_instance_state, 'self', 'saved_state', 'load_context')
    given: list[Any] = []
    plain = Process.encode_input_args
    monkeypatch.setattr(Process, 'encode_input_args', lambda self, inputs: given.append(inputs) or plain(self, inputs))
    process = make(Plain, cells=cells)
    given.clear()
    AiiDAPersister().save_checkpoint(process)
    assert [one is process._raw_inputs or one is process._parsed_inputs for one in given] == [True, True], (
        'hook linked_inputs: a checkpoint does not encode `_raw_inputs` and `_parsed_inputs`, once each, as they are'
    )
    bundle = AiiDAPersister().load_checkpoint(process.node.pk)
    assert {BundleKeys.INPUTS_RAW, BundleKeys.INPUTS_PARSED} <= bundle.keys(), 'hook linked_inputs: other keys'


def test_linked_checkpoints_a_checkpoint_may_lack_the_raw_inputs(make, cells):
    process = make(Plain, cells=cells)
    AiiDAPersister().save_checkpoint(process)
    bundle = AiiDAPersister().load_checkpoint(process.node.pk)
    bundle.pop(BundleKeys.INPUTS_RAW)
    again = bundle.unbundle(LoadSaveContext(runner=process.runner))
    assert again._raw_inputs is None, 'hook linked_inputs: a checkpoint without raw inputs cannot be loaded'
    assert {name: node.pk for name, node in again.inputs.cells.items()} == {
        name: node.pk for name, node in cells.items()
    }


def test_linked_checkpoints_links_are_labelled_by_flat_inputs(make, cells):
    process = make(Plain, cells=cells)
    nested = process.node.base.links.get_incoming(link_type=LinkType.INPUT_WORK)
    assert set(process._flat_inputs()) == set(nested.all_link_labels()) == {f'cells__{name}' for name in cells}, (
        'hook linked_inputs: the labels of the links are not those of `_flat_inputs`'
    )
    assert set(nested.nested()['cells']) == set(cells), 'hook linked_inputs: `nested` gives no namespaces'


def test_linked_checkpoints_are_still_needed(make):
    lengths = []
    for number in (1, 5):
        process = make(Plain, cells={f'cell_{index}': orm.Int(index).store() for index in range(number)})
        AiiDAPersister().save_checkpoint(process)
        lengths.append(len(process.node.checkpoint))
    assert lengths[1] - lengths[0] > 4 * 36, f'hook linked_inputs: {GONE}'


def test_many_inputs_a_node_takes_other_links_and_caching():
    from aiida.orm.nodes.caching import NodeCaching
    from aiida.orm.nodes.process.process import ProcessNodeCaching, ProcessNodeLinks
    from aiida.orm.utils.links import LinkTriple

    same('many_inputs', ProcessNodeLinks.add_incoming, 'self', 'source', 'link_type', 'link_label')
    same('many_inputs', ProcessNodeLinks.__init__, 'self', 'node')
    assert LinkTriple._fields == ('node', 'link_type', 'link_label'), 'hook many_inputs: LinkTriple'
    node = orm.WorkChainNode()
    for name, kind in (('links', ProcessNodeLinks), ('caching', ProcessNodeCaching)):
        other = kind(node)
        setattr(node.base, name, other)
        assert getattr(node.base, name) is other, f'hook many_inputs: `node.base.{name}` cannot be replaced'
    assert node.base.links.incoming_cache == [], 'hook many_inputs: `incoming_cache` is no empty list'
    assert isinstance(node._hash_ignored_inputs if hasattr(node, '_hash_ignored_inputs') else (), tuple | list)
    assert hasattr(ProcessNodeCaching(node), '_hash_ignored_inputs'), 'hook many_inputs: ignored inputs'
    assert set(NodeCaching.get_objects_to_hash(node.base.caching)) == {
        *('class', 'attributes', 'repository_hash', 'computer_uuid')
    }, 'hook many_inputs: what a hash is made of has changed'


def test_many_inputs_what_is_in_the_cache_of_links_is_stored(cells):
    from aiida.orm.utils.links import LinkTriple

    node = orm.WorkChainNode()
    for label, source in cells.items():
        node.base.links.incoming_cache.append(LinkTriple(source, LinkType.INPUT_WORK, label))
    node.store()
    stored = orm.load_node(node.pk).base.links.get_incoming()
    assert {link.link_label: link.node.pk for link in stored} == {
        label: source.pk for label, source in cells.items()
    }, 'hook many_inputs: links put into `incoming_cache` are not stored with the node'


def test_many_inputs_links_are_still_slow(cells, statements, monkeypatch):
    # Another hook may have taken the query away already.
    monkeypatch.setattr(NodeLinks, 'validate_incoming', stored_links._stock_validation)
    node = orm.WorkChainNode()
    statements.clear()
    for label, source in cells.items():
        node.base.links.add_incoming(source, LinkType.INPUT_WORK, label)
    asked = [one for one in statements if 'db_dblink' in one]
    assert len(asked) >= len(cells), f'hook many_inputs (links): {GONE}'


def test_many_inputs_hashes_are_still_computed_again(cells, monkeypatch):
    from aiida.orm.nodes.caching import NodeCaching

    node = orm.WorkChainNode()
    node.base.links.add_incoming(cells['cell_1'], LinkType.INPUT_WORK, 'x')
    computed = []
    plain = NodeCaching.compute_hash
    monkeypatch.setattr(NodeCaching, 'compute_hash', lambda self, **kw: computed.append(self) or plain(self, **kw))
    hashes = node.base.caching.get_objects_to_hash()['inputs']
    assert computed, f'hook many_inputs (caching): {GONE}'
    assert hashes == {'x': cells['cell_1'].base.caching.get_hash()}, (
        'hook many_inputs: the stored hash of an input is not the one that is computed'
    )


def test_many_inputs_a_process_function_calls_its_node_class_without_arguments():
    from aiida.engine.processes.functions import process_function

    same('many_inputs', process_function, 'node_class')
    made = []

    class Node(orm.CalcFunctionNode):
        def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
            made.append((arguments, keywords))
            return orm.CalcFunctionNode(*arguments, **keywords)

    def twice(number: orm.Int) -> orm.Int:
        return orm.Int(2 * number.value)

    result, node = process_function(node_class=Node)(twice).run_get_node(orm.Int(2))
    assert (result.value, type(node), made) == (4, orm.CalcFunctionNode, [((), {})]), (
        'hook many_inputs: `node_class()` is not how a process function makes its record'
    )


def test_many_inputs_a_work_chain_makes_its_record_by_node_class(make, monkeypatch):
    made = []
    monkeypatch.setattr(Plain, '_node_class', lambda: made.append(1) or orm.WorkChainNode())
    assert type(make(Plain).node) is orm.WorkChainNode
    assert made == [1], 'hook many_inputs: `_node_class()` is not how a work chain makes its record'


def test_many_inputs_a_subclass_without_entry_point_cannot_be_stored(aiida_profile):
    """Why the hook replaces attributes of a node and does not have a class of its own."""
    from aiida.common.exceptions import StoringNotAllowed

    class Node(orm.WorkChainNode):
        pass

    with pytest.raises(StoringNotAllowed):
        Node().store()


def test_stages_the_status_is_made_by_one_method(make, monkeypatch):
    same('process_status', WorkChain._update_process_status, 'self')
    child = orm.WorkChainNode().store()
    process = make(Plain)
    process._insert_awaitable(_awaitable(child, 'a'))
    assert [one.pk for one in process._awaitables] == [child.pk], 'hook process_status: `_awaitables`'
    assert process.node.process_status == f'Waiting for child processes: {child.pk}', f'hook process_status: {GONE}'
    called = []
    monkeypatch.setattr(Plain, '_update_process_status', lambda self: called.append(1))
    process._resolve_awaitable(process._awaitables[0], child)
    assert called, 'hook process_status: a child that ends does not change the status'


def _awaitable(node: Any, key: str) -> Any:
    from aiida.engine.processes.workchains.awaitable import construct_awaitable

    awaitable = construct_awaitable(node)
    awaitable.key = key
    return awaitable


def test_lost_children_a_request_has_these_words():
    from plumpy.process_comms import RemoteProcessThreadController

    same('lost_children', RemoteProcessThreadController.continue_process, 'self', 'pid', 'tag', 'nowait',
         'no_reply')  # fmt: skip


def test_lost_children_a_process_is_loaded_through_load_instance_state(make, monkeypatch):
    called = []
    plain = WorkChain.load_instance_state
    monkeypatch.setattr(
        WorkChain, 'load_instance_state', lambda self, *a: plain(self, *a) or called.append((self.loop, self.node.pk))
    )
    process = make(Plain)
    AiiDAPersister().save_checkpoint(process)
    AiiDAPersister().load_checkpoint(process.node.pk).unbundle(LoadSaveContext(runner=process.runner))
    assert called == [(process.loop, process.node.pk)], 'hook lost_children: no loop and node once it is loaded'
