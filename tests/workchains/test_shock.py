"""A shock in the graph: its waves, what is cut out of one, and labels by pw.x."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_anial.active_learning.label_settings import QeSettings
from aiida_anial.calcfunctions.export_sources import export_sources
from aiida_anial.cli.root import main
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potentials import load
from aiida_anial.protocols.shock_builder import SURROUNDINGS, shock_builder
from aiida_anial.queries.records import records
from aiida_anial.queries.shocks import load_shock, plugin_of, shock_of
from aiida_anial.shock.hugoniot import hugoniot_point
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.wave_dynamics import equilibrated, run_wave

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')]

SETTINGS = {
    'particle_velocities_km_s': [1.5],
    'wave': {
        'direction': '100',
        'repeats': [3, 20, 3],
        'equilibration_ps': 0.1,
        'time_ps': 0.6,
        'profile_interval_steps': 30,
        'frame_interval_steps': 300,
    },
    'cut': {'atoms': 1, 'radii_angstrom': [3.5], 'vacuum_angstrom': 4.0, 'max_labels': 2},
}
PLUGIN = {'filename': 'plugin', 'program': 'lammps', 'dtype': 'float32', 'processor': 'host'}


@pytest.fixture(scope='module')
def plugin(aiida_profile) -> orm.FolderData:
    ensemble = EnsembleData(load('Al-laptop').potential).store()
    return export_sources(settings=orm.Dict(PLUGIN), ensemble=ensemble)


@pytest.fixture(scope='module')
def make_builder(plugin, lammps_code, pw_code, pseudo):
    qe: QeSettings = SURROUNDINGS.model_copy(update={'ecutwfc_ry': 12.0, 'ecutrho_ry': 40.0, 'conv_thr_ry': 1e-4})

    def make(*, dft: bool = False, **changes: Any) -> Any:
        settings = ShockSettings.parse({**SETTINGS, **changes})
        labels = {'pw_code': pw_code, 'pseudo': pseudo, 'qe': qe} if dft else {}
        return shock_builder(settings, seed=5, plugin=plugin, lmp_code=lammps_code, ranks=2, **labels)

    return make


@pytest.fixture(scope='module')
def chain(make_builder, run_all) -> Any:
    (node,) = run_all(make_builder(dft=True))
    assert node.is_finished_ok, node.exit_message
    return node


def test_each_number_leads_back_to_the_ensemble(chain, plugin):
    (job,) = [one for one in chain.called_descendants if one.process_label == 'LammpsCalculation']
    assert chain.outputs.points['wave_1500'].creator.inputs.retrieved.creator.uuid == job.uuid
    assert job.inputs.potential.creator.inputs.ensemble.uuid == plugin.creator.inputs.ensemble.uuid
    assert job.inputs.script.creator.inputs.settings.uuid == chain.inputs.settings.uuid
    label = chain.outputs.comparison.creator
    assert label.inputs.dataset.uuid == chain.outputs.dataset.uuid
    cells = [link.node for link in label.base.links.get_incoming(link_label_filter='cells%').all()]
    assert {cell.creator.process_label for cell in cells} == {'cut_surroundings'}
    assert cells[0].creator.inputs.retrieved.creator.uuid == job.uuid


def test_forces_by_dft_are_those_on_the_atoms_in_the_middle(chain):
    (row,) = chain.outputs.comparison['by_radius']
    assert (row['radius_angstrom'], row['n_labels']) == (3.5, 2)
    surroundings, labels = chain.outputs.surroundings.get_dict(), chain.outputs.comparison['labels']
    errors = [np.array(surroundings[name]['force']) - force for name, force in labels.items()]
    assert row['mae_ev_per_angstrom'] == pytest.approx(np.abs(errors).mean())
    for call in chain.outputs.dataset.creator.caller.called:
        if call.process_label == 'PwBaseWorkChain':
            structure = call.inputs.pw.structure.get_ase()
            name = next(
                link.link_label.removeprefix('cells__')
                for link in call.inputs.pw.structure.base.links.get_incoming().all()
            )
            middle = structure.positions[0]
            np.testing.assert_allclose(middle, structure.cell.lengths() / 2, atol=1e-5)
            printed = call.outputs.output_trajectory.get_array('forces')[-1][0]
            np.testing.assert_allclose(labels[name], printed, atol=1e-6)
    assert {one['origin'] for one in records('labels', {})} >= {'shock'}


def test_a_shock_is_found_by_its_pk_and_its_plugin_by_its_ensemble(chain, plugin):
    assert load_shock(str(chain.pk)).uuid == chain.uuid
    assert load_shock(str(plugin.pk)) is None
    assert plugin_of(plugin.creator.inputs.ensemble, PLUGIN).uuid == plugin.uuid
    assert plugin_of(plugin.creator.inputs.ensemble, {**PLUGIN, 'dtype': 'float64'}) is None
    found = shock_of(chain)
    profiles, point = found.waves['wave_1500']
    assert profiles.velocities.shape == (*profiles.counts.shape, 3)
    assert 6 < point['shock_velocity'].value < 12
    assert found.by_radius == chain.outputs.comparison['by_radius']


def test_a_wave_by_ase_has_the_same_velocity(chain):
    settings = ShockSettings.parse(SETTINGS).wave
    wave = run_wave(equilibrated(load('Al-laptop'), settings, seed=5), settings, 1.5)
    by_ase = hugoniot_point(wave.profiles, 1.5, settings.piston_angstrom)['shock_velocity'].value
    _, by_lammps = shock_of(chain).waves['wave_1500']
    assert by_ase == pytest.approx(by_lammps['shock_velocity'].value, rel=0.05)


def test_a_wave_that_has_run_is_not_run_again(chain, make_builder, run_all):
    (node,) = run_all(make_builder())
    assert node.is_finished_ok, node.exit_message
    (job,) = [one for one in node.called_descendants if one.process_label == 'LammpsCalculation']
    assert job.base.caching.is_created_from_cache
    assert 'comparison' not in node.outputs


def test_a_wave_that_is_too_short_is_told_beside_the_others(make_builder, run_all):
    wave = {**SETTINGS['wave'], 'time_ps': 0.06, 'equilibration_ps': 0.05}
    (node,) = run_all(make_builder(wave=wave))
    assert node.exit_status == 401
    assert '1 of 1 waves failed: wave_1500, the wave is in' in node.exit_message


def test_the_command_prints_and_draws_a_shock(chain, tmp_path):
    def run(*options: str) -> Any:
        result = CliRunner().invoke(main, ['shock', str(chain.pk), *options])
        assert result.exit_code == 0, result.output
        return result

    numbers = json.loads(run('--json', '--dislocations').stdout)
    assert numbers['waves']['wave_1500'] == chain.outputs.points['wave_1500'].get_dict()
    assert numbers['surroundings'] == chain.outputs.comparison['by_radius']
    assert sum(numbers['dislocations']['wave_1500']['share_by_structure'].values()) == pytest.approx(1)
    text = run('--dislocations', '--plots', str(tmp_path)).stdout
    assert 'U_s' in text
    assert 'Forces on atoms in the wave, against DFT on what was cut out:' in text
    assert 'wave_1500, step 600: ' in text
    names = {path.stem for path in tmp_path.glob('*.svg')}
    assert names == {'wave_1500', 'hugoniot', 'surroundings', 'wave_1500_dislocations'}


def test_the_input_of_a_size_is_written_with_its_cost(tmp_path, aiida_profile):
    result = CliRunner().invoke(main, ['shock', '--size', 'paper', '--input', str(tmp_path / 'in.wave')])
    assert result.exit_code == 0, result.output
    assert '1,238,160 atoms, 65,000 steps, u_p = 1.5 km/s: about 588.3 core hours' in result.output
    assert 'region crystal block' in (tmp_path / 'in.wave').read_text()
