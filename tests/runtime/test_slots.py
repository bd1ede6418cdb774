"""The bounds of a campaign and of a computer on the calculations that are alive."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import chain as joined

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState
from click.testing import CliRunner

from aiida_anial.active_learning.label_settings import LabelSettings, QeSettings
from aiida_anial.cli.root import main
from aiida_anial.data.structures import to_structure
from aiida_anial.runtime.slots import LIMIT, granted, held_slots, number_granted, pool_of_campaign, pool_of_computer
from aiida_anial.workchains.label import LabelWorkChain

CELLS = 4


@pytest.mark.parametrize(
    ('bound', 'held', 'waiting', 'wanted', 'number'),
    [
        (4, {}, [], 3, 3),
        (4, {}, [], 9, 4),
        (4, {1: 2, 2: 1}, [], 9, 1),
        (4, {1: 4}, [], 1, 0),
        # A limit below the number of those alive.
        (2, {1: 3}, [], 1, 0),
        # Its own mark is no reason to step back.
        (4, {1: 3}, [1], 1, 1),
        # A chain without any comes first; then both get them in turn.
        (4, {1: 3}, [2], 1, 0),
        (4, {1: 2, 2: 1}, [2], 1, 0),
        (4, {1: 1, 2: 1}, [2], 3, 1),
        # More chains than slots: a chain that has none may take one.
        (2, {2: 1}, [1, 3], 2, 1),
        (4, {}, [], 0, 0),
    ],
)
def test_room_is_shared_with_those_who_wait(bound, held, waiting, wanted, number):
    assert number_granted(bound, held, 1, waiting, wanted) == number


@pytest.mark.parametrize('bound', [1, 2, 5, 8])
def test_shares_become_equal_as_calculations_end(bound):
    held = {1: bound, 2: 0, 3: 0}
    for step in range(40):
        # A calculation of the chain with most of them ends, and the chain that wakes up first asks.
        held[max(held, key=held.get)] -= 1
        for chain in sorted(held, key=lambda pk: (pk + step) % 3):
            held[chain] += number_granted(bound, held, chain, [1, 2, 3], 99)
        assert sum(held.values()) == bound
    assert max(held.values()) - min(held.values()) <= 1


@pytest.fixture
def limited(computer):
    """The computer with room for three calculations, a number that the demo's own bound is not."""
    computer.set_property(LIMIT, 3)
    yield computer
    computer.delete_property(LIMIT)


@pytest.fixture
def make_calculation(fake_chain, computer):
    """Return a function that stores a calculation that is alive, and the work chain that launched it."""
    made = []

    def make(kind, *, launches=True):
        caller = fake_chain('LabelWorkChain', state=ProcessState.WAITING)
        if launches:
            with granted(caller, [pool_of_computer(computer)], 1):
                pass
        node = kind()
        node.set_process_state(ProcessState.WAITING)
        link = LinkType.CALL_CALC if kind is orm.CalcJobNode else LinkType.CALL_WORK
        node.base.links.add_incoming(caller, link_type=link, link_label='calculation')
        made.extend((node.store(), caller))
        return caller, node

    yield make
    for node in made:
        node.set_process_state(ProcessState.KILLED)


@pytest.mark.parametrize('kind', [orm.WorkChainNode, orm.CalcJobNode])
def test_a_calculation_counts_until_it_ends_although_its_caller_has(computer, make_calculation, kind):
    chain, calculation = make_calculation(kind)
    assert held_slots(pool_of_computer(computer)) == {chain.pk: [calculation.pk]}
    chain.set_process_state(ProcessState.KILLED)
    assert held_slots(pool_of_computer(computer)) == {chain.pk: [calculation.pk]}
    calculation.set_process_state(ProcessState.FINISHED)
    assert held_slots(pool_of_computer(computer)) == {}


def test_what_a_calculation_calls_does_not_count_twice(computer, make_calculation):
    make_calculation(orm.WorkChainNode, launches=False)
    assert held_slots(pool_of_computer(computer)) == {}


def test_nothing_is_held_back_without_a_limit(computer, fake_chain):
    with granted(fake_chain('LabelWorkChain', state=ProcessState.WAITING), [pool_of_computer(computer)], 99) as grant:
        assert (grant.number, grant.awaited) == (99, ())


@pytest.fixture
def campaign(fake_chain):
    """A campaign with two labellings, and a labelling of its own."""
    top = fake_chain('ActiveLearningWorkChain', state=ProcessState.WAITING)
    chains = [fake_chain('LabelWorkChain', state=ProcessState.WAITING, caller=top) for _ in range(2)]
    alone = fake_chain('LabelWorkChain', state=ProcessState.WAITING)
    yield *chains, alone
    for node in (top, *chains, alone):
        node.set_process_state(ProcessState.KILLED)


