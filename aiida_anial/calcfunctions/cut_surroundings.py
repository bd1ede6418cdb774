"""Surroundings of atoms in a wave, cut out for DFT."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers

from aiida_anial.data.structures import to_structure
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.surroundings import cut_out, drawn
from aiida_anial.shock.wave_input import FRAMES
from aiida_anial.shock.wave_output import read_frames

__all__ = ('cut_surroundings',)


@calcfunction
def cut_surroundings(settings: orm.Dict, seed: orm.Int, retrieved: orm.FolderData) -> dict[str, Any]:
    """Draw atoms of a wave, and return their surroundings in vacuum.

    :param settings: ``ShockSettings``.
    :param seed: of the draw.
    :param retrieved: files of the job of LAMMPS.
    :return: ``cells`` by name, the atom in the middle first, and ``surroundings``: the rest that is known, by name.
    :raises AnialError: if there are no frames, or too few atoms.
    """
    cut = ShockSettings.parse(settings.get_dict()).cut
    frames = read_frames(retrieved.base.repository.get_object_content(FRAMES, 'rb'))
    cells, surroundings = {}, {}
    for one in drawn(frames, cut, seed=seed.value):
        positions, lattice = cut_out(frames, one, vacuum_angstrom=cut.vacuum_angstrom)
        cells[one.name] = to_structure(positions, lattice, np.full(len(positions), atomic_numbers['Al']))
        surroundings[one.name] = one.to_dict()
    return {'cells': cells, 'surroundings': orm.Dict(surroundings)}
