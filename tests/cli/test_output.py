"""What commands print on a terminal, in a pipe, and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from aiida.manage import get_manager
from click.testing import CliRunner
from support.terminal import Terminal

from aiida_anial.cli.root import main
from aiida_anial.queries.records import records

PROGRAM = [sys.executable, '-c', 'from aiida_anial.cli.entry import main; main()']


def profile() -> str:
    loaded = get_manager().get_profile()
    assert loaded is not None
    return str(loaded.name)


def on_terminal(*words: Any, lines: int = 24, **environment: str) -> Terminal:
    command = [*PROGRAM, *map(str, words), '-p', profile()]
    return Terminal(command, {**os.environ, 'TERM': 'xterm-256color', **environment}, lines=lines)


def test_tables_fit_80_columns(campaigns):
    with on_terminal('status', campaigns['main'].pk, PAGER='cat') as terminal:
        assert terminal.end() == 0
    assert 'Too narrow for' in terminal.text
    assert b'\x1b[?1049h' not in terminal.written


def test_long_output_goes_through_the_pager_of_the_user(campaigns, tmp_path):
    seen = tmp_path / 'seen'
    pager = tmp_path / 'pager'
    pager.write_text(f'#!/bin/sh\ncat > {seen}\n')
    pager.chmod(0o755)
    n_labels = len(records('labels', campaigns=[campaigns['main']]))
    query = ('query', 'labels', '--campaign', campaigns['main'].pk)
    with on_terminal(*query, lines=10, PAGER=str(pager)) as terminal:
        assert terminal.end() == 0
    assert f'{n_labels} labels' in seen.read_text()
    seen.unlink()
    with on_terminal(*query, lines=n_labels + 20, PAGER=str(pager)) as terminal:
        assert terminal.end() == 0
    assert not seen.exists()
    assert f'{n_labels} labels' in terminal.text


def test_a_pager_that_is_left_early_is_no_error(campaigns):
    with on_terminal('query', 'labels', '--json', lines=10, PAGER='head -1') as terminal:
        assert terminal.end() == 0
    assert b'Traceback' not in terminal.written


@pytest.mark.parametrize('words', [('doctor',), ('status', 'PK'), ('query', 'campaigns')])
def test_a_pipe_has_no_colours_and_no_pager(campaigns, words):
    words = [str(campaigns['main'].pk) if word == 'PK' else word for word in words]
    environment = {**os.environ, 'TERM': 'xterm-256color', 'PAGER': 'false'}
    done = subprocess.run([*PROGRAM, *words, '-p', profile()], env=environment, capture_output=True, check=False)
    assert done.stdout
    assert b'\x1b' not in done.stdout + done.stderr


@pytest.mark.parametrize('environment', [{'NO_COLOR': '1'}, {'TERM': 'dumb'}])
def test_a_terminal_has_no_colours_where_none_are_wanted(campaigns, environment):
    for words in (('doctor',), ('status', campaigns['main'].pk)):
        with on_terminal(*words, **{'PAGER': 'cat', **environment}) as terminal:
            terminal.end()
        assert b'\x1b[3' not in terminal.written, words


def test_columns_can_be_chosen(campaigns, invoke):
    query = ('query', 'labels', '--campaign', campaigns['main'].pk, '--columns', 'uuid,split_block', '--limit', 2)
    rows = records('labels', campaigns=[campaigns['main']], limit=2, columns=('uuid', 'split_block'))
    assert json.loads(invoke(*query, '--json').stdout) == rows
    assert invoke(*query, '--csv').stdout.splitlines()[0] == 'uuid,split_block'
    table = invoke(*query).stdout
    assert all(row['uuid'][:20] in table for row in rows)
    assert 'split block' in table
    wrong = invoke('query', 'labels', '--columns', 'uuid,nonsense')
    assert wrong.exit_code == 1
    assert wrong.output.startswith('Error: nonsense: labels have no such column')


def test_what_is_written_and_stored_is_told_to_programs(campaigns, invoke, tmp_path):
    main_campaign = campaigns['main']
    told = json.loads(
        invoke('export', 'dataset', tmp_path / 'a.extxyz', '--campaign', main_campaign.pk, '--json').stdout
    )
    assert told['n_labels'] == len(records('labels', campaigns=[main_campaign]))
    checks = json.loads(invoke('doctor', '--json').stdout)
    assert {'name', 'passed', 'finding', 'remedy'} <= checks[0].keys()
    (limit,) = json.loads(invoke('limit', 'localhost', '--json').stdout)
    assert limit == {'computer': 'localhost', 'limit': None, 'active': 0}
    page = json.loads(invoke('report', main_campaign.pk, tmp_path / 'page.html', '--json').stdout)
    assert page['size'] == (tmp_path / 'page.html').stat().st_size


def completed(line: str) -> list[str]:
    """Return what bash would offer for the last word of a line."""
    environment = {
        'COMP_WORDS': line,
        'COMP_CWORD': str(len(line.split(' ')) - 1),
        '_AIIDA_ANIAL_COMPLETE': 'bash_complete',
    }
    offered = CliRunner(env=environment).invoke(main, prog_name='aiida-anial').output.splitlines()
    return [one.removeprefix('plain,') for one in offered if one]


def test_the_shell_completes_campaigns_ensembles_properties_and_columns(campaigns):
    pk = str(campaigns['main'].pk)
    assert pk in completed(f'aiida-anial status -p {profile()} {pk[0]}')
    ensemble = str(campaigns['main'].outputs.ensemble.pk)
    assert ensemble in completed(f'aiida-anial benchmark -p {profile()} {ensemble[0]}')
    assert 'Al-laptop' in completed(f'aiida-anial benchmark -p {profile()} Al')
    assert completed('aiida-anial benchmark 5 --properties lattice,pho') == ['lattice,phonons']
    assert completed('aiida-anial query labels --sort energy_p') == ['energy_per_atom_ev']
    assert completed('aiida-anial status -p no-such-profile 1') == []
