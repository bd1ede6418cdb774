"""An ensemble as a plugin of LAMMPS: ``write_lammps``."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from ase.data import atomic_masses, atomic_numbers

from aiida_anial.common.errors import AnialError
from aiida_anial.interfaces.object_file import write_object
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.potential import Potential, write_potential

__all__ = ('build_plugin', 'chosen_members', 'write_lammps')

_SOURCES: Final = resources.files('aiida_anial.interfaces') / 'sources'
_EXECUTABLE: Final = ('build.sh', 'run.sh')


def write_lammps(
    folder: Path, potential: Potential, *, member: int | None = None, dtype: str = 'float32', processor: str = 'host'
) -> None:
    """Write what LAMMPS needs to run an ensemble into a new folder; ``build_plugin`` builds it.

    :param member: the member to write alone, counted from 1; all of them if left out.
    :param dtype: precision of the kernels.
    :param processor: one of ``PROCESSORS``.
    :raises AnialError: if the potential is of another kind, has no such member, or the folder exists or cannot be
        written.
    """
    ensemble = chosen_members(potential, member)
    if folder.exists():
        raise AnialError(f'{folder}: already exists; give the name of a new folder.')
    temporary = folder.with_name(folder.name + '.part')
    try:
        temporary.mkdir()
        write_object(ensemble, temporary, dtype=dtype, processor=processor)
        write_potential(temporary / 'ensemble.safetensors', ensemble)
        _write_sources(temporary, ensemble)
        temporary.rename(folder)
    except OSError as exception:
        raise AnialError(f'{folder}: cannot be written ({exception.strerror or exception}).') from exception
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def build_plugin(folder: Path, lmp: Path | None = None) -> str:
    """Build the plugin for a LAMMPS, and return a sentence that names it.

    :param lmp: executable of LAMMPS; by default that on the ``PATH``.
    :raises AnialError: if there is no LAMMPS, compiler or header; the message says what to install.
    """
    for name in _EXECUTABLE:
        # Nodes do not keep these bits.
        (folder / name).chmod(0o755)
    command = [folder / 'build.sh', *([] if lmp is None else [lmp.absolute()])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a list, no shell
    lines = (result.stdout + result.stderr).strip().splitlines()
    said = [line.removeprefix('build.sh: ') for line in lines if line.startswith('build.sh: ')]
    if result.returncode:
        raise AnialError(said[-1] if said else f'{folder / "build.sh"} ended with status {result.returncode}.')
    return said[-1]


def chosen_members(potential: Potential, member: int | None) -> Ensemble:
    """Return the ensemble, or one member of it.

    :raises AnialError: if the potential is of another kind or has no such member.
    """
    if not isinstance(potential, Ensemble):
        raise AnialError(f'LAMMPS: it takes potentials of kind ani, not {potential.model.kind!r}.')
    if member is None:
        return potential
    if not 1 <= member <= potential.n_members:
        raise AnialError(f'--member: {member} is not from 1 to {potential.n_members}.')
    return potential.member(member - 1)


def _write_sources(folder: Path, ensemble: Ensemble) -> None:
    """Copy the sources, with the values of this ensemble in those that have any."""
    element = ensemble.model.element
    values = {
        'element': element,
        'mass': f'{atomic_masses[atomic_numbers[element]]:.7g}',
        'n_members': ensemble.n_members,
        'disagreement': ensemble.n_members + 1,
        'cutoff': f'{ensemble.model.cutoff_angstrom:g}',
    }
    for source in (_SOURCES / 'anial.hpp', *(_SOURCES / 'lammps').iterdir()):
        text = source.read_text()
        if source.name.startswith(('in.', 'potential.in', 'README')):
            text = Template(text).substitute(values)
        (folder / source.name).write_text(text)
