"""Trajectories as ASE reads them back."""

from __future__ import annotations

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.io.trajectory import Trajectory

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.trajectories import TRAJECTORY_FORMATS, TrajectoryFrames, write_trajectory

N_FRAMES, N_ATOMS = 4, 5
ASE_NAMES = {'extxyz': 'extxyz', 'traj': 'traj', 'lammps': 'lammps-dump-text'}
LATTICES = {
    'orthorhombic': np.diag([11.5, 12.25, 13.125]),
    'lammps': np.array([[9.0, 0, 0], [-2.5, 8.0, 0], [1.5, -3.0, 10.0]]),
    'anyhow': np.array([[0.5, 4.0, 4.5], [5.0, 0.25, 4.0], [4.0, 4.5, -0.5]]),
}


@pytest.fixture(params=TRAJECTORY_FORMATS)
def file_format(request) -> str:
    return request.param


@pytest.fixture
def frames() -> TrajectoryFrames:
    """Frames with atoms that leave their cell, one of them without a force disagreement."""
    generator = np.random.default_rng(5)
    steps = generator.normal(size=(N_FRAMES, N_ATOMS, 3)).cumsum(axis=0) * 8
    return TrajectoryFrames(
        symbols=['Al'] * N_ATOMS,
        positions=steps,
        lattices=np.tile(LATTICES['orthorhombic'], (N_FRAMES, 1, 1)),
        steps=np.arange(N_FRAMES) * 50,
        times_ps=np.arange(N_FRAMES) * 0.05,
        scalars={
            'energies': generator.normal(size=N_FRAMES) - 300,
            'energy_disagreement': generator.random(N_FRAMES),
            'force_disagreement_max': np.array([0.5, np.nan, 0.25, 0.125]),
            'force_disagreement_mean': np.full(N_FRAMES, np.nan),
            'temperatures_k': generator.random(N_FRAMES) * 500,
            'target_temperatures_k': generator.random(N_FRAMES) * 500,
        },
        stop_reason='energy_disagreement',
        header={'trajectory': 'b7', 'note': 'q"\\'},
    )


def _with(frames, kind) -> TrajectoryFrames:
    return replace(frames, lattices=np.tile(LATTICES[kind], (N_FRAMES, 1, 1)))


@pytest.mark.parametrize('kind', LATTICES)
def test_ase_reads_the_same_geometry(tmp_path, frames, file_format, kind):
    frames = _with(frames, kind)
    write_trajectory(tmp_path / 'x', frames, file_format=file_format)
    images = ase.io.read(tmp_path / 'x', index=':', format=ASE_NAMES[file_format])
    assert len(images) == N_FRAMES
    for image, positions, lattice in zip(images, frames.positions, frames.lattices, strict=True):
        assert image.pbc.all()
        assert set(image.symbols) == {'Al'}
        if file_format != 'lammps' or kind != 'anyhow':
            np.testing.assert_allclose(image.positions, positions, rtol=1e-15)
            np.testing.assert_allclose(image.cell.array, lattice, rtol=1e-15)
        # Scaled positions and lengths are the same for any rotation of the cell, without wrapping.
        scaled = positions @ np.linalg.inv(lattice)
        np.testing.assert_allclose(image.positions @ np.linalg.inv(image.cell.array), scaled, atol=1e-12)
        np.testing.assert_allclose(image.cell.array @ image.cell.array.T, lattice @ lattice.T, atol=1e-12)
        assert np.linalg.det(image.cell.array) == pytest.approx(np.linalg.det(lattice), rel=1e-12)


def _measured(path, file_format) -> list[dict[str, float]]:
    """Return the measurements in each frame, read without this package."""
    if file_format == 'lammps':
        columns = json.loads(path.with_name(path.name + '.json').read_text())['frames']
        return [
            {name: column[index] for name, column in columns.items() if column[index] is not None}
            for index in range(N_FRAMES)
        ]
    images = ase.io.read(path, index=':', format=ASE_NAMES[file_format])
    return [image.info | {'energy': image.get_potential_energy()} for image in images]


def test_what_was_measured_is_read_back(tmp_path, frames, file_format):
    write_trajectory(tmp_path / 'x', frames, file_format=file_format)
    for index, found in enumerate(_measured(tmp_path / 'x', file_format)):
        assert found['energy'] == frames.scalars['energies'][index]
        assert found['energy_disagreement'] == frames.scalars['energy_disagreement'][index]
        assert found['temperature_k'] == frames.scalars['temperatures_k'][index]
        assert found['target_temperature_k'] == frames.scalars['target_temperatures_k'][index]
        assert (found['step'], found['time_ps']) == (50 * index, frames.times_ps[index])
        assert ('force_disagreement_max' in found) == (index != 1)
        assert 'force_disagreement_mean' not in found