def launch(chain, bound, wanted):
    """Store as many calculations as a work chain is granted, and return them with the grant."""
    with granted(chain, [pool_of_campaign(chain, bound)], wanted) as grant:
        nodes = []
        for number in range(grant.number):
            node = orm.WorkChainNode()
            node.set_process_state(ProcessState.WAITING)
            node.base.links.add_incoming(chain, link_type=LinkType.CALL_WORK, link_label=f'calculation_{number}')
            nodes.append(node.store())
    return nodes, grant


def test_labellings_of_one_campaign_share_its_slots(campaign):
    """What one of them does not use, the other has; a labelling under another process has its own slots."""
    one, other, alone = campaign
    nodes, _ = launch(one, 3, 9)
    assert len(nodes) == 3
    none, grant = launch(other, 3, 9)
    assert none == []
    assert grant.awaited == tuple(node.pk for node in nodes)
    assert len(launch(alone, 3, 9)[0]) == 3
    nodes[0].set_process_state(ProcessState.FINISHED)
    assert len(launch(other, 3, 9)[0]) == 1


def test_two_workers_never_count_at_the_same_time(limited, fake_chain):
    node = fake_chain('LabelWorkChain', state=ProcessState.WAITING)
    with granted(node, [pool_of_computer(limited)], 1):
        from aiida.manage.configuration import get_config

        path = f'{get_config().dirpath}/anial/slots.lock'
        script = 'import fcntl, sys; fcntl.flock(open(sys.argv[1], "w"), fcntl.LOCK_EX | fcntl.LOCK_NB)'
        command = [sys.executable, '-c', script, path]
        assert subprocess.run(command, capture_output=True, check=False).returncode
    assert not subprocess.run(command, capture_output=True, check=False).returncode
    node.set_process_state(ProcessState.KILLED)


def test_the_command_sets_shows_and_takes_away_a_limit(computer):
    def run(*arguments):
        result = CliRunner().invoke(main, ['limit', *arguments])
        return result.exit_code, result.output.strip()

    assert run(computer.label, '7') == (0, f'{computer.label}: at most 7, 0 active')
    assert computer.get_property(LIMIT) == 7
    assert f'{computer.label}: at most 7, 0 active' in run()[1]
    assert run(computer.label, '--none') == (0, f'{computer.label}: no limit, 0 active')
    assert run(computer.label, '--none')[0] == 0
    for arguments, key in (
        (['nowhere', '3'], 'COMPUTER'),
        ([computer.label, '0'], 'NUMBER'),
        ([computer.label, '2', '--none'], '--none'),
        (['--none'], 'COMPUTER'),
    ):
        status, printed = run(*arguments)
        assert status
        assert key in printed.splitlines()[-1]
    assert computer.get_property(LIMIT, None) is None


@pytest.fixture(scope='module')
def labellings(run_all, computer, pw_code, pseudo, make_cells):
    """Two labellings side by side, each of which alone would have two calculations alive, on a computer for three."""
    from aiida_anial.labellers.pw_inputs import pw_inputs

    if shutil.which('pw.x') is None:
        pytest.skip('pw.x is not installed')
    settings = {'ecutwfc_ry': 12, 'ecutrho_ry': 48, 'kpoints_mesh': (1, 1, 1), 'job': {'max_wallclock_seconds': 600}}

    def builder(seed):
        made = LabelWorkChain.get_builder()
        made.cells = {
            f'cell_{index:04d}': to_structure(*cell)
            for index, cell in enumerate(make_cells(CELLS, seed=seed).configurations())
        }
        made.qe = pw_inputs(QeSettings.parse(settings), pw_code, pseudo)
        made.limits = orm.Dict(LabelSettings(max_concurrent=2).to_dict())
        return made

    computer.set_property(LIMIT, 3)
    try:
        return run_all(builder(1), builder(2))
    finally:
        computer.delete_property(LIMIT)


def alive(node, calculations):
    """Return how many calculations were alive when ``node`` was launched."""
    return sum(other.ctime <= node.ctime < other.mtime for other in calculations)


def test_labellings_of_two_campaigns_stay_below_the_limit_together(labellings):
    by_labelling = [[child for child in one.called if child.process_label == 'PwBaseWorkChain'] for one in labellings]
    calculations = list(joined(*by_labelling))
    assert len(calculations) == 2 * CELLS
    assert max(alive(node, calculations) for node in calculations) == 3
    for own in by_labelling:
        assert max(alive(node, own) for node in own) == 2


def test_both_end_with_all_their_labels(labellings):
    for labelling in labellings:
        assert labelling.is_finished_ok, labelling.exit_message
        assert labelling.outputs.dataset.n_configurations == CELLS
        assert not [name for name in labelling.base.extras.all if name.startswith('waits_')]
        assert held_slots(pool_of_computer(labelling.inputs.qe.pw.code.computer)) == {}
