"""A temporary AiiDA profile for every session, small cells and networks, and fake processes.

No test touches the user's own AiiDA: the profile lies in a temporary folder, with SQLite and without a broker.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from sqlalchemy import event
from sqlalchemy.engine import Engine
from xdist.scheduler import LoadFileScheduling

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import ModelSettings

# AiiDA makes its folder as soon as it is imported.
_AIIDA_PATH = tempfile.TemporaryDirectory(prefix='anial-tests-')
os.environ['AIIDA_PATH'] = _AIIDA_PATH.name

pytest_plugins = ('aiida.tools.pytest_fixtures', 'support.chains', 'support.lammps')

# Only a process that hangs takes this long, also on a busy machine.
_RUN_LIMIT_S = 1200

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])

TINY_MODEL: dict[str, Any] = {
    'descriptor': {
        'radial_cutoff_angstrom': 5.0,
        'angular_cutoff_angstrom': 4.0,
        'radial_eta_per_angstrom2': 4.0,
        'radial_shifts_angstrom': [1.5, 2.5, 3.5],
        'angular_eta_per_angstrom2': 2.0,
        'angular_shifts_angstrom': [2.0, 3.0],
        'angular_zeta': 8.0,
        'angle_shifts_rad': [0.5, 1.5, 2.5],
    },
    'hidden_layers': [8, 8],
    'n_members': 2,
}


def pytest_configure(config: pytest.Config) -> None:
    """Silence what AiiDA says about its own temporary profile and session."""
    for message in ('Creating AiiDA configuration folder', 'Object of type <DbNode> not in session'):
        config.addinivalue_line('filterwarnings', f'ignore:{message}')


# Folders whose files share servers, or an ensemble that takes a while.
_OF_ONE_PROCESS = ('property_benchmark', 'production')


class _Together(LoadFileScheduling):
    """Keeps in one process the tests of a file, and all files that need the same servers or campaigns."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        folder = file.split('/')[1]
        if folder in _OF_ONE_PROCESS:
            return folder
        return 'campaigns' if _needs_campaigns(Path(__file__).parents[1] / file) else file


@functools.cache
def _needs_campaigns(file: Path) -> bool:
    """Return whether a file, or the conftest of its folder, names the fixture."""
    beside = file.with_name('conftest.py')
    return any(re.search(r'[(,] ?campaigns\b', path.read_text()) for path in (file, beside) if path.exists())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that in the end no process waits long for another."""
    order = ('scheduler', 'services', 'daemon')

    def rank(item: pytest.Item) -> int:
        return min((order.index(mark.name) for mark in item.iter_markers() if mark.name in order), default=len(order))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Return the scheduler that hands the tests out to several processes, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return _Together(config, log)


@event.listens_for(Engine, 'connect')
def _do_not_wait_for_the_disk(connection: Any, _: Any) -> None:
    """Switch off the flushes of the database, of which nothing needs to survive a power cut."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute('PRAGMA synchronous = OFF')


@pytest.fixture(scope='session')
def tiny_model() -> dict[str, Any]:
    """Two small networks on a coarse descriptor, as plain settings."""
    return TINY_MODEL


@pytest.fixture(scope='session')
def make_cells() -> Callable[..., Cells]:
    """Return a function that makes jittered FCC cells of four atoms, of different edges."""

    def make(n: int, *, seed: int = 0, edge: float = 4.05) -> Cells:
        generator = np.random.default_rng(seed)
        lattices = [np.diag(edge * generator.uniform(0.97, 1.08, 3)) for _ in range(n)]
        positions = [FCC @ lattice + 0.08 * generator.standard_normal((4, 3)) for lattice in lattices]
        return Cells.from_lists(positions, lattices, species=13)

    return make


@pytest.fixture(scope='session')
def make_labelled(make_cells) -> Callable[..., LabelledCells]:
    """Return a function that makes cells with the energies, forces and stresses of ASE's EMT."""

    def make(n: int, *, seed: int = 0, iteration: int = 0, origin: str = 'random') -> LabelledCells:
        cells = make_cells(n, seed=seed)
        atoms = [Atoms('Al4', positions=p, cell=c, pbc=True, calculator=EMT()) for p, c in cells]
        return LabelledCells(
            cells=cells,
            energies=np.array([one.get_potential_energy() for one in atoms]),
            forces=np.concatenate([one.get_forces() for one in atoms]),
            stresses=np.array([one.get_stress(voigt=False) for one in atoms]),
            uuids=tuple(str(UUID(int=1000 * seed + index)) for index in range(n)),
            iterations=np.full(n, iteration, dtype=np.int64),
            origins=(origin,) * n,
        )

    return make


