"""Contracts of the hooks on pw.x and of the smaller ones.

Each test names its hook. It fails for one of two reasons: upstream has changed what the hook builds on, and the hook
must follow; or upstream now does by itself what the hook is for, and the hook can go.
"""

from __future__ import annotations

import inspect

import pytest
from aiida import orm
from aiida.engine import (
    BaseRestartWorkChain,
    calcfunction,
)
from aiida.manage.caching import _CONTEXT_CACHE, disable_caching, enable_caching
from support.contracts import GONE, Plain, calls, parameters, same


def test_same_nodes_settings_are_wrapped_again(aiida_profile):
    from aiida_quantumespresso.calculations.pw import PwCalculation
    from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

    hook = 'pw_settings'
    wrap = PwBaseWorkChain._wrap_bare_dict_inputs
    same(hook, wrap, 'self', 'port_namespace', 'inputs')
    calls(hook, BaseRestartWorkChain.run_process, 'self._wrap_bare_dict_inputs(self.process_class.spec().inputs')
    calls(hook, PwBaseWorkChain.setup, 'self.ctx.inputs.parameters.get_dict()', 'self.ctx.inputs.settings.get_dict()')
    node = orm.Dict({'a': 1}).store()
    wrapped = wrap(None, PwCalculation.spec().inputs, {'parameters': {'a': 1}, 'settings': node})
    assert wrapped['parameters'].pk is None, f'hook {hook}: {GONE}'
    assert wrapped['settings'] is node, f'hook {hook}: a node that is given is not handed on'


def test_meshes_the_function_is_under_its_decorator(aiida_profile):
    from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

    @calcfunction
    def one(number: orm.Int) -> orm.Int:
        return number

    for function, names in (
        (one, ['number']),
        (create_kpoints_from_distance, ['structure', 'distance', 'force_parity']),
    ):
        plain = getattr(function, '__wrapped__', None)
        assert plain is not None, 'hook kpoints: a calcfunction does not show the function that it was made of'
        same('kpoints', plain, *names)
    number = orm.Int(1)
    assert one.__wrapped__(number) is number
    assert not number.is_stored, 'hook kpoints: `__wrapped__` leaves a process behind'


def test_settings_of_a_campaign_a_builder_gives_its_inputs(make, cells):
    from aiida.engine.processes.builder import ProcessBuilderNamespace

    same('builder_inputs', ProcessBuilderNamespace._inputs, 'self', 'prune')
    builder = Plain.get_builder()
    builder.cells = cells
    assert builder._inputs(prune=True).keys() == {'cells', 'metadata'} or set(builder._inputs(prune=True)) == {
        'cells'
    }, 'hook builder_inputs: `_inputs(prune=True)` gives other keys'


@pytest.mark.parametrize('context', [disable_caching, enable_caching])
def test_caching_an_exception_still_leaves_it_as_it_was_inside(context):
    before = _CONTEXT_CACHE._default_all
    try:
        with context():
            raise KeyError
    except KeyError:
        pass
    left = _CONTEXT_CACHE._default_all
    _CONTEXT_CACHE.clear()
    assert left != before, f'hook caching: {GONE}'


def test_archive_is_read_without_a_profile_and_its_logger_is_known():
    from aiida.common.links import GraphTraversalRules
    from aiida.tools.archive.create import EXPORT_LOGGER, create_archive
    from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip

    assert EXPORT_LOGGER.name == 'aiida.export', 'hook report.exports: another logger'
    assert {'entities', 'filename', 'traversal_rules'} <= set(parameters(create_archive))
    rules = GraphTraversalRules.EXPORT.value
    assert all(rules[f'call_{kind}_backward'].toggleable for kind in ('calc', 'work')), 'hook report.exports: rules'
    same('report.exports', ArchiveFormatSqlZip.open, 'self', 'path', 'mode', 'compression', 'kwargs')


def test_dataset_the_hash_of_a_node_is_made_by_its_class():
    from aiida.orm.nodes.caching import NodeCaching

    assert orm.Data._CLS_NODE_CACHING is NodeCaching, 'hook caching: `_CLS_NODE_CACHING`'
    same('caching', NodeCaching.get_objects_to_hash, 'self')


def test_parsers_the_default_output_is_named_by_the_process():
    from aiida.engine.processes.process_spec import CalcJobProcessSpec

    attribute = inspect.getattr_static(CalcJobProcessSpec, 'default_output_node')
    assert isinstance(attribute, property), 'hook parsers.worker: `default_output_node`'
