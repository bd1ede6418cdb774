"""Mistakes of the user are reported in one line, and nothing is stored."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiida import orm
from aiida.manage.configuration import get_config
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.pseudopotential import AL_PBE_UPF

EMT = {'label': {'labeller': 'emt'}}


def qe(**settings: Any) -> dict[str, Any]:
    return {'label': {'qe': settings}}


# Overrides (text or a mapping), and what the message must contain.
OVERRIDES: dict[str, tuple[Any, str]] = {
    'unknown key': ({'campaing': {'n_cycles': 1}}, "campaing: unknown key 'campaing'; did you mean 'campaign'?"),
    'unknown key inside': (
        {'schedules': {'t_max': 1}},
        "schedules.t_max: unknown key 't_max'; did you mean 't_max_ps'",
    ),
    'range upside down': ({'schedules': {'t_start_k': [500, 10]}}, 'schedules.t_start_k: '),
    'density upside down': ({'cells': {'density_g_per_cm3': [4.05, 1.8]}}, 'cells.density_g_per_cm3: '),
    'number with a unit': ({'schedules': {'t_max_ps': '250 ps'}}, "schedules.t_max_ps: '250 ps' is not allowed"),
    'text for a number': ({'campaign': {'max_iterations': 'ten'}}, "campaign.max_iterations: 'ten' is not allowed"),
    'real for a count': ({'campaign': {'max_iterations': 2.5}}, 'campaign.max_iterations: 2.5 is not allowed'),
    'bool for a count': ({'campaign': {'n_cycles': True}}, 'campaign.n_cycles: True is not allowed'),
    'not a number': ('schedules: {t_max_ps: .nan}', 'schedules.t_max_ps: '),
    'infinite': ('cells: {density_g_per_cm3: [1.8, .inf]}', 'cells.density_g_per_cm3.1: '),
    'a date': ('seed: 2020-01-01', 'seed: '),
    'binary': ('description: !!binary aGVsbG8=', 'description: '),
    'negative threshold': ({'thresholds': {'energy_ev_per_sqrt_atom': -0.1}}, 'thresholds.energy_ev_per_sqrt_atom: '),
    'fraction above one': (
        {'label': {'limits': {'max_failed_fraction': 1.5}}},
        'label.limits.max_failed_fraction: 1.5',
    ),
    'no members': ({'model': {'n_members': 0}}, 'model.n_members: 0 is not allowed'),
    'no families': ({'cells': {'families': []}}, 'cells.families: '),
    'too many atoms': (
        {'cells': {'families': [{'edges_angstrom': [4, 5], 'n_atoms': [100, 200]}]}},
        'cells.families.0.n_atoms: ',
    ),
    'too small a cell': (
        {'cells': {'families': [{'edges_angstrom': [1.0, 5.0], 'n_atoms': [1, 9]}]}},
        'cells.families.0.edges_angstrom: ',
    ),
    'atoms that jam': ({'cells': {'min_distance_angstrom': 3.4}}, 'cells.min_distance_angstrom: '),
    'both k-point settings': (qe(kpoints_mesh=[3, 3, 3], kpoints_distance_per_angstrom=0.3), 'label.qe: give one of'),
    'no k-point setting': (qe(kpoints_per_reciprocal_atom=None), 'label.qe: give one of'),
    'one cutoff': (qe(ecutwfc_ry=20), 'label.qe: give both ecutwfc_ry and ecutrho_ry'),
    'low density cutoff': (qe(ecutwfc_ry=20, ecutrho_ry=20), 'label.qe.ecutrho_ry: 20 is not above'),
    'smearing by the back door': (qe(parameters={'SYSTEM': {'smearing': 'mv'}}), 'label.qe.parameters.SYSTEM.smearing'),
    'a keyword of the structure': (qe(parameters={'SYSTEM': {'nat': 3}}), 'label.qe.parameters.SYSTEM.nat: '),
    'no such namelist': (qe(parameters={'ELECTRON': {'mixing_beta': 0.4}}), 'label.qe.parameters.ELECTRON: '),
    'parameters that are no mapping': (qe(parameters={'SYSTEM': 3}), 'label.qe.parameters.SYSTEM: '),
    'no such smearing': (qe(smearing='warm'), "label.qe.smearing: 'warm' is not allowed"),
    'unknown labeller': ({'label': {'labeller': 'vasp'}}, "label.labeller: 'vasp' is not allowed"),
    'more cycles than trajectories': ({'campaign': {'n_trajectories': [1, 9]}}, 'campaign.n_cycles: 2 cycles need'),
    'rates upside down': (
        {'training': {'initial': {'learning_rate': 1e-9}}},
        'training.initial: final_learning_rate 1e-05 is above',
    ),
    'trajectories too short to stop': ({'schedules': {'t_max_ps': 0.01}}, 'sampling.dynamics.min_time_ps: '),
    'frames between checks': (
        {'sampling': {'dynamics': {'frame_interval': 7}}},
        'sampling.dynamics.frame_interval: 7 steps',
    ),
    'negative seed': ({'seed': -1}, 'seed: -1 is not allowed'),
    'a part that is no mapping': ({'campaign': 3}, 'campaign: 3 is not a mapping'),
    'a part taken away': ({'campaign': None}, 'campaign: None is not a mapping'),
    'a period of nothing': ({'schedules': {'t_0_ps': [0, 3]}}, 'schedules.t_0_ps: '),
    'hotter than allowed': ({'schedules': {'t_mod_k': [0, 200000]}}, 'sampling.dynamics.max_temperature_k'),
    'cutoffs crossed': ({'model': {'descriptor': {'radial_cutoff_angstrom': 3.0}}}, 'angular_cutoff_angstrom must not'),
    'closer than a contact': ({'cells': {'min_distance_angstrom': 1.0}}, 'cells.min_distance_angstrom: 1 is below'),
    'another element': ({'model': {'element': 'Cu'}}, 'model.element: only Al'),
    'no such device': ({'engine': {'device': 'gpu'}}, "engine.device: 'gpu' is not allowed"),
    'not YAML': ('campaign: [1, 2', 'over.yaml: not valid YAML'),
    'a tab': ('campaign:\n\tn_cycles: 1', 'over.yaml: not valid YAML'),
    'not a mapping': ('- 1\n- 2', 'over.yaml: a mapping of keys to values is needed'),
    'an object': ('campaign: !!python/object/apply:os.getcwd []', 'over.yaml: not valid YAML'),
    'aliases': ('a: &a [1, 1]\nb: [*a, *a]', 'over.yaml: not valid YAML (line 2: aliases'),
    'a key twice': ('seed: 1\nseed: 2', "over.yaml: not valid YAML (line 1: the key 'seed' is given twice)"),
    'an invalid date': ('seed: 2020-13-45', 'over.yaml: not valid YAML'),
    'eam without a file': ({'label': {'labeller': 'eam'}}, '--potential: '),
    'ensemble without a teacher': ({'label': {'labeller': 'ensemble'}}, '--teacher: '),
    'a family that is not installed': (qe(pseudo_family='SSSP/9.9'), "label.qe.pseudo_family: no family 'SSSP/9.9'"),
}


def assert_refused(result: Any, expected: str) -> None:
    """Check that a command failed with one line that contains the expected text, and without a traceback."""
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert 'Traceback' not in result.output
    lines = result.output.strip().splitlines()
    errors = [line for line in lines if line.startswith('Error:')]
    assert len(errors) == 1, result.output
    assert expected in errors[0]
    # Click prints the usage before its own errors.
    rest = [line for line in lines if line not in errors]
    assert not rest or rest[0].startswith('Usage:'), result.output


@pytest.mark.parametrize('case', sorted(OVERRIDES))
def test_wrong_overrides_are_refused(invoke, write, installed, count_nodes, case):
    content, expected = OVERRIDES[case]
    path = write(content)
    before = count_nodes()
    assert_refused(invoke('submit', path, '--protocol', 'demo'), expected)
    assert count_nodes() == before


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (('--protocol', 'labtop'), "protocol: unknown protocol 'labtop'; did you mean 'laptop'?"),
        (('--seed', '-3'), 'seed: -3 is not allowed'),
        (('--seed', 'one'), "'--seed': 'one'"),
        (
            ('--worker-code', 'anial-wroker@localhost'),
            "; did you mean 'anial-worker@localhost'?",
        ),
        (('--worker-code', '999999'), '--worker-code: there is no code'),
        (('--worker-code', 'pw@localhost'), "--worker-code: code 'pw@localhost' runs 'quantumespresso.pw'"),
        (('--pw-code', 'anial-worker@localhost'), "--pw-code: code 'anial-worker@localhost' runs 'anial.train'"),
        (('--pw-code', 'pw'), None),
        (('--pw-code', ''), '--pw-code: there is no code'),
        (('--pseudo-family', 'Gone/1.0'), "label.qe.pseudo_family: no family 'Gone/1.0'"),
        (('--colour',), 'No such option'),
    ],
)
def test_wrong_options_are_refused(invoke, installed, count_nodes, arguments, expected):
    before = count_nodes()
    # AiiDA accepts an unambiguous label without a computer; then the command fails because there is no daemon.
    assert_refused(invoke('submit', '--protocol', 'demo', *arguments), expected or 'daemon')
    assert count_nodes() == before


def test_a_profile_without_a_broker_cannot_run_a_campaign(invoke, write, installed, count_nodes):
    path, before = write(EMT), count_nodes()
    result = invoke('submit', path, '--protocol', 'demo')
    assert_refused(result, '')
    assert 'broker' in result.output or 'daemon' in result.output
    assert count_nodes() == before


def test_a_missing_overrides_file_is_refused(invoke, tmp_path):
    assert_refused(invoke('submit', tmp_path / 'gone.yaml'), 'gone.yaml')
    assert_refused(invoke('submit', tmp_path), 'is a directory')


@pytest.fixture
def families(installed):
    """A family of another element, and an aluminium family without recommended cutoffs."""
    text = AL_PBE_UPF.read_text()
    if not orm.QueryBuilder().append(PseudoPotentialFamily, filters={'label': 'Bare'}).count():
        copper = text.replace('element="Al"', 'element="Cu"')
        with AL_PBE_UPF.open('rb') as stream:
            aluminium = UpfData.get_or_create(stream, filename='Al.upf').store()
        other = UpfData(io.BytesIO(copper.encode()), filename='Cu.upf').store()
        for label, pseudo in (('Bare', aluminium), ('Copper', other)):
            PseudoPotentialFamily(label=label).store().add_nodes([pseudo])
    return text


@pytest.mark.parametrize(
    ('family', 'expected'),
    [
        ('Copper', "label.qe.pseudo_family: the family 'Copper' has no pseudopotential for Al"),
        ('Bare', "label.qe.ecutwfc_ry: the family 'Bare' recommends no cutoffs"),
    ],
)
def test_a_family_without_aluminium_or_cutoffs_is_refused(invoke, families, count_nodes, family, expected):
    before = count_nodes()
    assert_refused(invoke('submit', '--protocol', 'demo', '--pseudo-family', family), expected)
    assert count_nodes() == before


@pytest.mark.parametrize(
    ('engine', 'option', 'value', 'expected'),
    [
        ('eam', '--potential', 'Al.txt', '--potential: '),
        ('eam', '--potential', 'gone.eam.fs', 'gone.eam.fs'),
        ('ensemble', '--teacher', '999999', "--teacher: there is no node '999999'"),
        ('ensemble', '--teacher', 'no such thing', '--teacher: there is no node'),
        ('ensemble', '--teacher', 'int', 'is a Int, not an EnsembleData'),
        ('ensemble', '--teacher', 'code', 'is a InstalledCode, not an EnsembleData'),
    ],
)
def test_a_wrong_potential_or_teacher_is_refused(
    invoke, write, installed, tmp_path, count_nodes, worker_code, engine, option, value, expected
):
    (tmp_path / 'Al.txt').write_text('x')
    given = {'int': orm.Int(1).store().pk, 'code': worker_code.pk, 'Al.txt': tmp_path / 'Al.txt'}.get(value, value)
    path, before = write({'label': {'labeller': engine}}), count_nodes()
    assert_refused(invoke('submit', path, '--protocol', 'demo', option, given), expected)
    assert count_nodes() == before


@pytest.mark.parametrize('command', ['status', 'watch'])
@pytest.mark.parametrize(
    ('identifier', 'expected'),
    [
        ('999999', 'PK: there is no node'),
        ('nothing', "'nothing'"),
        ('', 'PK: '),
        ('int', 'is a Int, not a'),
    ],
)
def test_a_node_that_is_not_a_campaign_is_refused(invoke, command, identifier, expected):
    given = orm.Int(1).store().pk if identifier == 'int' else identifier
    assert_refused(invoke(command, given), expected)


def test_commands_and_arguments_that_do_not_exist_are_named(invoke):
    assert_refused(invoke('submitt'), "No such command 'submitt'")
    assert_refused(invoke('status'), "Missing argument 'PK'")
    assert_refused(invoke('status', '1', '--yaml'), 'No such option')
    assert_refused(invoke('watch', '1', '--interval', '0'), '--interval')


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
@pytest.mark.parametrize(
    'command',
    [
        ('watch', '1', '--interval'),
        ('reproduce', '1', '--recursive', '--budget'),
        ('plan', '--label-seconds'),
        ('import', 'calculations', '1', '--max-force'),
    ],
)
def test_numbers_that_are_none_are_refused(invoke, command, value):
    assert_refused(invoke(*command, value), command[-1])


def test_a_profile_that_does_not_exist_is_refused(invoke):
    result = invoke('status', '-p', 'gone', '1')
    assert result.exit_code != 0
    assert 'Traceback' not in result.output
    assert 'gone' in result.output


@pytest.mark.parametrize('content', [b'', b'garbage', None, 'truncated', 'dataset'])
def test_a_file_that_is_not_a_model_is_refused(invoke, tmp_path, count_nodes, make_ensemble, make_labelled, content):
    from aiida_anial.potential.potential import potential_bytes

    if content == 'truncated':
        content = potential_bytes(make_ensemble())[:-10]
    elif content == 'dataset':
        content = make_labelled(1).to_bytes()
    path = tmp_path / 'model.safetensors'
    if content is not None:
        path.write_bytes(content)
    before = count_nodes()
    assert_refused(invoke('import-model', path), 'model.safetensors')
    assert count_nodes() == before


def test_a_folder_that_is_not_a_model_is_refused(invoke, tmp_path, count_nodes):
    before = count_nodes()
    folder = tmp_path / 'neurochem'
    folder.mkdir()
    assert_refused(invoke('import-model', folder), 'neurochem')
    (folder / 'rHCNO-5.2R_16-3.5A_a4-8.params').write_text('nonsense')
    assert_refused(invoke('import-model', folder), 'neurochem')
    assert count_nodes() == before


@pytest.mark.parametrize('option', ['--pw', '--worker'])
def test_setup_refuses_a_missing_executable_before_it_creates_anything(invoke, tmp_path, option):
    result = invoke('setup', '-p', 'other', option, tmp_path / 'gone')
    assert_refused(result, 'gone: no such executable')
    assert 'other' not in get_config().profile_names


def test_every_wrong_override_would_be_refused_by_a_dry_run_too(invoke, write, installed):
    """Except for errors that depend on the profile."""
    of_the_profile = {'eam without a file', 'ensemble without a teacher', 'a family that is not installed'}
    for case in sorted(set(OVERRIDES) - of_the_profile):
        content, expected = OVERRIDES[case]
        assert_refused(invoke('submit', write(content), '--protocol', 'demo', '--dry-run'), expected)
