"""``aiida-anial watch`` on a terminal, in a pipe, and what it makes of the states of processes."""

from __future__ import annotations

import os
import sys
from io import StringIO

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessState
from aiida.manage import get_manager
from rich.console import Console
from support.terminal import Terminal

from aiida_anial.cli.watching.view import View, sparkline
from aiida_anial.queries.expected_time import remaining_s, seconds_by_property
from aiida_anial.queries.stages import Running, Stage, running_under, stages_of

COMMAND = [sys.executable, '-c', 'from aiida_anial.cli.entry import main; main()', 'watch']


def a_running(status: str, *, pk: int = 1, elapsed_s: float = 60.0, is_job: bool = False) -> Running:
    return Running(pk, 'XWorkChain', '', status, elapsed_s, is_job)


def test_a_sparkline_goes_from_zero_to_the_largest_value():
    assert sparkline([16.0, 8.0, 4.0, 0.0]) == '█▅▃▁'
    assert sparkline([0.0, 0.0]) == '▁▁'
    assert sparkline([]) == ''


@pytest.mark.parametrize(
    ('status', 'stages'),
    [
        ('iteration 6 of at most 11', [Stage('iterations', 5, 11)]),
        ('3 of 8 properties done', [Stage('properties', 3, 8)]),
        ('labelling 8 candidates', []),
        ('Monitoring scheduler: job state RUNNING', []),
        ('', []),
    ],
)
def test_a_status_that_counts_is_a_stage(status, stages):
    assert list(stages_of([a_running(status)])) == stages


def test_stages_side_by_side_are_one():
    assert list(stages_of([a_running('2 of 7 labels done'), a_running('4 of 8 labels done')])) == [
        Stage('labels', 6, 15)
    ]


def test_what_runs_are_the_descendants_that_are_alive(fake_chain, fake_job):
    top = fake_chain('ShockWorkChain', state=ProcessState.WAITING)
    fake_chain('CycleWorkChain', caller=top)
    alive = fake_chain('CycleWorkChain', state=ProcessState.WAITING, caller=top)
    job = fake_job('anial.sample', caller=alive, state=ProcessState.RUNNING)
    found = running_under(top)
    assert [(one.pk, one.is_job) for one in found] == [(top.pk, False), (alive.pk, False), (job.pk, True)]
    assert running_under(fake_chain('ShockWorkChain')) == []


def test_the_time_left_follows_from_what_is_done(fake_chain):
    node = fake_chain('ShockWorkChain', state=ProcessState.WAITING)
    running = [a_running('2 of 6 waves done', pk=node.pk, elapsed_s=100.0)]
    assert remaining_s(node, running) == pytest.approx(200.0)
    assert remaining_s(node, [a_running('0 of 6 waves done', pk=node.pk)]) is None


def test_the_time_left_of_a_benchmark_follows_from_earlier_ones(fake_job, fake_chain):
    for name in ('lattice', 'elastic'):
        fake_job('anial.property', inputs={'property': orm.Str(name)}).set_process_label('PropertyCalculation')
    known = seconds_by_property()
    benchmark = orm.WorkChainNode()
    benchmark.set_process_label('BenchmarkWorkChain')
    benchmark.set_process_state(ProcessState.WAITING)
    for label, value in (('properties', orm.List(['lattice', 'elastic'])), ('max_concurrent', orm.Int(2))):
        benchmark.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_WORK, link_label=label)
    benchmark.store()
    done = fake_chain('PropertyWorkChain', caller=benchmark)
    done.label = 'ensemble lattice'
    running = [a_running('1 of 2 properties done', pk=benchmark.pk)]
    assert remaining_s(benchmark, running) == pytest.approx(known['elastic'] / 2)


def drawn(view: View, *, width: int = 80, height: int = 24) -> list[str]:
    output = StringIO()
    console = Console(file=output, width=width, height=height, force_terminal=False)
    console.print(view, height=height)
    return output.getvalue().splitlines()


@pytest.mark.parametrize('height', [24, 12])
def test_the_last_messages_fill_the_screen_and_nothing_is_wider(height):
    view = View(
        'XWorkChain<1>', running=[a_running('1 of 2 waves done')], messages=[f'{n} ' + 'x' * 200 for n in range(50)]
    )
    lines = drawn(view, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= 80
    assert lines[-3].startswith('49 ')
    assert 'goes on' in lines[-1]


def test_what_is_paused_is_shown_with_the_command(campaigns):
    from aiida_anial.queries.campaign_status import campaign_status

    status = campaign_status(campaigns['main'])
    status['paused'] = [
        {'pk': 5, 'process_label': 'PwCalculation', 'reason': 'the disk is full', 'command': 'verdi process play 5'}
    ]
    text = '\n'.join(drawn(View('C<1>', status)))
    assert 'PwCalculation<5> is paused: the disk is full. Then run: verdi process play 5' in text.replace('\n', ' ')
    assert f'{status["n_labels"]} labels' in text
    assert 'test energy' in text


def test_a_campaign_that_has_ended_is_told_line_by_line(campaigns, invoke):
    result = invoke('watch', campaigns['main'].pk)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert any('ActiveLearningWorkChain' in line and 'launching' in line for line in lines)
    assert lines[-1].startswith(f'Campaign {campaigns["main"].pk}: finished [0]')
    assert invoke('watch', campaigns['failed'].pk).exit_code == 1


def test_any_process_can_be_watched_and_data_cannot(fake_chain, invoke):
    node = fake_chain('BenchmarkWorkChain', exit_status=410, exit_message='1 of 2 properties failed')
    result = invoke('watch', node.pk)
    assert (result.exit_code, result.stdout) == (
        1,
        f'BenchmarkWorkChain {node.pk}: finished [410]: 1 of 2 properties failed\n',
    )
    number = orm.Int(1).store()
    result = invoke('watch', number.pk)
    assert (result.exit_code, result.output) == (1, f'Error: PK: node {number.pk} is a Int, not a process.\n')


def test_a_terminal_is_left_as_it_was(fake_chain):
    node = fake_chain('ShockWorkChain', state=ProcessState.WAITING)
    node.set_process_status('iteration 2 of at most 4 (7, 8)')
    profile = get_manager().get_profile()
    assert profile is not None
    environment = {**os.environ, 'TERM': 'xterm-256color'}
    with Terminal([*COMMAND, str(node.pk), '-p', profile.name], environment) as terminal:
        terminal.wait_for('1 of 4')
        assert 'verdi daemon start' in terminal.text
        assert terminal.lines[-1].startswith('Ctrl-C leaves')
        terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.written.count(b'\x1b[?1049h') == terminal.written.count(b'\x1b[?1049l') == 1
    assert terminal.written.rindex(b'\x1b[?25h') > terminal.written.rindex(b'\x1b[?25l')
    assert terminal.written.endswith(f'Stopped watching; ShockWorkChain {node.pk} goes on.\r\n'.encode())


def test_colours_are_not_used_where_they_are_not_wanted(fake_chain):
    node = fake_chain('ShockWorkChain', state=ProcessState.WAITING)
    profile = get_manager().get_profile()
    assert profile is not None
    environment = {**os.environ, 'TERM': 'xterm-256color', 'NO_COLOR': '1'}
    with Terminal([*COMMAND, str(node.pk), '-p', profile.name], environment) as terminal:
        terminal.wait_for('Ctrl-C leaves')
        terminal.interrupt()
        terminal.end()
    assert b'\x1b[3' not in terminal.written
