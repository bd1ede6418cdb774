"""Bad input ends in one sentence that names the key, and stores nothing."""

from __future__ import annotations

import shutil

import pytest

from aiida_anial.potential.files import ensemble_bytes

# Overrides in YAML, and what the sentence must name.
OVERRIDES = {
    'density upside down': ('cells: {density_g_per_cm3: [4.0, 1.8]}', 'cells.density_g_per_cm3'),
    'edges upside down': ('cells: {families: [{edges_angstrom: [17, 10]}]}', 'cells.families.0.edges_angstrom'),
    'atoms upside down': ('cells: {families: [{n_atoms: [250, 55]}]}', 'cells.families.0'),
    'negative threshold': ('thresholds: {energy_ev_per_sqrt_atom: -0.1}', 'thresholds.energy_ev_per_sqrt_atom'),
    'misspelt section': ('campain: {n_cycles: 1}', "did you mean 'campaign'?"),
    'misspelt key': ('schedules: {t_max_fs: 250}', "did you mean 't_max_ps'?"),
    'unit in a number': ('schedules: {t_max_ps: 250 ps}', 'schedules.t_max_ps'),
    'not a number': ('schedules: {t_max_ps: .nan}', 'schedules.t_max_ps'),
    'boolean for a count': ('campaign: {n_cycles: true}', 'campaign.n_cycles'),
    'half a member': ('model: {n_members: 2.5}', 'model.n_members'),
    'no members': ('model: {n_members: 0}', 'model.n_members'),
    'another element': ('model: {element: Fe}', 'model.element'),
    'no families': ('cells: {families: []}', 'cells.families'),
    'edge below distance': (
        'cells: {families: [{edges_angstrom: [1.0, 1.5], n_atoms: [4, 10]}]}',
        'cells.families.0.edges_angstrom',
    ),
    'cannot be filled': (
        'cells: {families: [{edges_angstrom: [4.0, 5.0], n_atoms: [55, 250]}]}',
        'cells.families.0.n_atoms',
    ),
    'jammed': ('cells: {min_distance_angstrom: 4.0}', 'cells.min_distance_angstrom'),
    'negative seed': ('seed: -3', 'seed'),
    'date for a seed': ('seed: 2026-11-22', 'seed'),
    'two k-point settings': ('label: {qe: {kpoints_mesh: [2, 2, 2]}}', 'kpoints_distance_per_angstrom'),
    'no smearing': ('label: {qe: {parameters: {SYSTEM: {occupations: fixed}}}}', 'SYSTEM.occupations'),
    'keyword of the structure': ('label: {qe: {parameters: {SYSTEM: {nat: 3}}}}', 'SYSTEM.nat'),
    'no such namelist': ('label: {qe: {parameters: {SISTEM: {nbnd: 3}}}}', 'SISTEM'),
    'low density cutoff': ('label: {qe: {ecutwfc_ry: 30, ecutrho_ry: 60}}', 'label.qe.ecutrho_ry'),
    'one cutoff': ('label: {qe: {ecutwfc_ry: 30}}', 'ecutrho_ry'),
    'no such labeller': ('label: {engine: vasp}', 'label.engine'),
    'no such family': ('label: {qe: {pseudo_family: SSSP/0}}', 'label.qe.pseudo_family'),
    'modulation without period': ('schedules: {t_0_ps: [0, 3]}', 'schedules.t_0_ps'),
    'too hot': ('schedules: {t_mod_k: [0, 200000]}', 'max_temperature_k'),
    'never counts': ('sampling: {dynamics: {min_time_ps: 5}}', 'sampling.dynamics.min_time_ps'),
    'frames between checks': ('sampling: {dynamics: {check_interval: 7}}', 'sampling.dynamics.frame_interval'),
    'rates rise': ('training: {initial: {learning_rate: 1e-9}}', 'training.initial'),
    'cutoffs crossed': ('model: {descriptor: {radial_cutoff_angstrom: 3.0}}', 'angular_cutoff_angstrom'),
    'more cycles than trajectories': ('campaign: {n_cycles: 9}', 'campaign.n_cycles'),
    'unbalanced YAML': ('campaign: {n_cycles: 1', 'not valid YAML'),
    'tab in YAML': ('campaign:\n\tn_cycles: 1\n', 'not valid YAML'),
    'object in YAML': ('seed: !!python/object/apply:os.system ["touch executed"]', 'not valid YAML'),
    'aliases in YAML': ('a: &a [1, 1]\nb: [*a, *a]\n', 'aliases'),
    'list in YAML': ('[1, 2]', 'mapping'),
}

