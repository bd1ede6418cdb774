"""All quantities of a benchmark in one node."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

__all__ = ('tabulate_benchmark',)


@calcfunction
def tabulate_benchmark(**subjects: Any) -> orm.Dict:
    """Return ``{subject: {property: {quantity: {value, unit, uncertainty}}}}``.

    :param subjects: namespaces by the name of the potential: ``quantities`` by property.
    """
    return orm.Dict(
        {
            subject: {name: node['quantities'] for name, node in sorted(nodes.items())}
            for subject, nodes in sorted(subjects.items())
        }
    )
