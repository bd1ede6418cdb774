"""A tiny campaign with real labels by ``pw.x``: what ``graph.py`` counts, and what it builds its large graphs after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

__all__ = ('LIMIT_S', 'OVERRIDES', 'count_of', 'run_builder', 'tiny_campaign')

LIMIT_S: Final = 480.0
_POLL_S: Final = 0.2

OVERRIDES: Final[dict[str, Any]] = {
    'seed': 11,
    'model': {
        'descriptor': {
            'radial_cutoff_angstrom': 5.0,
            'angular_cutoff_angstrom': 4.0,
            'radial_shifts_angstrom': [1.5, 2.5, 3.5],
            'angular_shifts_angstrom': [2.0, 3.0],
            'angle_shifts_rad': [0.5, 1.5, 2.5],
        },
        'hidden_layers': [8, 8],
        'n_members': 2,
    },
    'campaign': {
        'n_initial_cells': 12,
        'max_iterations': 2,
        'max_iterations_is_failure': False,
        'n_trajectories': [6, 6],
        'n_cycles': 2,
        'label_completed_fraction': 1.0,
        't_max_growth': 0.0,
    },
    'cells': {'families': [{'edges_angstrom': [4.0, 4.4], 'n_atoms': [3, 4]}]},
    'schedules': {'t_max_ps': 0.06, 't_0_ps': [0.02, 0.05]},
    'sampling': {'dynamics': {'frame_interval': 10, 'min_time_ps': 0.02}},
    'thresholds': {'mode': 'controlled'},
    'training': {
        'initial': {'max_steps': 20, 'batch_size': 8, 'evaluation_interval': 10},
        'retrain': {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10},
        'final': {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10},
    },
    'label': {
        'labeller': 'qe',
        # One mesh for all, as in the protocol of the paper.
        'qe': {
            'ecutwfc_ry': 12,
            'ecutrho_ry': 48,
            'kpoints_mesh': [2, 2, 2],
            'kpoints_distance_per_angstrom': None,
        },
        'limits': {'max_force_ev_per_angstrom': 1000.0, 'max_concurrent': 2},
    },
}
"""Cells of three or four atoms, trajectories of sixty steps, networks that learn nothing: the graph is what counts."""


def tiny_campaign(changes: Mapping[str, Any] | None = None, **inputs: Any) -> Any:
    """Return the builder of the campaign.

    :param changes: overrides of ``OVERRIDES``.
    :param inputs: ``worker_code``, ``pw_code`` and ``pseudo``.
    """
    from aiida_anial.protocols.builder import campaign_builder
    from aiida_anial.protocols.protocol import campaign_inputs, merged

    return campaign_builder(campaign_inputs('demo', merged(OVERRIDES, changes or {})), **inputs)


def run_builder(builder: Any) -> Any:
    """Run a process in this Python process and return its node.

    :raises RuntimeError: if it does not end well.
    """
    from aiida.manage import get_manager

    runner = get_manager().create_runner(communicator=None, poll_interval=_POLL_S)
    node = runner.submit(builder)

    async def wait() -> None:
        end = time.monotonic() + LIMIT_S
        while not node.is_terminated:
            if time.monotonic() > end:
                raise RuntimeError(f'{node.process_label}: not ended after {LIMIT_S:.0f} s.')
            await asyncio.sleep(_POLL_S)

    runner.loop.run_until_complete(wait())
    runner.close()
    if not node.is_finished_ok:
        raise RuntimeError(f'{node.process_label}: {node.exit_message or node.exception}')
    return node


def count_of(*classes: Any) -> int:
    """Return how many nodes of these classes the profile has."""
    from aiida import orm

    return int(orm.QueryBuilder().append(classes or orm.Node).count())
