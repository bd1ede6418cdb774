"""Waves in LAMMPS, with the potential of the package."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_anial.common.errors import FileFormatError, SettingsError
from aiida_anial.interfaces.folder import write_folder
from aiida_anial.interfaces.lammps import build_plugin
from aiida_anial.interfaces.lammps_dynamics import RESTART, job_header
from aiida_anial.interfaces.lammps_output import lammps_table
from aiida_anial.potentials import load
from aiida_anial.properties.figures.waves import write_shock_figures
from aiida_anial.shock.hugoniot import hugoniot_point
from aiida_anial.shock.settings import SIZES, ShockSettings, WaveSettings
from aiida_anial.shock.wave_input import wave_input
from aiida_anial.shock.wave_output import Frame, energy_drift, read_frames, read_profiles

pytestmark = pytest.mark.slow

U = 1.5
SMALL = {
    'direction': '100',
    'repeats': [3, 20, 3],
    'equilibration_ps': 0.3,
    'time_ps': 0.7,
    'profile_interval_steps': 30,
    'frame_interval_steps': 300,
}


@pytest.fixture(scope='module')
def plugin(lmp, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('shock') / 'plugin'
    write_folder(folder, load('Al-laptop').potential, program='lammps')
    build_plugin(folder, lmp)
    return folder


def run(plugin: Path, folder: Path, settings: WaveSettings, *, ranks: int, until: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    text = wave_input(settings, U, seed=3)
    if until is not None:
        # As if a time limit had ended it there.
        text = text.replace(f'run {settings.n_steps} upto', f'run {until} upto')
    (folder / 'in.wave').write_text(job_header(None) + text)
    result = subprocess.run(
        [plugin / 'run.sh', 'in.wave', str(ranks), '-log', 'none'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout[-2000:]
    return folder


@pytest.fixture(scope='module')
def settings() -> WaveSettings:
    return WaveSettings.parse(SMALL)


@pytest.fixture(scope='module')
def wave(plugin, settings, tmp_path_factory) -> Path:
    return run(plugin, tmp_path_factory.mktemp('waves') / 'small', settings, ranks=2)


def frames_in(path: Path) -> list[Frame]:
    with path.open('rb') as stream:
        return list(read_frames(stream))


def test_a_wave_conserves_energy_mass_and_momentum(wave, settings):
    log = (wave / 'log.lammps').read_text()
    table = lammps_table(log)
    # A piston at rest does no work.
    assert np.ptp(table['TotEng']) / settings.n_atoms < 5e-5
    assert abs(energy_drift(log, settings.n_atoms)) < 100
    profiles = read_profiles((wave / 'profiles.dat').read_text(), settings)
    found = {name: one.value for name, one in hugoniot_point(profiles, U, settings.piston_angstrom).items()}
    assert found['density'] == pytest.approx(found['density_by_mass_conservation'], rel=0.05)
    assert found['stress_along_wave'] == pytest.approx(found['stress_by_momentum_conservation'], rel=0.1)
    # What the piston feels is the momentum that the wave takes up.
    late = table['Time'] > 0.3
    push = -table['c_push'][late].mean() / (table['Lx'][0] * table['Lz'][0]) * 160.2177
    assert push == pytest.approx(found['stress_by_momentum_conservation'], rel=0.1)
    assert 250 < found['initial_temperature'] < 350 < found['temperature']
    assert found['force_disagreement'] > found['initial_force_disagreement'] > 0


def test_profiles_are_the_atoms_in_the_frames(wave, settings):
    profiles = read_profiles((wave / 'profiles.dat').read_text(), settings)
    frames = frames_in(wave / 'frames.dump.gz')
    assert [frame.step for frame in frames] == [0, 300, 600]
    first, *_, last = frames
    assert len(first.positions) == settings.n_atoms
    np.testing.assert_array_equal(first.positions[~first.moving], last.positions[~last.moving])
    assert np.allclose(last.velocities[~last.moving], 0)
    np.testing.assert_allclose(first.velocities[first.moving, 1].mean(), -10 * U, atol=1e-6)
    total = np.nansum(profiles.counts, axis=1)
    assert np.all(total > settings.n_atoms - 20)
    # 30 steps hold ten moments, the last of them at step 30.
    assert profiles.times_ps[0] == pytest.approx(0.0165)
    middle = np.abs(profiles.positions - 40) < 10
    expected = first.energies[np.abs(first.positions[:, 1] - 40) < 10].mean()
    assert np.nanmean(profiles.energies[0, middle]) == pytest.approx(expected, abs=0.02)


def test_a_wave_over_two_jobs_is_that_of_one(plugin, wave, settings, tmp_path):
    folder = tmp_path / 'two'
    run(plugin, folder, settings, ranks=2, until=400)
    assert (folder / RESTART).exists()
    run(plugin, folder, settings, ranks=2)
    one, two = (read_profiles((path / 'profiles.dat').read_text(), settings) for path in (wave, folder))
    # The profile whose moments both jobs saw, up to step 420, is missing.
    rest = [k for k in range(len(one.times_ps)) if k != 13]
    np.testing.assert_allclose(two.times_ps, one.times_ps[rest])
    np.testing.assert_allclose(two.positions, one.positions)
    np.testing.assert_allclose(two.velocities, one.velocities[rest], atol=0.05)
    assert [frame.step for frame in frames_in(folder / 'frames.dump.gz')] == [0, 300, 600]
    table, whole = (lammps_table((path / 'log.lammps').read_text()) for path in (folder, wave))
    rows = np.isin(table['Step'], whole['Step'])
    np.testing.assert_allclose(table['TotEng'][rows], whole['TotEng'], rtol=1e-6)


def test_an_incomplete_file_is_read_as_far_as_it_goes(wave, settings):
    text = (wave / 'profiles.dat').read_text()
    whole = read_profiles(text, settings)
    cut = read_profiles(text[:-200], settings)
    assert len(cut.times_ps) == len(whole.times_ps) - 1
    with pytest.raises(FileFormatError, match='the profiles of the wave are missing or incomplete'):
        read_profiles(text[:300], settings)
    with pytest.raises(FileFormatError, match='the frames of the wave cannot be read'):
        list(read_frames(BytesIO((wave / 'frames.dump.gz').read_bytes()[:-100])))


def test_figures_show_the_wave(wave, settings, tmp_path):
    profiles = read_profiles((wave / 'profiles.dat').read_text(), settings)
    point = hugoniot_point(profiles, U, settings.piston_angstrom)
    rows: list[dict[str, Any]] = [
        {'radius_angstrom': r, 'mae_ev_per_angstrom': 1 / r, 'rmse_ev_per_angstrom': 2 / r} for r in (5.0, 7.0)
    ]
    files = write_shock_figures({'wave_1500': (profiles, point)}, rows, tmp_path)
    assert [path.name for path in files if path.suffix == '.png'] == [
        'wave_1500.png',
        'hugoniot.png',
        'surroundings.png',
    ]


@pytest.mark.parametrize('size', ['full', 'paper'])
def test_a_thin_slice_of_the_larger_sizes_runs(plugin, tmp_path, size):
    """The same input but for the width of the crystal, its length and the time."""
    large = SIZES[size].wave
    thin = large.model_copy(
        update={'repeats': (2, 20, 2), 'equilibration_ps': 0.02, 'time_ps': 0.1, 'frame_interval_steps': 100}
    )
    folder = run(plugin, tmp_path / size, thin, ranks=1)
    *_, frame = frames_in(folder / 'frames.dump.gz')
    assert len(frame.positions) == 6 * 2 * 20 * 2
    assert np.abs(frame.forces).max() < 20
    # Nothing else differs between the two inputs.
    lines = [wave_input(one, U, seed=3).splitlines() for one in (large, thin)]
    different = [first.split()[0] for first, second in zip(*lines, strict=True) if first != second]
    assert set(different) <= {'region', 'run', 'compute', 'dump', 'if'}


def test_the_sizes_have_the_atoms_that_they_are_known_for():
    atoms = {name: one.wave.n_atoms for name, one in SIZES.items()}
    assert 3000 < atoms['quick'] < 6000
    assert 90_000 < atoms['full'] < 110_000
    assert 1.2e6 < atoms['paper'] < 1.4e6
    # 10 x 211 x 10 nm.
    assert SIZES['paper'].wave.edges_angstrom == pytest.approx((100, 2110, 100), rel=0.03)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'repeats': [3, 5, 3]}, 'wave.repeats: a crystal of 20 angstrom is too short for its piston'),
        ({'profile_interval_steps': 25}, 'wave.profile_interval_steps: it must be a multiple of ten'),
        ({'frame_interval_steps': 100}, 'wave.frame_interval_steps: 100 is no multiple of 3'),
        ({'time_ps': 0.01}, r'wave.time_ps: 0.01 ps end before the first profile'),
        ({'direction': '111'}, "wave.direction: '111' is not allowed"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        ShockSettings.parse({'wave': {**SMALL, **changes}})