@pytest.fixture(scope='session')
def make_ensemble() -> Callable[..., Ensemble]:
    """Return a function that makes networks with random weights."""

    def make(seed: int = 1) -> Ensemble:
        model = ModelSettings.parse(TINY_MODEL)
        generator, members = np.random.default_rng(seed), model.n_members
        return Ensemble(
            model,
            tuple(0.3 * generator.standard_normal((members, n, m)) for m, n in pairwise(model.layer_sizes)),
            tuple(0.3 * generator.standard_normal((members, n)) for n in model.layer_sizes[1:]),
            self_energy=-2.0,
        )

    return make


@pytest.fixture(scope='session')
def make_structures(make_cells) -> Callable[..., dict[str, Any]]:
    """Return a function that makes unstored structure nodes by label, ``cell_0000`` and so on."""
    from aiida_anial.data.structures import to_structure

    def make(n: int, **options: Any) -> dict[str, Any]:
        return {
            f'cell_{index:04d}': to_structure(*cell)
            for index, cell in enumerate(make_cells(n, **options).configurations())
        }

    return make


@pytest.fixture(scope='session')
def installed(aiida_profile) -> None:
    """Have the computer, codes and pseudopotential of ``aiida-anial setup`` in the test profile."""
    from aiida_anial.cli import installation

    worker = installation._executable(None, 'anial-worker', hint='')
    installation._computer()
    # A test of the command line needs the code only; what runs it is marked and looks for the executable itself.
    installation._code(installation.PW_CODE, Path(shutil.which('pw.x') or '/usr/bin/pw.x'), 'quantumespresso.pw')
    installation._code(installation.WORKER_CODE, worker, 'anial.train')
    installation._pseudo_family()


@pytest.fixture(scope='session')
def computer(installed) -> Any:
    """The computer that ``setup`` makes, polled as often as a test can bear."""
    from aiida import orm

    from aiida_anial.cli.installation import COMPUTER

    computer = orm.load_computer(COMPUTER)
    computer.set_minimum_job_poll_interval(0.1)
    return computer


@pytest.fixture(scope='session')
def worker_code(computer) -> Any:
    """The code of ``anial-worker``."""
    from aiida import orm

    return orm.load_code('anial-worker@localhost')


@pytest.fixture(scope='session')
def pw_code(computer) -> Any:
    """The code of ``pw.x``."""
    from aiida import orm

    return orm.load_code('pw@localhost')


@pytest.fixture(scope='session')
def pseudo(installed) -> Any:
    """The package's own pseudopotential."""
    from aiida import orm

    from aiida_anial.pseudopotential import PSEUDO_FAMILY

    return orm.load_group(PSEUDO_FAMILY).get_pseudo('Al')


@pytest.fixture(scope='session')
def worker(worker_code) -> dict[str, Any]:
    """The inputs that all jobs of ``anial-worker`` share."""
    resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
    return {'code': worker_code, 'metadata': {'options': {'max_wallclock_seconds': 3600, 'resources': resources}}}


@pytest.fixture(scope='session')
def local_runner(aiida_profile) -> Iterator[Any]:
    """An engine in this process, without a broker, that looks for ended children five times a second."""
    from aiida.manage import get_manager

    runner = get_manager().create_runner(communicator=None, poll_interval=0.2)
    yield runner
    runner.close()


@pytest.fixture(scope='session')
def run_all(local_runner) -> Callable[..., list[Any]]:
    """Return a function that runs processes side by side in this process and returns their nodes."""

    def run(*builders: Any) -> list[Any]:
        nodes = [local_runner.submit(builder) for builder in builders]

        async def wait() -> None:
            end = time.monotonic() + _RUN_LIMIT_S
            while not all(node.is_terminated for node in nodes):
                assert time.monotonic() < end, f'not ended after {_RUN_LIMIT_S} s: {nodes}'
                await asyncio.sleep(0.05)

        local_runner.loop.run_until_complete(wait())
        return nodes

    return run


@pytest.fixture(scope='session')
def fake_job(computer) -> Callable[..., Any]:
    """Return a function that stores a calculation job that has ended, with the retrieved files given."""
    from aiida import orm
    from aiida.common import LinkType
    from aiida.engine import ProcessState
    from aiida.plugins.entry_point import format_entry_point_string

    def make(
        entry_point: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        retrieved: Mapping[str, str | bytes] | None = None,
        exit_status: int = 0,
        caller: Any = None,
        call_link_label: str | None = None,
        state: ProcessState = ProcessState.FINISHED,
    ) -> orm.CalcJobNode:
        kind = format_entry_point_string('aiida.calculations', entry_point)
        node = orm.CalcJobNode(computer=computer, process_type=kind)
        for label, value in _flat(inputs or {}).items():
            node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
        node.set_process_state(state)
        if state == ProcessState.FINISHED:
            node.set_exit_status(exit_status)
        node.set_process_label(entry_point)
        if caller is not None:
            link_label = call_link_label or f'called_{uuid4().hex}'
            node.base.links.add_incoming(caller, link_type=LinkType.CALL_CALC, link_label=link_label)
        node.store()
        folder = orm.FolderData()
        for name, content in (retrieved or {}).items():
            data = content.encode() if isinstance(content, str) else content
            folder.base.repository.put_object_from_bytes(data, name)
        for label, value in {**(outputs or {}), 'retrieved': folder}.items():
            value.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label=label)
            value.store()
        return node

    return make


