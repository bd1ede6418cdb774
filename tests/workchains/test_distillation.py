"""A distillation in the graph: its frames, their labels by the ensemble, and what has learned from them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from aiida_anial.active_learning.distillation_settings import DistillationSettings
from aiida_anial.cli.root import main
from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.settings import DescriptorSettings, EngineSettings, ModelSettings, PotentialSettings
from aiida_anial.protocols.distillation_builder import distillation_builder
from aiida_anial.queries.distillations import distilled_from, load_distillation, trajectories_of
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.sampling.frames import FrameSettings, draw

SETTINGS = {
    'frames': {'n_frames': 25, 'n_test_frames': 4},
    'hidden_layers': [6],
    'angular_cutoff_angstrom': 3.5,
    'training': {'max_steps': 20, 'batch_size': 8, 'evaluation_interval': 10},
}


@pytest.fixture(scope='module')
def teacher(campaigns) -> Any:
    return campaigns['main'].outputs.ensemble


@pytest.fixture(scope='module')
def make_builder(teacher, worker_code):
    def make(**changes: Any) -> Any:
        settings = DistillationSettings.parse({**SETTINGS, **changes})
        trajectories = trajectories_of(teacher, [])
        return distillation_builder(
            settings, seed=3, ensemble=teacher, trajectories=trajectories, worker_code=worker_code
        )

    return make


@pytest.fixture(scope='module')
def chain(make_builder, run_all) -> Any:
    (node,) = run_all(make_builder())
    assert node.is_finished_ok, node.exit_message
    return node


def drawn(chain: Any) -> Any:
    inputs = chain.inputs.label
    lengths = {name: len(node.get_array('positions')) for name, node in inputs.trajectories.items()}
    return draw(lengths, FrameSettings.parse(inputs.frames.get_dict()), seed=chain.inputs.seed.value)


def test_the_trajectories_are_those_of_the_campaign_that_trained_the_ensemble(campaigns, teacher, chain):
    jobs = [node for node in campaigns['main'].called_descendants if node.process_label == 'SampleCalculation']
    made = {node.uuid for job in jobs for node in job.outputs.trajectories.values()}
    assert {node.uuid for node in chain.inputs.label.trajectories.values()} == made
    assert len(trajectories_of(teacher, [campaigns['again']])) > 1


def test_frames_are_labelled_by_the_ensemble(chain, teacher):
    frames = drawn(chain)
    for part, names in frames._asdict().items():
        labelled = chain.outputs[part].labelled
        assert len(labelled) == len(names)
        for row, (name, index) in enumerate(names):
            trajectory = chain.inputs.label.trajectories[name]
            positions, lattice = labelled.cells.one(row)
            np.testing.assert_allclose(positions, trajectory.get_array('positions')[index], atol=6e-7)
            np.testing.assert_allclose(lattice, trajectory.get_array('cells')[index], atol=6e-7)
        found = make_engine(teacher.ensemble, EngineSettings()).evaluate(labelled.cells, forces=True)
        np.testing.assert_allclose(labelled.energies, found.energies, atol=1e-6)
        np.testing.assert_allclose(labelled.forces, found.forces, atol=1e-5)
        assert set(labelled.origins) == {'distillation'}
        assert labelled.uuids == tuple(chain.inputs.label.trajectories[name].uuid for name, _ in names)
        assert chain.outputs[part].level_of_theory.potential_sha256 == teacher.base.attributes.get('sha256')


def test_one_network_learns(chain, teacher):
    network = chain.outputs.ensemble
    model = network.ensemble.model
    assert (model.n_members, model.hidden_layers) == (1, (6,))
    assert model.descriptor.angular_cutoff_angstrom == 3.5 < teacher.ensemble.model.descriptor.angular_cutoff_angstrom
    shards = network.creator.base.links.get_incoming(link_label_filter='shards%').all_nodes()
    assert [shard.uuid for shard in shards] == [chain.outputs.learn.uuid]


def test_errors_are_those_against_the_ensemble_on_the_other_trajectories(chain, teacher):
    cells = chain.outputs.test.labelled.cells
    ours, theirs = (
        make_engine(one.ensemble, EngineSettings()).evaluate(cells, forces=True)
        for one in (chain.outputs.ensemble, teacher)
    )
    errors = chain.outputs.errors
    energies = 1000 * (ours.energies - theirs.energies) / cells.n_atoms
    assert errors['energy_rmse_mev_per_atom'] == pytest.approx(np.sqrt(np.mean(energies**2)), rel=1e-4)
    forces = np.sqrt(np.mean((ours.forces - theirs.forces) ** 2))
    assert errors['force_rmse_ev_per_angstrom'] == pytest.approx(forces, rel=1e-4)
    assert errors['n_configurations'] == 4


def test_labels_are_the_same_when_they_are_computed_again(chain):
    (job,) = [node for node in chain.called if node.process_label == 'LabelFramesCalculation']
    result = reproduce(job, Codes())
    assert result.verdict == Verdict.IDENTICAL, [record for record in result.records if not record.identical]


def test_the_command_prints_an_earlier_one(chain, teacher):
    result = CliRunner().invoke(main, ['distil', str(chain.pk)])
    assert result.exit_code == 0, result.output
    first, second, third = result.output.splitlines()
    assert first == f'network {chain.outputs.ensemble.pk} learned from 25 frames of ensemble {teacher.pk}'
    assert f'{chain.outputs.errors["energy_rmse_mev_per_atom"]:.2f} meV/atom' in second
    assert 'atom-steps a second' in third
    found = json.loads(CliRunner().invoke(main, ['distil', chain.uuid, '--json']).output)
    assert found['errors'] == chain.outputs.errors.get_dict()
    assert found['network']['pk'] == chain.outputs.ensemble.pk
    assert found['ensemble']['atom_steps_per_core_second'] > 0


def test_an_export_takes_what_was_distilled_last(chain, teacher, tmp_path):
    assert distilled_from(teacher).uuid == chain.outputs.ensemble.uuid
    file = tmp_path / 'network.safetensors'
    command = ['export', 'ensemble', str(teacher.pk), str(file), '--format', 'torchani', '--distilled']
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert ': 1 networks, by export_ensemble' in result.output


def test_what_was_not_distilled_and_has_no_campaign_is_named(aiida_profile, make_ensemble, chain):
    other = EnsembleData(make_ensemble(77)).store()
    with pytest.raises(AnialError, match=rf'--distilled: .* run `aiida-anial distil {other.pk}`'):
        distilled_from(other)
    with pytest.raises(AnialError, match=r'no campaign of this profile trained it; .*--campaign'):
        trajectories_of(other, [])
    assert load_distillation(str(other.pk)) is None


def test_a_failed_training_is_the_reason(make_builder, run_all):
    diverging = {'max_steps': 20, 'learning_rate': 1.0, 'final_learning_rate': 1.0, 'force_weight': 1e30}
    (node,) = run_all(make_builder(training={**SETTINGS['training'], **diverging, 'max_restarts': 0}))
    assert node.exit_status == 402
    assert 'diverged' in node.exit_message
    assert 'learn' in node.outputs


def test_a_shorter_angular_cutoff_scales_the_shifts():
    settings = DistillationSettings(angular_cutoff_angstrom=4.4)
    narrow = settings.student(ModelSettings()).descriptor
    assert narrow.angular_cutoff_angstrom == 4.4
    wide = DescriptorSettings()
    assert narrow.angular_shifts_angstrom[0] == wide.angular_shifts_angstrom[0] == 1.25
    # From the last shift to the cutoff there is as large a share of the way as before.
    shares = [(one.angular_shifts_angstrom[-1] - 1.25) / (one.angular_cutoff_angstrom - 1.25) for one in (narrow, wide)]
    assert shares[0] == pytest.approx(shares[1])
    assert narrow.radial_shifts_angstrom == wide.radial_shifts_angstrom
    # It is never made longer.
    assert DistillationSettings(angular_cutoff_angstrom=6.0).student(ModelSettings()).descriptor == wide
    assert DistillationSettings(angular_cutoff_angstrom=None).student(ModelSettings()).descriptor == wide


def test_potentials_of_other_kinds_cannot_be_distilled():
    class Other(PotentialSettings):
        kind: str = 'other'

    with pytest.raises(SettingsError, match='kind: only ensembles of kind ani'):
        DistillationSettings().student(Other())
