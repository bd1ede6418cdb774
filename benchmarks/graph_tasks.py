"""Tasks that ``graph.py`` runs in new processes with a profile loaded: the small campaign and the large ones.

The small campaign has real labels by ``pw.x``: cells of three or four atoms, trajectories of sixty steps, networks that
learn nothing. Only its graph matters, because it is the template of the large campaigns.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from graph_builder import Builder, Plan
from graph_template import Template, read_template
from graph_writer import Writer
from lab import wait

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
        # The same mesh for all cells, as in the protocol of the paper.
        'qe': {
            'ecutwfc_ry': 12,
            'ecutrho_ry': 48,
            'kpoints_mesh': [2, 2, 2],
            'kpoints_distance_per_angstrom': None,
        },
        'limits': {'max_force_ev_per_angstrom': 1000.0, 'max_concurrent': 2},
    },
}


def tiny_campaign(changes: Mapping[str, Any] | None = None, **inputs: Any) -> Any:
    """Return the builder of the small campaign.

    :param changes: changes of its settings.
    :param inputs: ``worker_code``, ``pw_code`` and ``pseudo``.
    """
    from aiida_anial.protocols.builder import campaign_builder
    from aiida_anial.protocols.protocol import campaign_inputs, merged

    return campaign_builder(campaign_inputs('demo', merged(OVERRIDES, changes or {})), **inputs)


def run_campaign(*, archive: str) -> dict[str, Any]:
    """Run the small campaign with the daemon, archive it, and return its size and duration.

    :param archive: path of the archive to write.
    """
    from aiida import orm
    from aiida.engine import submit
    from aiida.tools.archive import create_archive

    from aiida_anial.pseudopotential import PSEUDO_FAMILY

    pseudo = orm.load_group(PSEUDO_FAMILY).get_pseudo('Al')
    worker, pw = orm.load_code('anial-worker'), orm.load_code('pw')
    before, start = orm.QueryBuilder().append(orm.Node).count(), time.perf_counter()
    node: Any = submit(tiny_campaign(worker_code=worker, pw_code=pw, pseudo=pseudo))
    wait(node.pk)
    if not node.is_finished_ok:
        raise RuntimeError(f'{node.process_label}: {node.exit_message or node.exception}')
    took, made = time.perf_counter() - start, orm.QueryBuilder().append(orm.Node).count() - before
    create_archive([node], filename=archive)
    n_labels = sum(shard.n_configurations for shard in node.outputs.shards.values())
    return {'n_labels': n_labels, 'n_label_nodes': read_template(node).n_label_nodes, 'n_nodes': made, 'took_s': took}


def build_campaign(*, archive: str, n_labels: int, own_files: bool) -> dict[str, Any]:
    """Build a large campaign from the archived small one, and return its pk, size and duration.

    :param archive: path of the archive.
    :param own_files: whether every label has its own files.
    """
    from aiida import orm
    from aiida.manage import get_manager

    template, computers = archived_template(Path(archive))
    writer, user = Writer(get_manager().get_profile_storage()), _pk(orm.User.collection.get_default())
    plan, start = Plan.of_size(n_labels, own_files=own_files), time.perf_counter()
    campaign = Builder(template, plan, writer, user=user, computers=computers).run()
    return {'campaign': campaign, 'rows': writer.counts, 'took_s': time.perf_counter() - start}


def archived_template(path: Path) -> tuple[Template, dict[int, int]]:
    """Return the campaign in an archive, and the pks of computers in the loaded profile by those in the archive."""
    from aiida import orm
    from aiida.tools.archive.abstract import get_format

    with get_format().open(path, 'r') as reader:
        backend = reader.get_backend()
        filters = {'attributes.process_label': 'ActiveLearningWorkChain'}
        query = orm.QueryBuilder(backend=backend).append(orm.WorkChainNode, filters=filters)
        template = read_template(query.one()[0])
        labels = orm.QueryBuilder(backend=backend).append(orm.Computer, project=['id', 'label']).all()
    return template, {pk: _pk(orm.load_computer(label)) for pk, label in labels}


def _pk(entity: Any) -> int:
    return int(entity.pk)
