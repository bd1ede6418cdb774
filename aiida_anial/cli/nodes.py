"""Calculations that options name: found, or refused in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm

from aiida_anial.common.errors import AnialError
from aiida_anial.data.nodes import loaded

__all__ = ('finished_pw',)


def finished_pw(identifier: str) -> Any:
    """Return the pw.x calculation ``identifier``, from which a label can be made.

    :raises AnialError: if it is not a pw.x calculation, did not succeed, or has no forces, no stress, another
        element or a left-handed cell.
    """
    node = loaded(identifier, 'PKS')
    if getattr(node, 'process_label', None) == 'PwBaseWorkChain':
        jobs: list[Any] = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
        node = max(jobs, key=lambda child: child.pk, default=node)
    if getattr(node, 'process_label', None) != 'PwCalculation':
        raise AnialError(f'PKS: node {identifier} is a {_kind(node)}, not a PwCalculation.')
    if not node.is_finished_ok:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> did not succeed (exit status {node.exit_status}).')
    others = sorted(set(node.inputs.structure.get_symbols_set()) - {'Al'})
    if others:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> contains {others[0]}; only Al is supported.')
    if np.linalg.det(node.inputs.structure.cell) <= 0:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> has a left-handed cell; swap two of its vectors.')
    arrays = node.outputs.output_trajectory.get_arraynames() if 'output_trajectory' in node.outputs else ()
    for name in ('forces', 'stress'):
        if name not in arrays:
            raise AnialError(f'PKS: PwCalculation<{node.pk}> has no {name}; a label needs energy, forces and stress.')
    return node


def _kind(node: Any) -> str:
    return getattr(node, 'process_label', None) or type(node).__name__
