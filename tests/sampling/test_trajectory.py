"""Files and rows of trajectories."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.sampling.trajectory import Trajectory


@pytest.fixture
def trajectory(run, engines, small_cells) -> Trajectory:
    return run(small_cells, engines.PairEngine(scales=(0.99, 1.01)), t_max_ps=0.03)[1]


def test_round_trip(trajectory, tmp_path):
    trajectory.write(tmp_path / '001.safetensors')
    read = Trajectory.read(tmp_path / '001.safetensors')
    for field in fields(Trajectory):
        first, second = getattr(trajectory, field.name), getattr(read, field.name)
        np.testing.assert_array_equal(first, second)
        assert type(first) is type(second)


def test_row_is_json_and_tells_the_end(trajectory):
    broken = replace(trajectory, max_temperature_k=float('inf'), closest_contact_angstrom=None)
    row = json.loads(json.dumps(broken.row(), allow_nan=False))
    assert row['max_temperature_k'] is None
    assert row['candidate_force_disagreement_max'] is None
    assert row['candidate_energy_disagreement'] == pytest.approx(trajectory.energy_disagreement[-1])
    assert (row['index'], row['n_atoms'], row['n_frames'], row['stop_reason']) == (1, 4, 4, 'completed')
    assert (row['stop_step'], row['stop_time_ps'], row['candidate_frame']) == (30, 0.03, 3)


def test_velocities_and_temperatures_fit_together(trajectory):
    from ase import Atoms, units

    for velocities, temperature in zip(trajectory.velocities, trajectory.temperatures_k, strict=True):
        atoms = Atoms('Al4', velocities=velocities.astype(float) / units.fs)
        assert atoms.get_temperature() == pytest.approx(temperature, rel=1e-6)


def test_frames_that_do_not_fit_are_refused(trajectory):
    with pytest.raises(AnialError, match='frame 9 is not one of 4'):
        replace(trajectory, candidate_frame=9)
    with pytest.raises(AnialError, match='not all arrays'):
        replace(trajectory, energies=trajectory.energies[:-1])


def test_incomplete_file_is_named(trajectory, tmp_path):
    path = tmp_path / 'x.safetensors'
    content = trajectory.content()
    for name in ('energies', 'lattices', 'species'):
        arrays = {key: array for key, array in content.arrays.items() if key != name}
        write_tensors(path, TensorFile(content.kind, content.schema_version, content.metadata, arrays))
        with pytest.raises(FileFormatError, match=rf"x\.safetensors: not a complete trajectory \('{name}'\)"):
            Trajectory.read(path)


def test_a_trajectory_has_the_species_of_its_cell(run, engines, small_cells, tmp_path):
    species = np.where(np.arange(len(small_cells.positions)) % 2, 13, 29).astype(np.int16)
    cells = replace(small_cells, species=species)
    for index, trajectory in enumerate(run(cells, engines.PairEngine(), t_max_ps=0.01)):
        trajectory.write(tmp_path / 'one.safetensors')
        assert Trajectory.read(tmp_path / 'one.safetensors').species.tolist() == cells.species_of(index).tolist()
    with pytest.raises(AnialError, match='32 atoms and species'):
        replace(trajectory, species=trajectory.species[1:])