@pytest.fixture(scope='session')
def fake_chain(aiida_profile) -> Callable[..., Any]:
    """Return a function that stores a work chain that has ended in some way."""

    from aiida import orm
    from aiida.common import LinkType
    from aiida.engine import ProcessState

    def make(
        label: str,
        *,
        exit_status: int | None = 0,
        exit_message: str | None = None,
        state: ProcessState = ProcessState.FINISHED,
        outputs: dict[str, Any] | None = None,
        caller: Any = None,
        call_link_label: str | None = None,
        process_type: str | None = None,
        exception: str | None = None,
    ) -> orm.WorkChainNode:
        node = orm.WorkChainNode(process_type=process_type)
        node.set_process_label(label)
        node.set_process_state(state)
        if state == ProcessState.FINISHED:
            node.set_exit_status(exit_status)
        if exit_message is not None:
            node.set_exit_message(exit_message)
        if exception is not None:
            node.set_exception(exception)
        if caller is not None:
            label_of_link = call_link_label or f'called_{uuid4().hex}'
            node.base.links.add_incoming(caller, link_type=LinkType.CALL_WORK, link_label=label_of_link)
        node.store()
        for name, output in (outputs or {}).items():
            output.store().base.links.add_incoming(node, link_type=LinkType.RETURN, link_label=name)
        return node

    return make


def _flat(inputs: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return nested inputs by link label, namespaces joined as AiiDA does."""
    flat: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f'{prefix}{name}__')
        else:
            flat[f'{prefix}{name}'] = value
    return flat


@pytest.fixture(scope='session')
def count_nodes(aiida_profile) -> Callable[[], int]:
    """Return a function that counts the nodes in the database."""
    from aiida import orm

    return lambda: int(orm.QueryBuilder().append(orm.Node).count())


CAMPAIGN: dict[str, Any] = {
    'seed': 11,
    'model': TINY_MODEL,
    'campaign': {
        'n_initial_cells': 12,
        'max_iterations': 2,
        'max_iterations_is_failure': False,
        'n_trajectories': [4, 4],
        'n_cycles': 2,
        'label_completed_fraction': 1.0,
        't_max_growth': 0.5,
    },
    'cells': {'families': [{'edges_angstrom': [4.0, 5.0], 'n_atoms': [4, 6]}]},
    'schedules': {'t_max_ps': 0.06, 't_0_ps': [0.02, 0.05]},
    'sampling': {'dynamics': {'frame_interval': 10, 'min_time_ps': 0.02}},
    'thresholds': {'mode': 'controlled'},
    'training': {
        'initial': {'max_steps': 20, 'batch_size': 8, 'evaluation_interval': 10},
        'retrain': {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10},
        'final': None,
    },
    'label': {'labeller': 'emt', 'limits': {'max_force_ev_per_angstrom': 1000.0, 'max_concurrent': 2}},
}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it."""
    both = {
        key: _merged(base[key], value) if isinstance(value, Mapping) and isinstance(base.get(key), Mapping) else value
        for key, value in changes.items()
    }
    return {**base, **both}


@pytest.fixture(scope='session')
def campaign_overrides() -> Callable[..., dict[str, Any]]:
    """Return a function that gives the overrides of a tiny campaign, labelled by EMT, with changes."""
    return lambda **changes: _merged(CAMPAIGN, changes)


@pytest.fixture(scope='session')
def campaigns(run_all, worker_code, campaign_overrides) -> dict[str, Any]:
    """Three campaigns by name.

    ``main`` goes through two iterations and a last training; ``again``, with the same seed, converges at once, since
    nothing stops its trajectories and no end of one is labelled; ``failed`` has nothing but unphysical labels.
    """
    from aiida_anial.protocols.builder import campaign_builder
    from aiida_anial.protocols.protocol import campaign_inputs

    short = {'max_steps': 10, 'batch_size': 8, 'evaluation_interval': 10}
    changes: dict[str, dict[str, Any]] = {
        'main': {'training': {'final': short}},
        'again': {
            'campaign': {'label_completed_fraction': 0.0},
            'thresholds': {'mode': 'fixed', 'energy_ev_per_sqrt_atom': 1e6},
        },
        'failed': {'label': {'limits': {'max_force_ev_per_angstrom': 1e-6}}},
    }
    builders = []
    for name, change in changes.items():
        builder: Any = campaign_builder(campaign_inputs('demo', campaign_overrides(**change)), worker_code=worker_code)
        builder.metadata.label = name
        builders.append(builder)
    return dict(zip(changes, run_all(*builders), strict=True))
