"""What a pk, a UUID or a label may mean, and what is said if that is nothing or several nodes."""

from __future__ import annotations

import pytest
from aiida import orm

from tests.cli.test_bad_inputs import assert_refused

COMMANDS = (('status',), ('reproduce',), ('benchmark',), ('import', 'calculations'))


@pytest.mark.parametrize('command', COMMANDS)
def test_a_node_that_does_not_exist_is_missed_in_a_profile(invoke, aiida_profile, command):
    assert_refused(invoke(*command, '99999999'), f"'99999999' in the profile {aiida_profile.name}.")


@pytest.mark.parametrize('command', COMMANDS)
def test_an_ambiguous_label_comes_with_what_it_may_mean(invoke, command):
    nodes = [orm.Int(number) for number in range(7)]
    for node in nodes:
        node.label = f'twice {command[0]}'
        node.store()
    listed = ', '.join(f'Int<{node.pk}>' for node in nodes[:5])
    assert_refused(invoke(*command, nodes[0].label), f"'twice {command[0]}' may be {listed} and others; give a pk.")


def test_the_beginning_of_several_uuids(invoke, aiida_profile):
    nodes = [orm.Int(number).store() for number in range(60)]
    beginnings = [node.uuid[:1] for node in nodes]
    common = next(one for one in beginnings if beginnings.count(one) > 1 and not one.isdigit())
    assert_refused(invoke('status', common), f"'{common}' may be ")


def test_a_label_of_two_codes(invoke, write, installed, computer):
    other = orm.Computer(
        label='twin', hostname='localhost', workdir='/tmp', transport_type='core.local', scheduler_type='core.direct'
    ).store()
    for where in (computer, other):
        orm.InstalledCode(label='both', computer=where, filepath_executable='/usr/bin/pw.x').store()
    assert_refused(
        invoke('submit', '--protocol', 'demo', '--pw-code', 'both'), "--pw-code: 'both' may be InstalledCode<"
    )
