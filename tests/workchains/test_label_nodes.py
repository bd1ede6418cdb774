"""How many nodes a label by pw.x costs, that k-point meshes are shared, and what happens when pw.x is cut short."""

from __future__ import annotations

import shutil
import stat
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

from aiida_anial.active_learning.label_settings import LabelSettings, QeSettings
from aiida_anial.calcfunctions.extract_candidate import extract_candidate
from aiida_anial.calcfunctions.make_meshes import make_meshes, mesh_name
from aiida_anial.data.structures import to_structure
from aiida_anial.workchains.label import LabelWorkChain

pytestmark = pytest.mark.slow

DISTANCE_PER_ANGSTROM = 1.0

NODES_A_LABEL = 10

# Kills itself in its first run in the folder of a cell, as another process may; with a second word, it says why.
MORTAL_PW = """#!{python}
import os, pathlib, signal, sys
runs = pathlib.Path({runs!r})
with runs.open('a') as stream:
    stream.write('x')
if len(runs.read_text()) <= {n_killed}:
    if {crashes}:
        pathlib.Path('CRASH').write_text('Error in routine davcio (10)')
    print('     Program PWSCF v.6.7MaX starts', flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
os.execv({pw!r}, [{pw!r}, *sys.argv[1:]])
"""


@pytest.fixture(scope='module')
def mortal_pw(tmp_path_factory, pw_code, computer):
    """Return a function that makes a code of pw.x that is killed in its first runs."""

    def make(label, *, n_killed, crashes=False):
        folder = Path(tmp_path_factory.mktemp('codes'))
        script, pw = folder / label, str(pw_code.filepath_executable)
        values = {'runs': str(folder / 'runs'), 'n_killed': n_killed, 'crashes': crashes, 'pw': pw}
        script.write_text(MORTAL_PW.format(python=sys.executable, **values))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=str(script),
            default_calc_job_plugin='quantumespresso.pw',
            with_mpi=False,
        ).store()

    return make


@pytest.fixture(scope='module')
def labelling(pw_code, pseudo):
    """Return a function that makes the inputs of a labelling."""
    from aiida_anial.labellers.pw_inputs import pw_inputs

    settings = QeSettings.parse(
        {
            'ecutwfc_ry': 12,
            'ecutrho_ry': 48,
            'kpoints_mesh': None,
            'kpoints_distance_per_angstrom': DISTANCE_PER_ANGSTROM,
            'degauss_ry': 0.02,
        }
    )

    def make(cells, code=None):
        builder = LabelWorkChain.get_builder()
        builder.cells = cells
        builder.qe = pw_inputs(settings, code or pw_code, pseudo)
        builder.limits = orm.Dict(LabelSettings(max_failed_fraction=1.0).to_dict())
        return builder

    return make


def trajectories(cells):
    """Return trajectories of one frame, which is their candidate."""
    nodes = []
    for positions, lattice in cells:
        node = orm.TrajectoryData()
        node.set_trajectory(['Al'] * len(positions), positions[None], cells=lattice[None], pbc=(True,) * 3)
        node.base.attributes.set('candidate_frame', 0)
        nodes.append(node.store())
    return nodes


@pytest.fixture(scope='module')
def chains(run_all, labelling, mortal_pw, make_cells, count_nodes):
    """Labellings of two and of five candidates with the number of nodes of each, and of cells whose pw.x is killed."""
    given = trajectories(list(make_cells(7, seed=8)))
    (positions, lattice) = next(iter(make_cells(1, seed=3)))
    found = {}
    for name, parents in (('two', given[:2]), ('five', given[2:])):
        before = count_nodes()
        candidates = {f'cell_{index:04d}': extract_candidate(parent) for index, parent in enumerate(parents)}
        (chain,) = run_all(labelling(candidates))
        found[name] = (chain, count_nodes() - before)
    mortals = {'killed once': (1, False), 'killed twice': (2, False), 'crashed': (1, True)}
    codes = {
        name: mortal_pw(name.replace(' ', '-'), n_killed=n, crashes=crashes) for name, (n, crashes) in mortals.items()
    }
    cell = to_structure(positions, lattice, np.full(len(positions), 13))
    nodes = run_all(*(labelling({'cell_0000': cell}, code) for code in codes.values()))
    return {**found, **dict(zip(codes, ((node, 0) for node in nodes), strict=True))}


needs_pw = pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')


@needs_pw
def test_a_label_of_active_learning_costs_ten_nodes(chains):
    """From the process that takes the candidate to the label by which it is found, the trajectory not counted."""
    (two, n_two), (five, n_five) = chains['two'], chains['five']
    assert two.is_finished_ok
    assert five.is_finished_ok
    assert five.outputs.dataset.n_configurations == 5
    assert n_five - n_two == 3 * NODES_A_LABEL


