"""The input of LAMMPS for a wave."""

from __future__ import annotations

from typing import Final

from aiida_anial.interfaces.lammps_dynamics import RESTART, continuing, lammps_seed, saving
from aiida_anial.shock.settings import WaveSettings

__all__ = ('COLUMNS', 'FRAMES', 'PROFILES', 'wave_input')

PROFILES: Final = 'profiles.dat'
FRAMES: Final = 'frames.dump.gz'

COLUMNS: Final = (
    *('density/number', 'vx', 'vy', 'vz', 'v_xx', 'v_yy', 'v_zz', 'c_energy'),
    *('c_stress[1]', 'c_stress[2]', 'c_stress[3]', 'f_disagreement'),
)
"""What is averaged over the atoms of each slice, in the order of the columns after their number."""

_KM_S: Final = 10.0  # angstrom/ps
# The slab swings as it expands; this damps it within a picosecond.
_DAMPING_PS: Final = 0.1
_BAROSTAT_PS: Final = 0.5
# Slices go on beyond the free surface, which the equilibration moves.
_MARGIN_ANGSTROM: Final = 20.0
_POTENTIAL: Final = 'include ${anial}/potential.in'
_JUMP: Final = f'if "$(is_file({RESTART}))" then "jump SELF wave"'


def wave_input(settings: WaveSettings, particle_velocity_km_s: float, *, seed: int) -> str:
    """Return the input of LAMMPS for a wave by the reverse ballistic method.

    A crystal with free surfaces along y is brought to the temperature. Then its lowest slice becomes the piston, whose
    atoms rest, and all others get the velocity -u_p along y: the wave runs up from the piston, behind it the atoms are
    at rest on average. The piston does no work, so the total energy is constant.

    A wave that a time limit ended goes on from the state that it saved; an equilibration does not.

    :param particle_velocity_km_s: u_p.
    :param seed: of the velocities and of the thermostat.
    """
    before = [*_crystal(settings), *_equilibration(settings, lammps_seed(seed))]
    impact = _impact(settings, particle_velocity_km_s)
    return '\n'.join(
        ['units metal', 'boundary p s p', _JUMP, *before, *impact, *_wave(settings), saving(settings.n_steps), '']
    )


def _crystal(settings: WaveSettings) -> list[str]:
    """Return what makes the crystal."""
    x, y, z = settings.edges_angstrom
    axes = ' '.join(f'orient {axis} {name}' for axis, name in zip('xyz', settings.orientation.axes, strict=True))
    # The origin keeps lattice planes off the faces of the box, where rounding would decide whether atoms exist.
    lattice = f'lattice fcc {settings.lattice_constant_angstrom!r} origin 0.01 0.01 0.01'
    return [
        f'{lattice} {axes}',
        f'region crystal block 0 {x!r} 0 {y!r} 0 {z!r} units box',
        'create_box 2 crystal',
        'create_atoms 1 box',
        _POTENTIAL,
    ]


def _motion(settings: WaveSettings, columns: str) -> list[str]:
    """Return what equilibration and wave have in common; ``columns`` are those of the table."""
    return [
        f'timestep {settings.time_step_fs / 1000!r}',
        'fix share all balance 200 1.05 shift y 10 1.05',
        f'thermo_style custom step time temp pe etotal lx ly lz {columns} v_anial_disagreement',
        'thermo_modify line yaml format float %.17g',
        f'thermo {settings.profile_interval_steps}',
    ]


def _equilibration(settings: WaveSettings, seed: int) -> list[str]:
    """Return what brings the crystal to its temperature; half of the initial energy becomes potential energy."""
    temperature = settings.temperature_k
    return [
        *_motion(settings, 'pxx pyy pzz'),
        f'velocity all create {2 * temperature!r} {seed} mom yes rot no dist gaussian',
        f'fix heat all langevin {temperature!r} {temperature!r} {_DAMPING_PS!r} {seed} zero yes',
        f'fix cell all nph x 0.0 0.0 {_BAROSTAT_PS!r} z 0.0 0.0 {_BAROSTAT_PS!r} couple none',
        f'run {settings.n_equilibration_steps}',
        f'if "$(step) < {settings.n_equilibration_steps}" then quit',
        'unfix heat',
        'unfix cell',
    ]


def _impact(settings: WaveSettings, velocity: float) -> list[str]:
    """Return what makes the piston and the impact."""
    return [
        'reset_timestep 0',
        f'variable top equal $(bound(all,ymin)+{settings.piston_angstrom!r})',
        'region piston block INF INF INF ${top} INF INF units box',
        'group piston region piston',
        'group crystal subtract all piston',
        'set group piston type 2',
        'velocity piston set 0.0 0.0 0.0',
        'velocity crystal zero linear',
        f'velocity crystal set NULL {-velocity * _KM_S!r} NULL sum yes units box',
    ]


def _wave(settings: WaveSettings) -> list[str]:
    """Return what lets the wave run, and records it."""
    moment, interval = settings.moment_steps, settings.profile_interval_steps
    length = settings.edges_angstrom[1] + _MARGIN_ANGSTROM
    return [
        'label wave',
        continuing(_POTENTIAL),
        'if "${append} == yes" then "variable mode string append" else "variable mode string file"',
        'variable start equal $(bound(piston,ymin))',
        'fix motion crystal nve',
        'compute slices all chunk/atom bin/1d y lower '
        f'{settings.bin_angstrom!r} bound y ${{start}} $(v_start+{length!r}) discard yes units box',
        'compute energy all pe/atom',
        'compute stress all stress/atom NULL virial',
        f'fix disagreement all pair {moment} anial force_disagreement 1',
        *(f'variable {axis}{axis} atom v{axis}*v{axis}' for axis in 'xyz'),
        f'fix profiles all ave/chunk {moment} 10 {interval} slices {" ".join(COLUMNS)} ${{mode}} {PROFILES}',
        'compute push piston reduce sum fy',
        *_motion(settings, 'c_push'),
        f'dump frames all custom/gz {settings.frame_interval_steps} {FRAMES} '
        'id type x y z vx vy vz fx fy fz c_energy f_disagreement',
        'dump_modify frames sort id append ${append} format float %.9g',
        'if "$(step) > 0" then "dump_modify frames delay $(step+1)"',
        f'run {settings.n_steps} upto',
    ]
