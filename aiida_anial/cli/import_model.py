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

    if path.is_dir():
        from aiida_anial.potential.neurochem import read_neurochem

        ensemble = read_neurochem(path)
    else:
        from aiida_anial.potential.ensemble import read_ensemble

        ensemble = read_ensemble(path)
    if ensemble.model.element != 'Al':
        raise AnialError(one_line(f'{path}: it is a model of {ensemble.model.element}; only Al is supported.'))
    node = EnsembleData(ensemble)
    node.label = label
    node.store()
    click.echo(
        f'Stored ensemble {node.pk}: {ensemble.n_members} members, {ensemble.model.descriptor.n_features} features'
    )
