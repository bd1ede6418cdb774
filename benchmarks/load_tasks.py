"""Tasks that ``load.py`` runs in new processes with the production profile loaded: they label cells.

A stand-in for ``pw.x`` answers every input with the output of one real run. It computes nothing, and its labels have no
meaning. It is used only here, in a temporary profile.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lab import POLL_S, alive, wait

CODE: Final = 'pw-stand-in'
# The same, but it sleeps first, so that the workers have time to spare. As with pw.x, the durations differ.
PACED: Final = 'pw-stand-in-paced'
# The printed output of pw.x, and the file that it writes to ``_XML_FOLDER``.
ANSWER: Final = ('aiida.out', 'data-file-schema.xml')
_XML_FOLDER: Final = 'out/aiida.save'
_OVERRIDES: Final[dict[str, Any]] = {
    'cells': {'families': [{'edges_angstrom': [4.0, 4.4], 'n_atoms': [4, 4]}]},
    'label': {
        'labeller': 'qe',
        # The same mesh for all: with a distance, the bare work chains would have one more process for each label.
        'qe': {
            'ecutwfc_ry': 12,
            'ecutrho_ry': 48,
            'kpoints_mesh': [1, 1, 1],
            'kpoints_distance_per_angstrom': None,
        },
    },
}


def write_stand_in(folder: Path, answer: Mapping[str, bytes], *, pause_s: int = 0) -> Path:
    """Write the stand-in and its answer, and return the path of the stand-in.

    :param answer: contents of the files in ``ANSWER``, by name.
    :param pause_s: shortest time in seconds that it sleeps before it answers; the longest is twice that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    comment = '# Stands in for pw.x in a load test: the answer of one real run, whatever the input.'
    lines = ['#!/bin/sh', comment, 'set -e']
    if pause_s:
        lines.append(f'sleep $(({pause_s} + $$ % {pause_s}))')
    for name in ANSWER:
        (folder / name).write_bytes(answer[name])
    printed, xml = (shlex.quote(str(folder / name)) for name in ANSWER)
    lines += [f'mkdir -p {_XML_FOLDER}', f'cp {xml} {_XML_FOLDER}', f'exec cat {printed}', '']
    path = folder / (PACED if pause_s else CODE)
    path.write_text('\n'.join(lines))
    path.chmod(0o755)
    return path


def make_stand_in(*, folder: str, pause_s: int) -> dict[str, Any]:
    """Run the real ``pw.x`` once, and create a code that gives the same answer, and one that sleeps first.

    :param folder: folder of the stand-ins.
    :param pause_s: shortest time in seconds that the second code sleeps.
    """
    from aiida import orm
    from aiida.engine import submit

    from aiida_anial.cli.installation import COMPUTER, PW_CODE

    real: Any = orm.load_code(f'{PW_CODE}@{COMPUTER}')
    (cell,) = _cells(1, seed=0)
    node: Any = submit(_bare(_labeller(real).qe, cell))
    wait(node.pk)
    if not node.is_finished_ok:
        raise RuntimeError(f'pw.x failed: {node.exit_message}')
    (job,) = node.called
    files = job.outputs.retrieved.base.repository
    answer = {name: files.get_object_content(name, mode='rb') for name in ANSWER}
    for label, pause in ((CODE, 0), (PACED, pause_s)):
        orm.InstalledCode(
            label=label,
            description='Stands in for pw.x in a load test: computes nothing.',
            computer=real.computer,
            filepath_executable=str(write_stand_in(Path(folder), answer, pause_s=pause)),
            default_calc_job_plugin='quantumespresso.pw',
            prepend_text=real.prepend_text,
            with_mpi=False,
        ).store()
    return {
        'energy_ev': node.outputs.output_parameters['energy'],
        'n_atoms': len(cell.sites),
        'pause_s': pause_s,
        'poll_s': real.computer.get_minimum_job_poll_interval(),
    }


