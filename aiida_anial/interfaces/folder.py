"""An ensemble as a folder from which it is built into another program: ``write_folder``."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from ase.data import atomic_masses, atomic_numbers

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.files import new_folder
from aiida_anial.interfaces.object_file import write_object
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.potential import Potential, write_potential

__all__ = ('PROGRAMS', 'check_folder', 'chosen_members', 'write_folder')

PROGRAMS: Final = ('lammps', 'kim')
"""Programs with sources here: LAMMPS by its package PLUGIN, and all that read models of OpenKIM."""

_SOURCES: Final = resources.files('aiida_anial.interfaces') / 'sources'
_TEMPLATES: Final = ('.in', '.md', '.txt')


def write_folder(
    folder: Path,
    potential: Potential,
    *,
    program: str,
    member: int | None = None,
    dtype: str = 'float32',
    processor: str = 'host',
) -> None:
    """Write kernels, weights and sources for a program into a new folder, which takes half a minute.

    :param program: one of ``PROGRAMS``.
    :param member: the member to write alone, counted from 1; all of them if left out.
    :param dtype: precision of the kernels, ``float32`` or ``float64``.
    :param processor: one of ``PROCESSORS``.
    :raises AnialError: if the potential is of another kind, has no such member, or the folder exists, cannot be written
        or has a name that the program does not take.
    """
    ensemble = chosen_members(potential, member)
    check_folder(folder, program)
    with new_folder(folder) as temporary:
        file = temporary / 'ensemble.safetensors'
        write_potential(file, ensemble)
        write_object(file, temporary, dtype=dtype, processor=processor)
        _write_sources(temporary, ensemble, program=program, name=folder.name)


def check_folder(folder: Path, program: str) -> None:
    """Refuse a folder whose name the program does not take.

    :raises AnialError: if that is so.
    """
    if program == 'kim' and not re.fullmatch(r'[A-Za-z]\w*', folder.name, flags=re.ASCII):
        raise AnialError(f'{folder}: the name of the folder is that of the model: letters, digits and underscores.')


def chosen_members(potential: Potential, member: int | None) -> Ensemble:
    """Return the ensemble, or one member of it.

    :raises AnialError: if the potential is of another kind or has no such member.
    """
    if not isinstance(potential, Ensemble):
        raise AnialError(f'LAMMPS and KIM take potentials of kind ani, not {potential.model.kind!r}.')
    if member is None:
        return potential
    if not 1 <= member <= potential.n_members:
        raise AnialError(f'--member: {member} is not from 1 to {potential.n_members}.')
    return potential.member(member - 1)


def _write_sources(folder: Path, ensemble: Ensemble, *, program: str, name: str) -> None:
    """Copy the sources, with the values of this ensemble in those that have any."""
    element = ensemble.model.element
    values = {
        'name': name,
        'element': element,
        'mass': f'{atomic_masses[atomic_numbers[element]]:.7g}',
        'n_members': ensemble.n_members,
        'disagreement': ensemble.n_members + 1,
        'cutoff': f'{ensemble.model.cutoff_angstrom:g}',
    }
    for source in (_SOURCES / 'anial.hpp', *(_SOURCES / program).iterdir()):
        text = source.read_text()
        if source.name.endswith(_TEMPLATES) or source.name.startswith('in.'):
            text = Template(text).substitute(values)
        (folder / source.name).write_text(text)
