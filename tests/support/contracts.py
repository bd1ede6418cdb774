"""Helpers for the contract tests of the hooks: assertions on AiiDA's functions, and small work chains."""

from __future__ import annotations

import inspect
from typing import Any

from aiida import orm
from aiida.engine import (
    BaseRestartWorkChain,
    CalcJob,
    ToContext,
    WorkChain,
    while_,
)

__all__ = ('GONE', 'Fails', 'Plain', 'Restarts', 'Waits', 'calls', 'parameters', 'same')

GONE = 'AiiDA does this by itself now: the hook can go'


def parameters(function: Any) -> list[str]:
    """Return the names of the parameters of a function."""
    return list(inspect.signature(function).parameters)


def same(hook: str, function: Any, *names: str) -> None:
    """Check that a function has the parameters for which a hook was written."""
    assert parameters(function) == list(names), (
        f'hook {hook}: {function.__qualname__} takes {parameters(function)} now, and {list(names)} before'
    )


def calls(hook: str, function: Any, *parts: str) -> None:
    """Check that the source of a function contains some texts in the given order."""
    source, start = ' '.join(inspect.getsource(function).split()), 0
    for part in parts:
        start = source.find(part, start)
        assert start >= 0, f'hook {hook}: {function.__qualname__} no longer has {part!r} where it was'


class Plain(WorkChain):
    """A work chain of AiiDA's own class, with many inputs, an output and three steps."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input_namespace('cells', valid_type=orm.Int, dynamic=True, required=False)
        spec.output('best', valid_type=orm.Int, required=False)
        spec.outline(cls.first, cls.second, cls.third)

    def first(self) -> Any: ...

    def second(self) -> Any: ...

    def third(self) -> Any: ...


class Waits(Plain):
    """A work chain that waits for the children that ``launch`` returns."""

    launch: Any = None

    def first(self) -> Any:
        return ToContext(**{f'child_{node.pk}': node for node in type(self).launch(self)})


class Fails(Plain):
    """A work chain whose second step fails because the disk is full."""

    def second(self) -> Any:
        raise OSError(28, 'No space left on device')


class Restarts(BaseRestartWorkChain):
    """A restarting work chain of AiiDA's own class."""

    _process_class = CalcJob

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output('result', valid_type=orm.Int, required=False)
        spec.outline(cls.setup, while_(cls.should_run_process)(cls.inspect_process), cls.results)

    def get_outputs(self, node: Any) -> Any:
        return {'result': node.outputs.result} if 'result' in node.outputs else {}
