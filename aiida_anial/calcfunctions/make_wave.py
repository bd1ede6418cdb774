"""The input of LAMMPS for a wave."""

from __future__ import annotations

import io

from aiida import orm
from aiida.engine import calcfunction

from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.wave_input import wave_input

__all__ = ('make_wave',)


@calcfunction
def make_wave(settings: orm.Dict, velocity: orm.Float, seed: orm.Int) -> orm.SinglefileData:
    """Return the input of LAMMPS for a wave.

    :param settings: ``ShockSettings``.
    :param velocity: u_p, km/s.
    :param seed: of the velocities of the atoms and of the thermostat.
    """
    wave = ShockSettings.parse(settings.get_dict()).wave
    text = wave_input(wave, velocity.value, seed=seed.value)
    return orm.SinglefileData(io.BytesIO(text.encode()), filename='in.wave')
