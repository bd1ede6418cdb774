"""A child is paid for once: the child of this step, else a finished twin, else a new one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage.caching import get_use_cache

from aiida_anial.runtime.launch_once import FINGERPRINT, LaunchesOnce, fingerprint, finished_twins

JOB = 'aiida.calculations:anial.property'


class Launches(LaunchesOnce):
    """Launches what a test asks for."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(cls.step)

    def step(self) -> None: ...


@pytest.fixture
def chain(local_runner) -> Any:
    return instantiate_process(local_runner, Launches)


@pytest.fixture
def submitted(chain, fake_chain, monkeypatch) -> list[Any]:
    """The children that were submitted, each with whether it could come from the cache."""
    seen: list[Any] = []

    def submit(process: Any, inputs: Any = None, **keywords: Any) -> Any:
        label = keywords['metadata']['call_link_label']
        child = fake_chain('Child', caller=chain.node, call_link_label=label, state=ProcessState.RUNNING)
        seen.append((child.pk, get_use_cache(identifier=JOB)))
        if keywords.get('fails'):
            raise OSError(28, 'No space left on device')
        return child

    monkeypatch.setattr(chain.runner, 'submit', submit)
    return seen


def process() -> Any:
    return SimpleNamespace(build_process_type=lambda: JOB)


def launch(chain: Any, label: str, **keywords: Any) -> Any:
    return chain.submit(process(), metadata={'call_link_label': label}, **keywords)


def test_a_step_that_is_taken_again_keeps_its_child(chain, submitted, fake_chain):
    child = fake_chain('Child', caller=chain.node, call_link_label='one')
    assert launch(chain, 'one').pk == child.pk
    assert submitted == []


def test_a_child_that_can_never_begin_is_submitted_again(chain, submitted, fake_chain):
    dead = fake_chain('Child', caller=chain.node, call_link_label='one', state=ProcessState.CREATED)
    assert launch(chain, 'one').pk != dead.pk
    assert len(submitted) == 1


def test_the_newest_finished_twin_is_taken_and_stays_with_its_caller(chain, submitted, fake_chain):
    value = fingerprint(cell=[1.0, 2.0])
    twins = [fake_chain('Child', exit_status=status) for status in (0, 0, 401)]
    for twin in twins:
        twin.base.extras.set(FINGERPRINT, value)
    assert launch(chain, 'one', twin=value).pk == twins[1].pk
    assert submitted == []
    assert chain.node.called == []


def test_a_new_child_carries_its_fingerprint_for_those_that_come_later(chain, submitted):
    value = fingerprint(cell=[3.0])
    child = launch(chain, 'one', twin=value)
    assert child.base.extras.get(FINGERPRINT) == value
    assert finished_twins([value]) == {}, 'a child that runs is no twin'
    assert len(submitted) == 1


def test_a_child_that_lacks_its_fingerprint_gets_it(chain, submitted, fake_chain):
    value = fingerprint(cell=[4.0])
    child = fake_chain('Child', caller=chain.node, call_link_label='one')
    launch(chain, 'one', twin=value)
    assert finished_twins([value])[value].pk == child.pk


def test_the_child_of_this_step_comes_before_a_twin(chain, submitted, fake_chain):
    value = fingerprint(cell=[5.0])
    child = fake_chain('Child', caller=chain.node, call_link_label='one')
    fake_chain('Child').base.extras.set(FINGERPRINT, value)
    assert launch(chain, 'one', twin=value).pk == child.pk


def test_a_job_is_cached_only_where_that_is_asked_for(chain, submitted):
    launch(chain, 'one')
    launch(chain, 'two', cached=True)
    assert [cached for _, cached in submitted] == [False, True]
    assert not get_use_cache(identifier=JOB)


def test_the_cache_is_as_before_after_a_submission_that_failed(chain, submitted):
    with pytest.raises(OSError, match='No space'):
        launch(chain, 'one', cached=True, fails=True)
    assert not get_use_cache(identifier=JOB)


def test_equal_content_has_one_fingerprint():
    assert fingerprint(a=1, b=[2.5]) == fingerprint(b=[2.5], a=1) != fingerprint(a=1, b=[2.6])
