"""``anial-worker export``: potentials for other programs, without AiiDA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from aiida_anial.common.errors import AnialError
from aiida_anial.common.examples import example_lines
from aiida_anial.interfaces.processors import PROCESSORS

__all__ = ('build_and_tell', 'command', 'kernel_options', 'lmp_option', 'tell_how_to_install')

Function = TypeVar('Function', bound=Callable[..., Any])

lmp_option = click.option(
    '--lmp',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Executable of LAMMPS to build for; by default lmp on the PATH.',
)


def kernel_options(function: Function) -> Function:
    """Add the options of compiled kernels to a command."""
    for option in (
        click.option(
            '--cpu',
            'processor',
            type=click.Choice(PROCESSORS),
            default='host',
            show_default=True,
            help='Processor that the program will run on.',
        ),
        click.option(
            '--dtype',
            type=click.Choice(('float32', 'float64')),
            default='float32',
            show_default=True,
            help='Precision; float64 takes twice the time.',
        ),
        click.option('--member', type=click.IntRange(min=1), help='Only this member; by default all of them.'),
    ):
        function = option(function)
    return function


def build_and_tell(folder: Path, lmp: Path | None, *, err: bool = False) -> None:
    """Build the plugin of LAMMPS in a folder where that is possible, and say what to do next.

    :param err: say it on the standard error.
    """
    from aiida_anial.interfaces.lammps import build_plugin

    try:
        click.echo(f'{folder}: {build_plugin(folder, lmp)}; try `{folder}/run.sh {folder}/in.crystal`', err=err)
    except AnialError as exception:
        click.echo(f'{folder}: written, but not built: {exception}', err=True)


def tell_how_to_install(folder: Path, *, err: bool = False) -> None:
    """Say how a model of OpenKIM is built and installed.

    :param err: say it on the standard error.
    """
    click.echo(f'{folder}: written; install it with `kim-api-collections-management install user {folder}`', err=err)


@click.group('export')
def command() -> None:
    """Write potentials for other programs.

    MODEL is a .safetensors file of this package, a NeuroChem folder, or a potential of the package.
    """


@command.command(epilog=example_lines('anial-worker', 'export lammps Al-laptop aluminium'))
@click.argument('model', type=click.Path(path_type=Path))
@click.argument('folder', type=click.Path(path_type=Path), metavar='DIR')
@lmp_option
@kernel_options
def lammps(model: Path, folder: Path, lmp: Path | None, **options: Any) -> None:
    """Write the ensemble MODEL as a plugin of LAMMPS into the new folder DIR, and build it."""
    _write(model, folder, program='lammps', **options)
    build_and_tell(folder, lmp)


@command.command(epilog=example_lines('anial-worker', 'export kim Al-laptop Al_laptop --cpu avx2'))
@click.argument('model', type=click.Path(path_type=Path))
@click.argument('folder', type=click.Path(path_type=Path), metavar='DIR')
@kernel_options
def kim(model: Path, folder: Path, **options: Any) -> None:
    """Write the ensemble MODEL as a model of OpenKIM, called like the new folder DIR."""
    _write(model, folder, program='kim', **options)
    tell_how_to_install(folder)


def _write(model: Path, folder: Path, **options: Any) -> None:
    from aiida_anial.interfaces.folder import write_folder
    from aiida_anial.potential.source import open_potential

    try:
        write_folder(folder, open_potential(model).calculator.potential, **options)
    except AnialError as exception:
        raise click.ClickException(str(exception)) from exception
