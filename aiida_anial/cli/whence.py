"""``aiida-anial whence``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.root import profile_option
from aiida_anial.common.errors import one_line

__all__ = ('command',)


@click.command('whence')
@click.argument('path', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON object.')
@profile_option()
def command(path: Path, as_json: bool) -> None:
    """Find the export of this profile that wrote the file PATH, and its inputs.

    If there is none, a dataset is compared with the labels of this profile.
    """
    from aiida_anial.queries.exports import whence

    found = whence(path)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for export in found['exports']:
        _print_export(path, export)
    if not found['exports']:
        _print_known(path, found)


def _print_export(path: Path, export: dict[str, Any]) -> None:
    filters = ', '.join(f'{name} {value}' for name, value in export['filters'].items()) or 'none'
    inputs = ', '.join(f'{name} <{pk}>' for name, pk in sorted(export['inputs'].items()))
    written = f'{export["process"]}<{export["pk"]}> ({export["uuid"]}), {export["time"]}'
    click.echo(one_line(f'{path}: unchanged, written by {written}'))
    click.echo(f'  filters: {one_line(filters)}')
    click.echo(f'  inputs: {inputs}')
    click.echo(f'  to write it again and compare: aiida-anial reproduce {export["pk"]}')


def _print_known(path: Path, found: dict[str, Any]) -> None:
    n_known, n_all = found['n_known'], found['n_configurations']
    counts = f'{n_known} of {n_all} configurations are labels of this profile'
    click.echo(one_line(f'{path}: no export of this profile wrote these bytes; {counts}'))
    for shard in found['shards']:
        where = f'<{shard["pk"]}>' if shard['pk'] else 'not in this profile'
        click.echo(f'  its header names the shard {one_line(shard["uuid"])}: {where}')