def chain(*, n_labels: int, seed: int, max_concurrent: int, code: str = CODE) -> dict[str, Any]:
    """Label cells with one ``LabelWorkChain``, and return the times."""
    from aiida import orm
    from aiida.engine import submit

    from aiida_anial.workchains.label import LabelWorkChain

    campaign = _labeller(orm.load_code(code), max_concurrent)
    builder = LabelWorkChain.get_builder()
    builder.cells = {f'cell_{number:05d}': cell for number, cell in enumerate(_cells(n_labels, seed))}
    builder.limits, builder.qe = campaign.limits, campaign.qe
    start, spent = time.time(), time.process_time()
    node: Any = submit(builder)
    wait(node.pk)
    found = _measured(start, spent, [child.pk for child in node.called if child.process_label == 'PwBaseWorkChain'])
    if not node.is_finished_ok:
        raise RuntimeError(f'LabelWorkChain failed: {node.exit_message or node.exception}')
    (collected,) = [child for child in node.called if child.process_label == 'collect_labels']
    return {
        **found,
        'collecting_s': (collected.mtime - collected.ctime).total_seconds(),
        'sound_labels': node.outputs.dataset.n_configurations,
    }


def bare(*, n_labels: int, seed: int, max_concurrent: int) -> dict[str, Any]:
    """Label cells with bare work chains of aiida-quantumespresso, and return the times.

    A loop counts the active ones and submits as many as ``max_concurrent`` allows.
    """
    from aiida import orm
    from aiida.engine import submit

    qe = _labeller(orm.load_code(CODE)).qe
    waiting = _cells(n_labels, seed)
    submitted: list[Any] = []
    start, spent = time.time(), time.process_time()
    while waiting:
        room = max_concurrent - alive(submitted)
        submitted += [submit(_bare(qe, cell)).pk for cell in waiting[:room]]
        del waiting[:room]
        time.sleep(POLL_S)
    wait(*submitted)
    return _measured(start, spent, submitted)


def _labeller(code: Any, max_concurrent: int = 2) -> Any:
    """Return the inputs ``limits`` and ``qe`` of a labelling, as in a campaign."""
    from aiida import orm

    from aiida_anial.protocols.builder import campaign_builder
    from aiida_anial.protocols.protocol import campaign_inputs, merged

    limits = {'max_concurrent': max_concurrent, 'max_force_ev_per_angstrom': 1000.0}
    inputs = campaign_inputs('demo', merged(_OVERRIDES, {'label': {'limits': limits}}))
    pseudo = orm.load_group(inputs.label.qe.pseudo_family).get_pseudo('Al')
    builder: Any = campaign_builder(inputs, worker_code=orm.load_code('anial-worker'), pw_code=code, pseudo=pseudo)
    return builder.cycle.label


def _cells(number: int, seed: int) -> list[Any]:
    """Return stored cells, each with the number of atoms in the answer."""
    import numpy as np

    from aiida_anial.data.structures import to_structure

    generator = np.random.default_rng(seed)
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    made = []
    for _ in range(number):
        edges = generator.uniform(3.9, 4.3, 3)
        positions = (sites + generator.uniform(-0.03, 0.03, sites.shape)) * edges
        made.append(to_structure(positions, np.diag(edges), np.full(len(positions), 13)).store())
    return made


def _bare(qe: Any, cell: Any) -> Any:
    """Return a work chain of aiida-quantumespresso with the inputs that ``LabelWorkChain`` gives to its children."""
    from aiida.plugins import WorkflowFactory

    factory: Any = WorkflowFactory('quantumespresso.pw.base')
    builder = factory.get_builder()
    builder._update(qe._inputs(prune=True))
    builder.pw.structure = cell
    builder.clean_workdir = True
    return builder


def _measured(start: float, spent: float, pks: Sequence[int]) -> dict[str, Any]:
    """Return the times of the children, the number of processes, and the CPU time of this process.

    :param start: start of the labelling, in seconds since the epoch.
    :param spent: CPU seconds of this process before that.
    :param pks: pks of the children.
    """
    from aiida import orm

    own = time.process_time() - spent
    filters = {'id': {'in': list(pks)}}
    project = ['ctime', 'mtime', 'attributes.exit_status']
    rows: Any = orm.QueryBuilder().append(orm.ProcessNode, filters=filters, project=project).all()
    failed = sum(status != 0 for _, _, status in rows)
    if failed:
        raise RuntimeError(f'{failed} of {len(rows)} labels failed.')
    since = datetime.fromtimestamp(start).astimezone()
    return {
        'start': start,
        'wall_s': time.time() - start,
        'script_cpu_s': own,
        'lives': sorted((made.timestamp() - start, changed.timestamp() - start) for made, changed, _ in rows),
        'processes': orm.QueryBuilder().append(orm.ProcessNode, filters={'ctime': {'>=': since}}).count(),
    }
