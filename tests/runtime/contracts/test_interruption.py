"""Contract of the hook interruption: what a signal does to a process that runs in this interpreter."""

from __future__ import annotations

import os
import signal

import pytest
from aiida import orm
from aiida.engine import calcfunction
from aiida.tools.graph.deletions import DELETE_LOGGER
from plumpy import KilledError

from aiida_anial.runtime.interruption import all_or_nothing, interruptible


@calcfunction
def interrupted(settings: orm.Dict) -> orm.Int:
    """Return a number, after a signal has arrived."""
    os.kill(os.getpid(), settings['signal'])
    return orm.Int(1)


@calcfunction
def undisturbed(settings: orm.Dict) -> orm.Int:
    """Return a number."""
    return orm.Int(len(settings.get_dict()))


@pytest.fixture
def settings(aiida_profile):
    """The input of a function that Ctrl-C interrupts."""
    return orm.Dict({'signal': int(signal.SIGINT)})


@pytest.fixture
def termination():
    """SIGTERM raises KeyboardInterrupt, as in the program aiida-anial."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_leaves_a_killed_process_with_its_outputs(settings):
    with pytest.raises(KilledError):
        interrupted(settings)
    (process,) = settings.base.links.get_outgoing().all_nodes()
    assert process.is_killed, 'hook interruption: AiiDA no longer kills the process; is it still needed?'
    assert process.base.links.get_outgoing().all(), 'hook interruption: a killed process no longer stores its outputs'


def test_the_block_is_interrupted(settings):
    with pytest.raises(KeyboardInterrupt), interruptible():
        interrupted(settings)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_nothing_of_an_interrupted_block_stays(settings, termination, number):
    before = orm.QueryBuilder().append(orm.Node).count()
    settings['signal'] = int(number)
    with pytest.raises(KeyboardInterrupt), all_or_nothing() as note:  # noqa: PT012 - the block is what is tested
        undisturbed(note(orm.Dict({'a': 1})))
        interrupted(note(settings))
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_nothing_of_a_failed_block_stays_and_other_nodes_do(aiida_profile):
    shared = orm.Dict({'a': 1}).store()
    kept = undisturbed(shared)
    before, level = orm.QueryBuilder().append(orm.Node).count(), DELETE_LOGGER.level
    with pytest.raises(OSError, match='disk'), all_or_nothing() as note:  # noqa: PT012 - as above
        undisturbed(note(orm.Dict({'b': 2})))
        raise OSError('the disk is full')
    assert orm.QueryBuilder().append(orm.Node).count() == before
    assert orm.load_node(kept.pk).value == 1
    assert DELETE_LOGGER.level == level


def test_a_block_that_succeeds_is_kept(aiida_profile):
    with all_or_nothing() as note:
        found = undisturbed(note(orm.Dict({'b': 2})))
    assert orm.load_node(found.pk).is_stored
