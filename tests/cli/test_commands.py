"""What the commands do with valid input."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml
from aiida import orm

from aiida_anial import __version__
from aiida_anial.cli import checks, installation, submit
from aiida_anial.cli.root import _COMMANDS
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import potential_bytes, write_potential
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.queries.campaign_status import campaign_status


@pytest.mark.parametrize('command', sorted(_COMMANDS))
def test_every_command_has_a_help(invoke, command):
    result = invoke(command, '--help')
    assert result.exit_code == 0, result.output
    assert result.output.startswith('Usage: ')
    text = result.output.split('Options:')[0].splitlines()[2:]
    assert len(' '.join(text).split()) > 5


def test_the_help_lists_every_command_and_the_version_is_the_package(invoke):
    listed = invoke('--help').output
    assert all(f'  {command} ' in listed for command in _COMMANDS)
    assert __version__ in invoke('--version').output


@pytest.mark.parametrize('protocol', ['demo', 'laptop', 'paper'])
def test_a_dry_run_prints_the_inputs_that_it_would_submit(invoke, write, installed, count_nodes, protocol):
    before = count_nodes()
    over = write({'seed': 42, 'cells': {'families': [{'edges_angstrom': [11, 12], 'n_atoms': [60, 70]}]}})
    result = invoke('submit', over, '--protocol', protocol, '--dry-run', '--seed', 43)
    assert result.exit_code == 0, result.output
    printed = yaml.safe_load(result.stdout)
    inputs = campaign_inputs('demo', printed)
    assert inputs == campaign_inputs(protocol, yaml.safe_load(over.read_text()) | {'seed': 43})
    assert count_nodes() == before


@pytest.mark.parametrize('rest', [('submit', '--dry-run'), ('plan', '--label-seconds', 5)])
def test_what_is_unusual_is_said_and_what_is_printed_stays_yaml(invoke, write, installed, rest):
    over = write(
        {'label': {'labeller': 'emt'}, 'sampling': {'dynamics': {'time_step_fs': 5.0}}, 'schedules': {'t_max_ps': 60.0}}
    )
    result = invoke(rest[0], over, '--protocol', 'demo', *rest[1:])
    assert result.exit_code == 0, result.output
    assert 'Unusual: sampling.dynamics.time_step_fs: 5 is unusual' in result.stderr
    assert 'Unusual: steps of dynamics: about 12 times as many as in the protocol demo.' in result.stderr
    assert 'unusual' not in result.stdout


def test_a_dry_run_given_back_gives_the_same_dry_run(invoke, write, installed):
    first = invoke('submit', '--protocol', 'demo', '--dry-run').stdout
    assert invoke('submit', write(first), '--protocol', 'paper', '--dry-run').stdout == first


def test_the_family_of_the_command_line_wins(invoke, write):
    over = write({'label': {'qe': {'pseudo_family': 'A'}}})
    result = invoke('submit', over, '--protocol', 'demo', '--pseudo-family', 'B', '--dry-run')
    assert yaml.safe_load(result.stdout)['label']['qe']['pseudo_family'] == 'B'


@pytest.fixture
def submitted(monkeypatch):
    """Collect the submitted builders instead of running them."""
    builders: list = []

    def fake(builder):
        builders.append(builder)
        return SimpleNamespace(pk=4711)

    monkeypatch.setattr('aiida_anial.cli.preflight.check_machine', lambda: None)
    monkeypatch.setattr('aiida_anial.cli.resolve.submit', fake)
    return builders


def test_a_campaign_is_submitted_with_codes_pseudopotential_and_recommended_cutoffs(
    invoke, write, submitted, worker_code, pw_code, pseudo
):
    result = invoke('submit', write({'seed': 3}), '--protocol', 'demo', '--label', 'mine')
    assert result.exit_code == 0, result.output
    assert 'Submitted campaign 4711' in result.output
    (builder,) = submitted
    assert builder.seed.value == 3
    assert builder.metadata.label == 'mine'
    assert builder.metadata.description == campaign_inputs('demo').description
    pw = builder.cycle.label.qe.pw
    assert (pw.code.pk, pw.pseudos['Al'].pk) == (pw_code.pk, pseudo.pk)
    assert pw.parameters['SYSTEM']['ecutwfc'] == installation.WAVEFUNCTION_CUTOFF_RY
    assert pw.parameters['SYSTEM']['ecutrho'] == installation.CHARGE_DENSITY_CUTOFF_RY
    assert builder.train.worker.code.pk == worker_code.pk


def test_given_cutoffs_are_kept(invoke, write, submitted, installed):
    over = write({'label': {'qe': {'ecutwfc_ry': 20, 'ecutrho_ry': 90}}})
    assert invoke('submit', over, '--protocol', 'demo').exit_code == 0
    system = submitted[0].cycle.label.qe.pw.parameters['SYSTEM']
    assert (system['ecutwfc'], system['ecutrho']) == (20, 90)


def test_pk_only_prints_only_the_pk(invoke, write, submitted, installed):
    result = invoke('submit', write({'label': {'labeller': 'emt'}}), '--protocol', 'demo', '--pk-only')
    assert result.stdout == '4711\n'


def test_other_labellers_need_no_pw(invoke, write, submitted, installed, tmp_path, make_ensemble):
    potential = tmp_path / 'Al.eam.alloy'
    head = ['one', 'two', 'three', '1 Al', '5 0.1 5 0.1 0.4', '13 26.98 4.05 fcc']
    potential.write_text('\n'.join([*head, *map(str, range(15))]))
    teacher = EnsembleData(make_ensemble()).store()
    given = {'emt': (), 'eam': ('--potential', potential), 'ensemble': ('--teacher', teacher.uuid)}
    for engine, options in given.items():
        over = write({'label': {'labeller': engine}})
        result = invoke('submit', over, '--protocol', 'demo', '--pw-code', 'gone@nowhere', *options)
        assert result.exit_code == 0, result.output
    assert submitted[1].cycle.label.evaluate.potential.filename == 'Al.eam.alloy'
    assert submitted[2].cycle.label.evaluate.ensemble.pk == teacher.pk


def test_status_prints_the_json_of_the_query(invoke, campaigns):
    campaign = campaigns['main']
    for identifier in (campaign.pk, campaign.uuid):
        result = invoke('status', identifier, '--json')
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == campaign_status(campaign)


def test_status_prints_a_table_with_one_row_per_iteration(invoke, campaigns):
    result = invoke('status', campaigns['main'].pk)
    assert result.exit_code == 0, result.output
    status = campaign_status(campaigns['main'])
    assert f'Campaign {status["pk"]}: finished [0], iterations used up' in result.output
    lines = result.output.splitlines()
    (rule,) = [place for place, line in enumerate(lines) if line.startswith('───')]
    rows = [line.split() for line in lines[rule + 1 : rule + 1 + len(status['iterations'])]]
    assert [cells[0] for cells in rows] == [str(row['index']) for row in status['iterations']]
    assert all(str(row['n_labels']) in cells for row, cells in zip(status['iterations'], rows, strict=True))
    assert 'Last ensemble, test blocks' in result.output


def test_status_of_a_failed_campaign_says_why(invoke, campaigns):
    result = invoke('status', campaigns['failed'].pk)
    assert '[401]' in result.output
    assert 'The initial labelling failed' in ' '.join(result.output.split())


@pytest.mark.parametrize(('name', 'exit_code'), [('main', 0), ('failed', 1)])
def test_watching_an_ended_campaign_prints_its_reports_and_ends_with_its_verdict(invoke, campaigns, name, exit_code):
    result = invoke('watch', campaigns[name].pk)
    assert result.exit_code == exit_code
    lines = result.output.splitlines()
    assert 'for 12 random cells' in lines[0]
    assert lines[-1].startswith(f'Campaign {campaigns[name].pk}: finished [')
    assert len(set(lines)) == len(lines)


def test_an_ensemble_file_is_imported(invoke, tmp_path, make_ensemble, count_nodes):
    write_potential(tmp_path / 'model.safetensors', make_ensemble())
    before = count_nodes()
    result = invoke('import-model', tmp_path / 'model.safetensors', '--label', 'mine')
    assert result.exit_code == 0, result.output
    assert count_nodes() == before + 1
    pk = int(result.output.split('ensemble ')[1].split(':')[0])
    node = orm.load_node(pk)
    assert node.label == 'mine'
    assert potential_bytes(node.ensemble) == potential_bytes(make_ensemble())
    assert '2 members' in result.output


def test_setup_again_keeps_what_exists(installed, count_nodes):
    groups = orm.QueryBuilder().append(orm.Group).count()
    before = count_nodes()
    worker = orm.load_code('anial-worker@localhost')
    lines = [
        installation._computer(),
        installation._code(installation.WORKER_CODE, worker.filepath_executable, 'anial.train'),
        installation._pseudo_family(),
    ]
    assert all('exists already' in line or 'configured' in line for line in lines)
    assert (count_nodes(), orm.QueryBuilder().append(orm.Group).count()) == (before, groups)


def test_setup_says_when_a_code_runs_something_else(installed, tmp_path):
    assert 'and not' in installation._code(installation.WORKER_CODE, tmp_path / 'other', 'anial.train')


def test_the_computer_is_configured_for_jobs_of_seconds(installed):
    installation._computer()
    computer = orm.load_computer(installation.COMPUTER)
    assert computer.get_minimum_job_poll_interval() <= 1
    assert computer.get_configuration()['safe_interval'] == 0
    computer.set_minimum_job_poll_interval(0.1)


def found(output: str, name: str) -> str:
    (line,) = [line for line in output.splitlines() if f' {name}: ' in line]
    return line


def test_the_doctor_reports_what_is_present_and_what_is_missing(invoke, worker_code):
    """The test profile has codes, but neither a broker nor a daemon."""
    result = invoke('doctor')
    assert result.exit_code == 1
    for name in ('computer', 'pseudopotentials', 'disk'):
        assert found(result.output, name).startswith('ok'), result.output
    assert f'ok       code: anial-worker@localhost, {worker_code.filepath_executable}, {__version__}' in result.output
    assert found(result.output, 'daemon').startswith('missing')
    assert 'fix: run `verdi daemon start`' in result.output


def test_the_doctor_says_how_to_fix_a_missing_code(invoke, installed, monkeypatch):
    monkeypatch.setattr(checks, 'WORKER_CODE', 'nowhere')
    result = invoke('doctor')
    assert result.exit_code == 1
    assert 'there is no nowhere@localhost' in result.output
    assert 'aiida-anial setup' in result.output


def test_the_doctor_checks_that_the_executable_exists(invoke, computer, monkeypatch):
    orm.InstalledCode(label='broken', computer=computer, filepath_executable='/no/such/pw.x').store()
    monkeypatch.setattr(checks, 'PW_CODE', 'broken')
    result = invoke('doctor')
    assert result.exit_code == 1
    assert 'broken@localhost' in result.output
    assert '/no/such/pw.x' in result.output or 'cannot run' in result.output


def test_the_doctor_reports_a_missing_pseudopotential(invoke, installed, monkeypatch):
    monkeypatch.setattr(checks, 'PSEUDO_FAMILY', 'Other/1.0')
    result = invoke('doctor')
    assert result.exit_code == 1
    assert found(result.output, 'pseudopotentials').startswith('missing')


def test_the_help_of_submit_lists_all_its_options(invoke):
    text = invoke('submit', '--help').output
    assert all(option.opts[0] in text for option in submit.command.params if option.opts[0].startswith('--'))
