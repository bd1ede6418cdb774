"""Protocols and overrides give valid settings, and the protocol of the paper has its figures."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.label_settings import KPOINTS_RULES
from aiida_anial.active_learning.settings import CampaignInputs, CampaignSettings
from aiida_anial.common.errors import SettingsError
from aiida_anial.protocols.protocol import campaign_inputs, default_protocol, protocols, read_overrides


@pytest.mark.parametrize('name', ['demo', 'laptop', 'paper'])
def test_every_protocol_parses_and_describes_itself(name):
    inputs = campaign_inputs(name)
    assert inputs.description == protocols()[name]
    assert len(inputs.description) > 20


def test_the_default_protocol_is_the_laptop(aiida_profile):
    assert default_protocol() == 'laptop'
    assert campaign_inputs() == campaign_inputs('laptop')


@pytest.mark.parametrize('name', ['demo', 'laptop', 'paper'])
def test_inputs_survive_a_yaml_file(name):
    inputs = campaign_inputs(name)
    text = yaml.safe_dump(inputs.to_dict(), sort_keys=False)
    assert CampaignInputs.parse(yaml.safe_load(text)) == inputs
    assert campaign_inputs('demo', yaml.safe_load(text)) == inputs


@pytest.mark.parametrize('rule', [{'kpoints_mesh': [2, 2, 2]}, {'kpoints_distance_per_angstrom': 0.3}])
def test_a_rule_for_k_points_replaces_that_of_the_protocol(rule):
    found = campaign_inputs('laptop', {'label': {'qe': rule}}).label.qe.to_dict()
    assert {name: list(found[name]) if isinstance(found[name], tuple) else found[name] for name in rule} == rule
    assert sum(found[name] is not None for name in KPOINTS_RULES) == 1


def test_the_paper_says_what_the_paper_says():
    """Smith et al., Nat. Commun. 12, 1257 (2021): II.A (ensemble), II.B.2 (cells), II.B.3 (schedules)."""
    inputs = campaign_inputs('paper')
    (family,) = inputs.cells.families
    assert family.n_atoms == (55, 250)
    assert family.edges_angstrom == (10.5, 17.0)
    assert inputs.cells.density_g_per_cm3 == (1.80, 4.05)
    assert inputs.cells.min_distance_angstrom == 1.8
    assert inputs.schedules.t_start_k == (10.0, 1000.0)
    assert inputs.schedules.t_end_k == (10.0, 600.0)
    assert inputs.schedules.t_mod_k == (0.0, 2000.0)
    assert inputs.schedules.t_0_ps == (10.0, 50.0)
    assert inputs.schedules.t_max_ps == 250.0
    assert inputs.sampling.dynamics.time_step_fs == 1.0
    assert inputs.model.n_members == 8
    assert (inputs.model.descriptor.n_radial, inputs.model.descriptor.n_angular) == (32, 64)
    assert inputs.model.descriptor.radial_cutoff_angstrom == 7.0
    assert inputs.model.descriptor.angular_cutoff_angstrom == 5.0
    assert inputs.label.labeller == 'qe'
    assert inputs.label.qe.kpoints_mesh == (3, 3, 3)
    assert inputs.campaign.n_initial_cells == 400
    assert inputs.campaign.label_completed_fraction == 0.0
    assert inputs.training.initial.schedule == 'plateau'


@pytest.mark.parametrize('name', ['demo', 'laptop'])
def test_the_small_protocols_keep_the_papers_density_and_distance(name):
    inputs = campaign_inputs(name)
    assert inputs.cells.density_g_per_cm3 == (1.80, 4.05)
    assert inputs.cells.min_distance_angstrom == 1.8
    assert inputs.label.labeller == 'qe'


def test_overrides_change_only_the_keys_that_they_name():
    changed = campaign_inputs('demo', {'training': {'initial': {'max_steps': 7}}, 'seed': 5})
    plain = campaign_inputs('demo')
    assert changed.training.initial.max_steps == 7
    assert changed.training.initial.batch_size == plain.training.initial.batch_size == 8
    assert changed.training.retrain == plain.training.retrain
    assert (changed.seed, plain.seed) == (5, 1)


def test_lists_are_replaced_as_a_whole():
    one = {'cells': {'families': [{'edges_angstrom': [11.0, 12.0]}]}}
    assert len(campaign_inputs('demo').cells.families) == 2
    assert len(campaign_inputs('demo', one).cells.families) == 1


def test_null_removes_an_optional_part():
    assert campaign_inputs('demo').training.final is not None
    assert campaign_inputs('demo', {'training': {'final': None}}).training.final is None


def test_the_callers_overrides_stay_as_they_are():
    overrides: dict[str, Any] = {'campaign': {'n_cycles': 1}, 'cells': {'families': [{'n_atoms': [60, 70]}]}}
    before = deepcopy(overrides)
    campaign_inputs('paper', overrides)
    assert overrides == before


def test_one_call_does_not_leak_into_the_next():
    campaign_inputs('demo', {'training': {'initial': {'max_steps': 7}}})
    assert campaign_inputs('demo').training.initial.max_steps != 7


@pytest.mark.parametrize(
    ('overrides', 'expected'),
    [
        ({'campaing': {}}, r"^campaing: .*did you mean 'campaign'\?$"),
        ({'training': {'inital': {}}}, r"^training\.inital: .*did you mean 'initial'\?$"),
        ({'cells': {'families': []}}, r'^cells\.families: '),
        ({'cells': {'families': [{'edges_angstrom': [1.5, 2.0]}]}}, r'^cells\.families\.0\.edges_angstrom: .*1\.5'),
        ({'cells': {'families': [{'n_atoms': [500, 600]}]}}, r'^cells\.families\.0\.n_atoms: .*never 500 to 600'),
        ({'cells': {'min_distance_angstrom': 3.5}}, r'^cells\.min_distance_angstrom: .*jam'),
        ({'cells': {'min_distance_angstrom': 1.0}}, r'cells\.min_distance_angstrom: 1 is below sampling\.dynamics'),
        ({'schedules': {'t_max_ps': 0.05}}, r'sampling\.dynamics\.min_time_ps: '),
        ({'campaign': {'n_trajectories': [10, 5]}}, r'n_trajectories: .*reversed, 10 > 5'),
        ({'campaign': {'n_cycles': 101}}, r'n_cycles: 101'),
        ({'label': {'qe': {'parameters': {'ELECTRON': {}}}}}, r'^label\.qe\.parameters\.ELECTRON: .*ELECTRONS'),
        ({'label': {'qe': {'parameters': {'SYSTEM': {'Smearing': 'mp'}}}}}, r'parameters\.SYSTEM\.smearing: '),
        ({'label': {'qe': {'parameters': {'ELECTRONS': {'CONV_THR': 1}}}}}, r'parameters\.ELECTRONS\.conv_thr: '),
        ({'label': {'qe': {'parameters': {'CONTROL': {'outdir': '/tmp/x'}}}}}, r'parameters\.CONTROL\.outdir: '),
        ({'model': {'element': 'Cu'}}, r'model\.element: only Al'),
        ({'seed': -1}, r'^seed: -1'),
        ({'seed': 2**63}, r'^seed: '),
    ],
)
def test_an_impossible_value_is_refused_in_one_sentence_that_names_the_key(overrides, expected):
    with pytest.raises(SettingsError, match=expected) as caught:
        campaign_inputs('paper' if 'cells' in overrides or 'campaign' in overrides else 'demo', overrides)
    assert '\n' not in str(caught.value)


def test_an_unknown_protocol_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match=r"unknown protocol 'labtop'; did you mean 'laptop'\?"):
        campaign_inputs('labtop')
    with pytest.raises(SettingsError, match='known are demo, laptop, paper'):
        campaign_inputs('xyz')


@pytest.mark.parametrize(('n_labels', 'expected'), [(0, 10), (39, 10), (44, 11), (100, 25), (10_000, 40)])
def test_trajectories_are_a_fraction_of_the_labels_within_bounds(n_labels, expected):
    assert CampaignSettings(n_trajectories=(10, 40), trajectories_fraction=0.25).trajectories(n_labels) == expected


@pytest.mark.parametrize(('n_labels', 'expected'), [(20, 20), (10, 40), (1, 60)])
def test_fewer_labels_from_a_trajectory_mean_more_trajectories(n_labels, expected):
    """Twenty labels are wanted; at most three times as many trajectories are run for them."""
    settings = CampaignSettings(n_trajectories=(20, 20), follow_yield=True)
    assert settings.trajectories(100, {'n_labels': n_labels, 'n_trajectories': 20}) == expected
    assert settings.trajectories(100) == 20


def test_t_max_grows_after_iterations_that_reached_it():
    def summary(completed):
        return {'n_trajectories': 10, 'stop_reasons': {'completed': completed, 'energy_disagreement': 10 - completed}}

    summaries = [summary(completed) for completed in (2, 6, 5, 9)]
    assert CampaignSettings(follow_yield=True).growths(5, summaries) == 2
    assert CampaignSettings().growths(5, summaries) == 4


def test_job_settings_become_scheduler_options_without_empty_ones():
    assert JobSettings().options() == {
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        'max_wallclock_seconds': 3600,
        'withmpi': False,
    }
    options = JobSettings(queue_name='long', account='me', num_cores_per_mpiproc=4, withmpi=True).options()
    assert (options['queue_name'], options['account'], options['withmpi']) == ('long', 'me', True)
    assert options['resources']['num_cores_per_mpiproc'] == 4
    options = JobSettings(qos='long', max_memory_kb=2**20).options()
    assert (options['qos'], options['max_memory_kb']) == ('long', 2**20)


DIRECTIVES = ['#SBATCH --gres=gpu:1', '#SBATCH --constraint="a&b"']


@pytest.mark.parametrize('given', [DIRECTIVES, '\n'.join(DIRECTIVES), f'\n  {DIRECTIVES[0]}\n\n{DIRECTIVES[1]}\n'])
def test_lines_for_the_scheduler_are_a_list_or_a_text(given):
    settings = JobSettings.parse({'custom_scheduler_commands': given})
    assert settings.options()['custom_scheduler_commands'] == '\n'.join(DIRECTIVES)
    assert JobSettings.parse(settings.to_dict()) == settings


@pytest.mark.parametrize('given', ['', [], '\n\n'])
def test_no_lines_for_the_scheduler_are_no_option(given):
    assert JobSettings.parse({'custom_scheduler_commands': given}) == JobSettings()
    assert 'custom_scheduler_commands' not in JobSettings().options()


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('custom_scheduler_commands', ['module load cuda']),
        ('custom_scheduler_commands', '#SBATCH --gres=gpu:1\nrm -rf .'),
        ('custom_scheduler_commands', ['#SBATCH --gres=gpu:1\rrm -rf .']),
        ('custom_scheduler_commands', [1]),
        ('queue_name', 'gpu\nrm -rf .'),
        ('account', 'a b'),
        ('qos', ''),
        ('max_memory_kb', 0),
    ],
)
def test_what_would_be_a_command_in_the_script_of_a_job_is_refused(key, value):
    with pytest.raises(SettingsError, match=rf'^sampling\.job\.{key}') as caught:
        campaign_inputs('demo', {'sampling': {'job': {key: value}}})
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a: [1, 2', 'not valid YAML'),
        ('a:\n\tb: 1', 'not valid YAML'),
        ('- 1\n- 2', 'a mapping of keys to values is needed, not a list'),
        ('just text', 'a mapping of keys to values is needed, not a str'),
        ('a: !!python/object:os.system {}', 'not valid YAML'),
        ('seed: 2024-13-45', 'not valid YAML'),
        ('a: 1\na: {b: *gone}', 'not valid YAML'),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused_by_its_name(tmp_path, text, expected):
    path = tmp_path / 'over.yaml'
    path.write_text(text)
    with pytest.raises(SettingsError, match=rf'over\.yaml: {expected}') as caught:
        read_overrides(path)
    assert '\n' not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / 'over.yaml'
    path.write_bytes(b'\xff\xfe\x00\x01')
    with pytest.raises(SettingsError, match=r'over\.yaml: '):
        read_overrides(path)


def test_an_empty_file_overrides_nothing(tmp_path):
    path = tmp_path / 'over.yaml'
    path.write_text('# nothing\n')
    assert read_overrides(path) == {}


def test_a_key_given_twice_is_refused(tmp_path):
    """Plain YAML would silently keep the second value."""
    path = tmp_path / 'over.yaml'
    path.write_text('seed: 1\ncampaign: {n_cycles: 1}\nseed: 2\n')
    with pytest.raises(SettingsError, match=r"over\.yaml: .*'seed'.*twice"):
        read_overrides(path)
