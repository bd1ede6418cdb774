"""Profiles along a wave, and its Hugoniot point, from what LAMMPS left."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.common.quantity import Quantity
from aiida_anial.interfaces.lammps_dynamics import LOG
from aiida_anial.shock.hugoniot import hugoniot_point
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.wave_input import PROFILES
from aiida_anial.shock.wave_output import energy_drift, read_profiles

__all__ = ('analyse_wave',)


@calcfunction
def analyse_wave(settings: orm.Dict, velocity: orm.Float, retrieved: orm.FolderData) -> dict[str, orm.Data]:
    """Return the profiles and the Hugoniot point of a wave.

    :param settings: ``ShockSettings``.
    :param velocity: u_p, km/s.
    :param retrieved: files of the job of LAMMPS.
    :return: ``profiles`` as arrays whose names end in the unit, and ``point``: value, unit and uncertainty by name.
    :raises AnialError: if the files are incomplete, or the wave is too short.
    """
    wave = ShockSettings.parse(settings.get_dict()).wave
    files = retrieved.base.repository
    log = files.get_object_content(LOG, 'r')
    profiles = read_profiles(files.get_object_content(PROFILES, 'r'), wave)
    point = {
        **hugoniot_point(profiles, velocity.value, wave.piston_angstrom),
        'energy_drift': Quantity(energy_drift(log, wave.n_atoms), 'ueV/atom/ps'),
    }
    arrays = orm.ArrayData()
    for name, values in profiles.arrays().items():
        arrays.set_array(name, values)
    return {'profiles': arrays, 'point': orm.Dict({name: value.to_dict() for name, value in point.items()})}
