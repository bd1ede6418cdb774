"""``aiida-anial import-model``."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_anial.cli.root import profile_option
from aiida_anial.common.errors import AnialError, one_line

__all__ = ('command',)


@click.command('import-model')
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--label', default='', help='Label of the node.')
@profile_option()
def command(path: Path, label: str) -> None:
    """Store the ensemble at PATH: a folder of NeuroChem files, or a safetensors file of this package."""
    from aiida_anial.data.ensemble import EnsembleData
    from aiida_anial.potential.neurochem import read_neurochem
    from aiida_anial.potential.potential import read_potential

    ensemble = read_neurochem(path) if path.is_dir() else read_potential(path)
    if ensemble.model.element != 'Al':
        raise AnialError(one_line(f'{path}: it is a model of {ensemble.model.element}; only Al is supported.'))
    node = EnsembleData(ensemble)
    node.label = label
    node.store()
    click.echo(f'Stored ensemble {node.pk}: {ensemble.model.n_members} members of kind {ensemble.model.kind}')