@needs_pw
def test_the_nodes_of_a_label(chains):
    chain, _ = chains['five']
    base = next(child for child in chain.called if child.process_label == 'PwBaseWorkChain')
    (job,) = base.called
    structure = base.inputs.pw.structure
    shared = {
        link.node.uuid
        for other in chain.called
        if other.process_label == 'PwBaseWorkChain' and other.uuid != base.uuid
        for process in (other, *other.called)
        for link in process.base.links.get_incoming().all()
    }
    own = [node for node in job.base.links.get_incoming().all_nodes() if node.uuid not in shared]
    made = job.base.links.get_outgoing(link_type=LinkType.CREATE).all_nodes()
    collection = chain.outputs.dataset.creator
    label = collection.outputs.labels[base.label]
    nodes = {node.uuid: node for node in (structure, structure.creator, base, job, label, *own, *made)}
    kinds = Counter(type(node).__name__ for node in nodes.values())
    assert kinds == {
        'CalcFunctionNode': 1,
        'StructureData': 1,
        'WorkChainNode': 1,
        'CalcJobNode': 1,
        # Its output parameters; parameters and settings of the job are shared.
        'Dict': 1,
        'RemoteData': 1,
        'FolderData': 1,
        'TrajectoryData': 1,
        'BandsData': 1,
        'LabelData': 1,
    }
    assert kinds.total() == NODES_A_LABEL


@needs_pw
def test_labels_with_the_same_mesh_share_its_node(chains):
    chain, _ = chains['five']
    bases = [child for child in chain.called if child.process_label == 'PwBaseWorkChain']
    meshes = {base.inputs.kpoints.uuid: base.inputs.kpoints for base in bases}
    assert len(meshes) == len({tuple(mesh.get_kpoints_mesh()[0]) for mesh in meshes.values()})
    assert {mesh.creator.process_label for mesh in meshes.values()} == {'make_meshes'}
    for base in bases:
        (job,) = base.called
        found = create_kpoints_from_distance.__wrapped__(
            base.inputs.pw.structure, orm.Float(DISTANCE_PER_ANGSTROM), orm.Bool(False)
        )
        assert job.inputs.kpoints.get_kpoints_mesh() == found.get_kpoints_mesh()


@pytest.mark.parametrize('force_parity', [False, True])
def test_meshes_are_those_of_aiida_quantumespresso(aiida_profile, force_parity):
    generator = np.random.default_rng(2)
    lattices = [np.diag(generator.uniform(3.5, 9.0, 3)) for _ in range(12)]
    # The mesh of a cell with equal edges is equal in all directions, even where rounding would tell them apart.
    lattices += [4.0 * np.eye(3) + 0.3 * generator.standard_normal((3, 3)), np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0]])]
    cells = {
        f'c{index}': to_structure(np.zeros((1, 3)), lattice, np.array([13])) for index, lattice in enumerate(lattices)
    }
    distance, parity = orm.Float(0.35), orm.Bool(force_parity)
    meshes = make_meshes(distance, parity, **cells)
    assert 1 < len(meshes) <= len(cells)
    for cell in cells.values():
        expected = create_kpoints_from_distance(cell, distance, parity)
        assert meshes[mesh_name(cell, distance, parity)].get_kpoints_mesh() == expected.get_kpoints_mesh()


def launched(chain):
    """Return the calculations of a labelling by the label of their call."""
    links = chain.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all()
    return {link.link_label: link.node for link in links}


@needs_pw
def test_a_pw_that_was_killed_is_launched_once_more_and_both_stay(chains):
    chain, _ = chains['killed once']
    assert chain.is_finished_ok
    assert chain.outputs.dataset.n_configurations == 1
    assert chain.outputs.rejected.get_dict() == {}
    bases = launched(chain)
    assert {label: base.is_finished_ok for label, base in bases.items()} == {
        'cell_0000': False,
        'cell_0000_again': True,
    }
    assert chain.outputs.dataset.labelled.uuids == (bases['cell_0000_again'].called[0].uuid,)
    reports = [log.message for log in orm.Log.collection.get_logs_for(chain)]
    assert any('cell_0000 was cut short: ' in line and 'launch it once more' in line for line in reports)


@needs_pw
def test_a_pw_that_is_killed_again_fails(chains):
    chain, _ = chains['killed twice']
    assert sorted(launched(chain)) == ['cell_0000', 'cell_0000_again']
    assert list(chain.outputs.rejected.get_dict()) == ['cell_0000']


@needs_pw
def test_a_pw_that_says_why_it_stopped_is_not_launched_again(chains):
    chain, _ = chains['crashed']
    assert list(launched(chain)) == ['cell_0000']
    assert list(chain.outputs.rejected.get_dict()) == ['cell_0000']