# Arguments of the command line, where {name} is a file made below, and what the sentence must name.
ARGUMENTS = {
    'unknown protocol': (['submit', '--protocol', 'demmo'], "did you mean 'demo'?"),
    'unknown command': (['sumbit'], 'sumbit'),
    'missing code': (['submit', '--protocol', 'demo', '--pw-code', 'pv@localhost'], "did you mean 'pw@localhost'?"),
    'code of another program': (['submit', '--protocol', 'demo', '--pw-code', 'anial-worker@localhost'], '--pw-code'),
    'missing worker': (['submit', '--protocol', 'demo', '--worker-code', '999999'], '--worker-code'),
    'family without Al': (['submit', '--protocol', 'demo', '--pseudo-family', 'iron'], 'has no pseudopotential for Al'),
    'family without cutoffs': (['submit', '--protocol', 'demo', '--pseudo-family', 'plain'], 'ecutwfc_ry'),
    'eam without a file': (['submit', '{eam}', '--protocol', 'demo'], '--potential'),
    'eam of no known style': (['submit', '{eam}', '--protocol', 'demo', '--potential', '{eam}'], '--potential'),
    'no teacher': (['submit', '{teacher}', '--protocol', 'demo'], '--teacher'),
    'teacher that is not there': (['submit', '{teacher}', '--protocol', 'demo', '--teacher', '999999'], '--teacher'),
    'campaign that is not there': (['status', '999999'], '999999'),
    'campaign that is a structure': (['status', '{structure}'], 'StructureData'),
    'model that is cut off': (['import-model', '{cut}'], 'cut.safetensors'),
    'model of noise': (['import-model', '{noise}'], 'noise.safetensors'),
    'folder without a model': (['import-model', '{folder}'], '*.params'),
    'model that is not there': (['import-model', 'nowhere'], 'nowhere'),
}


@pytest.fixture
def check(run_cli, count_nodes):
    """Return a function that runs the command line and checks that it refuses, in one sentence, storing nothing."""

    def run(arguments, named):
        before = count_nodes()
        result = run_cli(*arguments)
        assert result.exit_code not in (0, None)
        assert isinstance(result.exception, SystemExit), result.exception
        errors = [line for line in result.output.splitlines() if line.startswith('Error: ')]
        assert len(errors) == 1, result.output
        assert result.output.splitlines()[-1] == errors[0]
        assert named in errors[0]
        assert count_nodes() == before

    return run


@pytest.fixture
def files(tmp_path, make_ensemble, make_structures, families):
    """What the arguments stand for."""
    data = ensemble_bytes(make_ensemble())
    (tmp_path / 'cut.safetensors').write_bytes(data[: len(data) // 2])
    (tmp_path / 'noise.safetensors').write_bytes(bytes(range(256)) * 8)
    (tmp_path / 'eam.yaml').write_text('label: {engine: eam}')
    (tmp_path / 'teacher.yaml').write_text('label: {engine: ensemble}')
    (tmp_path / 'folder').mkdir()
    structure = make_structures(1)['cell_0000'].store()
    paths = {name: tmp_path / f'{name}.yaml' for name in ('eam', 'teacher')}
    paths |= {name: tmp_path / f'{name}.safetensors' for name in ('cut', 'noise')}
    return {**paths, 'folder': tmp_path / 'folder', 'structure': structure.pk}


@pytest.fixture(scope='module')
def families(installed, tmp_path_factory):
    """Pseudopotential families with no aluminium in one and no cutoffs in the other."""
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    from aiida_anial.pseudopotential import AL_PBE_UPF

    folder = tmp_path_factory.mktemp('plain')
    shutil.copy(AL_PBE_UPF, folder / 'Al.upf')
    PseudoPotentialFamily.create_from_folder(folder, 'plain', pseudo_type=_upf())
    folder = tmp_path_factory.mktemp('iron')
    text = AL_PBE_UPF.read_text().replace('element="Al"', 'element="Fe"')
    (folder / 'Fe.upf').write_text(text)
    PseudoPotentialFamily.create_from_folder(folder, 'iron', pseudo_type=_upf())


def _upf():
    from aiida_pseudo.data.pseudo.upf import UpfData

    return UpfData


@pytest.mark.parametrize('case', OVERRIDES)
def test_overrides(case, check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, named = OVERRIDES[case]
    path = tmp_path / 'overrides.yaml'
    path.write_text(text)
    check(['submit', path, '--protocol', 'demo'], named)
    assert [entry.name for entry in tmp_path.iterdir()] == ['overrides.yaml']


@pytest.mark.parametrize('case', ARGUMENTS)
def test_arguments(case, check, files):
    arguments, named = ARGUMENTS[case]
    check([argument.format(**files) for argument in arguments], named)
