"""Surroundings of atoms in a wave, cut out for DFT."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers

from aiida_anial.data.structures import to_structure
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.shock.surroundings import drawn
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
    with retrieved.base.repository.open(FRAMES, 'rb') as stream:
        found = drawn(read_frames(stream), cut, seed=seed.value)
    cells = {
        one.name: to_structure(positions, lattice, np.full(len(positions), atomic_numbers['Al']))
        for one, positions, lattice in found
    }
    surroundings = {one.name: one.to_dict() for one, *_ in found}
    return {'cells': cells, 'surroundings': orm.Dict(surroundings)}
