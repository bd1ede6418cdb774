"""What the shell is offered, and that nothing else is printed while it completes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from aiida import orm
from aiida.tools import delete_nodes
from click.shell_completion import ShellComplete

from aiida_anial.cli.completion import COMPLETE_VARIABLE
from aiida_anial.cli.root import main
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.packaged import path_of
from aiida_anial.potential.potential import read_potential

_PROGRAM = 'import sys; from aiida_anial.cli.entry import main; sys.argv[0] = "aiida-anial"; main()'


def offered(*words, incomplete=''):
    """Return the values that are offered after some words."""
    found = ShellComplete(main, {}, 'aiida-anial', COMPLETE_VARIABLE).get_completions(list(words), incomplete)
    return [item.value for item in found]


def test_commands():
    assert offered(incomplete='re') == ['reproduce', 'report', 'release']
    assert '--version' in offered(incomplete='--')


@pytest.fixture
def campaign(aiida_profile):
    """A campaign without inputs, which is deleted again: commands of other tests look at all campaigns."""
    node = orm.WorkChainNode()
    node.set_process_label('ActiveLearningWorkChain')
    node.label = 'warm start'
    node.store()
    yield node
    delete_nodes([node.pk], dry_run=False)


def test_campaigns_and_ensembles(campaign):
    ensemble = EnsembleData(read_potential(path_of('Al-laptop'))).store()
    for command in ('status', 'watch', 'release'):
        assert str(campaign.pk) in offered(command)
    assert offered('status', incomplete='warm') == ['warm start']
    assert str(campaign.pk) in offered('query', 'labels', '--campaign')
    assert {'Al-laptop', str(ensemble.pk)} <= {*offered('benchmark')}
    assert str(campaign.pk) not in offered('benchmark')
    assert offered('export', 'lammps', incomplete='Al-l') == ['Al-laptop']


@pytest.mark.parametrize(
    ('words', 'incomplete', 'expected'),
    [
        (('plan', '--protocol'), 'la', ['laptop']),
        (('benchmark', '--properties'), 'ela', ['elastic']),
        (('benchmark', '--properties'), 'elastic,vac', ['elastic,vacancy']),
        (('query', 'labels', '--sort'), 'energy_p', ['energy_per_atom_ev']),
        (('query', 'ensembles', '--columns'), 'pk,uu', ['pk,uuid']),
        (('query', 'ensembles', '--columns'), 'pk,p', []),
        (('completion',), 'z', ['zsh']),
    ],
)
def test_names(words, incomplete, expected):
    assert offered(*words, incomplete=incomplete) == expected


def test_an_error_offers_nothing(monkeypatch, aiida_profile):
    monkeypatch.setattr('aiida.orm.QueryBuilder', None)
    assert offered('status') == []
    assert offered('limit') == []


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_the_script_of_a_shell(invoke, shell):
    result = invoke('completion', shell)
    assert result.exit_code == 0
    assert f'{COMPLETE_VARIABLE}={shell}_complete' in result.stdout


@pytest.mark.parametrize('path', ['/proc/nowhere', None])
def test_nothing_is_said_where_there_is_no_profile(tmp_path, path):
    environment = {
        **os.environ,
        'AIIDA_PATH': path or str(tmp_path),
        COMPLETE_VARIABLE: 'bash_complete',
        'COMP_WORDS': 'aiida-anial status ',
        'COMP_CWORD': '2',
    }
    result = subprocess.run(
        [sys.executable, '-c', _PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ('', '')
    assert list(tmp_path.iterdir()) == []
