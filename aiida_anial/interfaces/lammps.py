"""The plugin of LAMMPS, built: ``build_plugin``."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from aiida_anial.common.errors import AnialError

__all__ = ('build_plugin',)

_SCRIPTS: Final = ('build.sh', 'run.sh')


def build_plugin(folder: Path, lmp: Path | None = None) -> str:
    """Build the plugin in a folder that ``write_folder`` wrote, and return a sentence that names its LAMMPS.

    :param lmp: executable of LAMMPS; by default that on the ``PATH``.
    :raises AnialError: if there is no LAMMPS, compiler or header; the message says what to install.
    """
    for name in _SCRIPTS:
        # Nodes do not keep these bits.
        (folder / name).chmod(0o755)
    command = [folder / 'build.sh', *([] if lmp is None else [lmp.absolute()])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a list, no shell
    lines = (result.stdout + result.stderr).strip().splitlines()
    said = [line.removeprefix('build.sh: ') for line in lines if line.startswith('build.sh: ')]
    if result.returncode:
        raise AnialError(said[-1] if said else f'{folder / "build.sh"} ended with status {result.returncode}.')
    return said[-1]
