"""Options of all commands that submit one process and print its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.completion import complete_codes

__all__ = ('no_wait_option', 'plots_option', 'settings_option', 'worker_code_option')

_FILE: Any = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER: Any = click.Path(file_okay=False, path_type=Path)

no_wait_option = click.option('--no-wait', is_flag=True, help='Submit, print the pk, and return.')
plots_option = click.option('--plots', type=_FOLDER, help='Folder for figures.')
settings_option = click.option('--settings', type=_FILE, help='YAML of overrides.')
worker_code_option = click.option(
    '--worker-code',
    default='anial-worker@localhost',
    show_default=True,
    help='Code of anial-worker.',
    shell_complete=complete_codes,
)
