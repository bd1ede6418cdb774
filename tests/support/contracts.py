"""What contract tests of hooks share: how a contract is stated, and work chains to try things on."""

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
    """See to it that a function takes the parameters that a hook was written for."""
    assert parameters(function) == list(names), (
        f'hook {hook}: {function.__qualname__} takes {parameters(function)} now, and {list(names)} before'
    )


def calls(hook: str, function: Any, *parts: str) -> None:
    """See to it that the source of a function holds some texts, in their order."""
    source, start = ' '.join(inspect.getsource(function).split()), 0
    for part in parts:
        start = source.find(part, start)
        assert start >= 0, f'hook {hook}: {function.__qualname__} no longer has {part!r} where it was'


class Plain(WorkChain):
    """As AiiDA has it: many inputs, an output, three steps."""

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
    """Waits for the children that ``launch`` gives it."""

    launch: Any = None

    def first(self) -> Any:
        return ToContext(**{f'child_{node.pk}': node for node in type(self).launch(self)})


class Fails(Plain):
    """Its second step finds no room on the disk."""

    def second(self) -> Any:
        raise OSError(28, 'No space left on device')


class Restarts(BaseRestartWorkChain):
    """AiiDA's own."""

    _process_class = CalcJob

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output('result', valid_type=orm.Int, required=False)
        spec.outline(cls.setup, while_(cls.should_run_process)(cls.inspect_process), cls.results)

    def get_outputs(self, node: Any) -> Any:
        return {'result': node.outputs.result} if 'result' in node.outputs else {}
