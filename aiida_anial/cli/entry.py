"""The program ``aiida-anial``: it starts the command line, and leaves no trace of one that found no profile."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiida_anial.common.errors import one_line

__all__ = ('main',)

# What AiiDA calls its folder, wherever it is.
_FOLDER: Final = '.aiida'
_CONFIGURATION: Final = 'config.json'
# The variable by which the shell asks click for completions, and the exit status of a command that was interrupted,
# repeated here because the modules that have them are slow to import.
_COMPLETE: Final = '_AIIDA_ANIAL_COMPLETE'
_INTERRUPTED: Final = 130


def main() -> None:
    """Run the command of the command line, and exit."""
    if _COMPLETE in os.environ:
        # Whatever goes wrong, the line that is being completed stays as it is.
        sys.stderr = Path(os.devnull).open('w', encoding='utf-8')  # noqa: SIM115 - until the program ends
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run()
    except KeyboardInterrupt:
        # The import alone takes a second.
        sys.exit(_INTERRUPTED)


def _run() -> None:
    absent = [folder for folder in _folders() if not folder.exists()]
    # On import, AiiDA makes its folder, and warns that it does.
    warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')
    try:
        from aiida_anial.cli.root import main as group
    except Exception as exception:
        # Importing the class would fail, too.
        if type(exception).__name__ != 'ConfigurationError' and not isinstance(exception, OSError):
            raise
        sys.exit(one_line(f'Error: AIIDA_PATH: AiiDA cannot use this folder: {exception}; choose one to write to.'))
    try:
        group()
    finally:
        for folder in absent:
            _remove_unused(folder)


def _folders() -> list[Path]:
    """Return the folders that AiiDA may use, from the environment as AiiDA reads it."""
    paths = [Path(path) for path in os.environ.get('AIIDA_PATH', '').split(':') if path] or [Path('~')]
    return [path.expanduser() / ('' if path.name == _FOLDER else _FOLDER) for path in paths]


def _remove_unused(folder: Path) -> None:
    """Remove a folder of AiiDA that has no configuration, unless there are files in it."""
    if not folder.is_dir() or (folder / _CONFIGURATION).exists():
        return
    # The deepest first; a folder with content stays, and so do those that it is in.
    for path in sorted([folder, *folder.rglob('*')], key=lambda path: -len(path.parts)):
        with suppress(OSError):
            path.rmdir()