def test_why_it_stopped_and_the_units_are_in_the_file(tmp_path, frames, file_format):
    write_trajectory(tmp_path / 'x', frames, file_format=file_format)
    match file_format:
        case 'extxyz':
            images = ase.io.read(tmp_path / 'x', index=':', format='extxyz')
            header = images[0].info['header']
            assert {image.info['stop_reason'] for image in images} == {'energy_disagreement'}
        case 'traj':
            with Trajectory(tmp_path / 'x') as found:
                header = found.description
        case 'lammps':
            header = json.loads((tmp_path / 'x.json').read_text())['header']
    assert header['stop_reason'] == 'energy_disagreement'
    assert header['units']['length'] == 'angstrom'
    assert (header['n_frames'], header['n_atoms']) == (N_FRAMES, N_ATOMS)
    assert {key: header[key] for key in frames.header} == frames.header


def test_lammps_sees_its_own_steps_types_and_periodic_box(tmp_path, frames):
    write_trajectory(tmp_path / 'x', _with(frames, 'lammps'), file_format='lammps')
    lines = (tmp_path / 'x').read_text().splitlines()
    assert lines[:4] == ['ITEM: TIMESTEP', '0', 'ITEM: NUMBER OF ATOMS', '5']
    # By the formulas of LAMMPS's manual (Howto_triclinic), from xy -2.5, xz 1.5, yz -3.
    assert lines[4:8] == ['ITEM: BOX BOUNDS xy xz yz pp pp pp', '-2.5 10.5 -2.5', '-3.0 8.0 1.5', '0.0 10.0 -3.0']
    assert lines[8] == 'ITEM: ATOMS id type element xu yu zu'
    assert [line.split()[:3] for line in lines[9:14]] == [[str(number), '1', 'Al'] for number in range(1, 6)]
    assert [lines[index + 1] for index, line in enumerate(lines) if line == 'ITEM: TIMESTEP'] == [
        '0',
        '50',
        '100',
        '150',
    ]


def test_the_same_frames_give_the_same_bytes(tmp_path, frames, file_format):
    first = write_trajectory(tmp_path / 'one', frames, file_format=file_format)
    (tmp_path / 'other').mkdir()
    second = write_trajectory(tmp_path / 'other' / 'two', replace(frames), file_format=file_format)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len(first) == (2 if file_format == 'lammps' else 1)
    assert str(tmp_path).encode() not in first[0].read_bytes()


def test_a_frame_alone_and_no_scalars_are_enough(tmp_path, frames, file_format):
    one = TrajectoryFrames(frames.symbols, frames.positions[:1], frames.lattices[:1], frames.steps[:1], np.zeros(1))
    write_trajectory(tmp_path / 'x', one, file_format=file_format)
    image = ase.io.read(tmp_path / 'x', format=ASE_NAMES[file_format])
    np.testing.assert_array_equal(image.positions, frames.positions[0])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'positions': np.zeros((4, 4, 3))}, r'positions has shape \(4, 4, 3\) where \(4, 5, 3\) is needed'),
        ({'positions': np.full((4, 5, 3), np.nan)}, 'a value of positions is not finite'),
        ({'lattices': np.zeros((3, 3))}, 'lattices has shape'),
        ({'times_ps': np.zeros(3)}, 'times_ps has shape'),
        ({'scalars': {'energies': np.zeros(3)}}, 'energies has shape'),
        ({'scalars': {'two words': np.zeros(4)}}, "'two words' is not a name"),
        ({'symbols': ['Al', 'Al', 'Al', 'Al', 'Zz']}, "'Zz' is not a chemical symbol"),
        ({'header': {'units': 1}}, 'header: units is written by the format itself'),
        ({'header': {'x': float('inf')}}, 'header: not made of JSON values'),
    ],
)
def test_what_does_not_fit_is_refused(frames, change, message):
    with pytest.raises(AnialError, match=message):
        replace(frames, **change)


def test_no_frames_are_refused(frames):
    none = np.zeros(0)
    with pytest.raises(AnialError, match='there is no frame'):
        TrajectoryFrames(frames.symbols, frames.positions[:0], frames.lattices[:0], none, none)


def test_lammps_has_no_left_handed_cells(tmp_path, frames):
    mirrored = replace(frames, lattices=frames.lattices[:, [1, 0, 2]])
    with pytest.raises(AnialError, match='LAMMPS has no left-handed cells'):
        write_trajectory(tmp_path / 'x', mirrored, file_format='lammps')
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_named(tmp_path, frames):
    with pytest.raises(AnialError, match="format: 'xtc' is not one of extxyz, traj, lammps"):
        write_trajectory(tmp_path / 'x', frames, file_format='xtc')
