"""``aiida-anial export`` and ``aiida-anial whence``: write files from the graph, and find the origin of a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from ase import units

from aiida_anial.cli.completion import complete_ensembles
from aiida_anial.cli.pager import paged
from aiida_anial.cli.parameters import examples, json_option, print_json
from aiida_anial.cli.profile import in_profile, profile_option
from aiida_anial.cli.progress import working
from aiida_anial.cli.query import filter_options, selection
from aiida_anial.common.errors import AnialError, one_line
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.formats.datasets import DATASET_FORMATS
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS
from aiida_anial.formats.files import check_target, replaced
from aiida_anial.formats.trajectories import TRAJECTORY_FORMATS
from aiida_anial.queries.kinds import KINDS
from aiida_anial.worker.export import build_and_tell, kernel_options, lmp_option, tell_how_to_install

__all__ = ('command', 'whence')


_distilled_option = click.option(
    '--distilled', is_flag=True, help='What `aiida-anial distil` made of the ensemble, instead of the ensemble.'
)


@click.group('export')
def command() -> None:
    """Write labels, trajectories and ensembles to files; each export is a stored process that `whence` finds."""


def _dataset(path: Path, file_format: str | None, *, as_json: bool, **options: Any) -> None:
    from aiida import orm

    from aiida_anial.calcfunctions.export_dataset import export_dataset
    from aiida_anial.queries.records import chosen_labels
    from aiida_anial.runtime.interruption import all_or_nothing

    file_format = _format_of(path, file_format, DATASET_FORMATS)
    check_target(path)
    shards, rows = chosen_labels(**selection(KINDS['labels'], options))
    settings: dict[str, Any] = {'file_format': file_format, 'filename': path.name, 'filters': _given(options)}
    if rows is not None:
        settings['rows'] = rows
    _tell_mixed(path, [shard.level_of_theory for shard in shards.values()])
    with working(f'writing {path}'), all_or_nothing() as note:
        node = export_dataset(settings=note(orm.Dict(settings)), **shards)
        _copy(node, path)
    n_labels = node.base.attributes.get('n_configurations')
    _tell(path, node, f'{n_labels} labels of {len(shards)} shards', as_json=as_json)


def _tell_mixed(path: Path, theories: Iterable[LevelOfTheory | None]) -> None:
    """Say that labels have several levels of theory."""
    first, *others = dict.fromkeys(theories)
    for other in others:
        differences = first.differences(other) if first and other else ['that one of them is unknown']
        if differences:
            click.echo(
                f'{path}: labels of several levels of theory, which must not be trained on together as they are; they '
                f'differ in {", ".join(differences)}. Each label names its own; --code and others choose.',
                err=True,
            )
            return


def _trajectories(folder: Path, file_format: str, *, as_json: bool, **options: Any) -> None:
    from aiida import orm

    from aiida_anial.calcfunctions.export_trajectories import export_trajectories
    from aiida_anial.queries.records import records
    from aiida_anial.runtime.interruption import all_or_nothing

    check_target(folder)
    rows = records('trajectories', **selection(KINDS['trajectories'], options))
    if not rows:
        raise AnialError('filters: no trajectory matches.')
    nodes: dict[str, Any] = {f'trajectory_{number:05d}': orm.load_node(row['pk']) for number, row in enumerate(rows)}
    settings = {'file_format': file_format, 'filters': _given(options)}
    with working(f'writing {len(nodes)} trajectories to {folder}'), all_or_nothing() as note:
        node = export_trajectories(settings=note(orm.Dict(settings)), **nodes)
        _copy(node, folder)
    _tell(folder, node, f'{len(nodes)} trajectories', as_json=as_json)


def _tell(path: Path, node: Any, what: str, *, as_json: bool) -> None:
    """Say what was written, and by which process."""
    process = node.creator
    if as_json:
        print_json({'path': str(path), 'process': process.process_label, 'pk': process.pk, 'uuid': process.uuid})
    else:
        click.echo(f'{path}: {what}, by {process.process_label}<{process.pk}>')


@command.command(
    'ensemble',
    epilog=examples(
        'export ensemble 2126 aluminium.pt --format torchscript', 'export ensemble 2126 neurochem --format neurochem'
    ),
)
@click.argument('pk', shell_complete=complete_ensembles)
@click.argument('path', type=click.Path(path_type=Path))
@click.option('--format', 'file_format', type=click.Choice(list(ENSEMBLE_FORMATS)), required=True)
@_distilled_option
@json_option
@profile_option()
def ensemble(pk: str, path: Path, file_format: str, *, distilled: bool, as_json: bool) -> None:
    """Write the networks of the ensemble PK (or UUID) to PATH for torchani, TorchScript or NeuroChem."""
    from aiida import orm

    from aiida_anial.calcfunctions.export_ensemble import export_ensemble
    from aiida_anial.runtime.interruption import all_or_nothing

    _format_of(path, file_format, ENSEMBLE_FORMATS)
    found = _ensemble(pk, 'PK', distilled=distilled)
    check_target(path)
    with all_or_nothing() as note:
        settings = note(orm.Dict({'file_format': file_format, 'filename': path.name}))
        node: Any = export_ensemble(settings=settings, ensemble=found)
        _copy(node, path)
    _tell(path, node, f'{found.ensemble.model.n_members} networks', as_json=as_json)


def _ensemble(identifier: str, option: str, *, distilled: bool) -> Any:
    """Return the node of an ensemble, or of what was distilled from it."""
    from aiida_anial.data.nodes import loaded_ensemble
    from aiida_anial.queries.distillations import distilled_from

    found = loaded_ensemble(identifier, option)
    return distilled_from(found) if distilled else found


@command.command('lammps', epilog=examples('export lammps 2126 aluminium', 'export lammps 2126 fast --distilled'))
@click.argument('identifier', metavar='ENSEMBLE', shell_complete=complete_ensembles)
@click.argument('folder', type=click.Path(path_type=Path), metavar='DIR')
@lmp_option
@kernel_options
@_distilled_option
@json_option
@profile_option()
def lammps(identifier: str, folder: Path, lmp: Path | None, *, as_json: bool, **options: Any) -> None:
    """Write an ensemble (pk or UUID) as a plugin of LAMMPS into the new folder DIR, and build it."""
    _sources(identifier, folder, program='lammps', as_json=as_json, **options)
    build_and_tell(folder, lmp, err=as_json)


@command.command('kim', epilog=examples('export kim 2126 Al_laptop --cpu avx2'))
@click.argument('identifier', metavar='ENSEMBLE', shell_complete=complete_ensembles)
@click.argument('folder', type=click.Path(path_type=Path), metavar='DIR')
@kernel_options
@_distilled_option
@json_option
@profile_option()
def kim(identifier: str, folder: Path, *, as_json: bool, **options: Any) -> None:
    """Write an ensemble (pk or UUID) as a model of OpenKIM, called like the new folder DIR."""
    _sources(identifier, folder, program='kim', as_json=as_json, **options)
    tell_how_to_install(folder, err=as_json)


def _sources(identifier: str, folder: Path, *, program: str, distilled: bool, as_json: bool, **options: Any) -> None:
    """Write the sources of an ensemble for a program."""
    from aiida import orm

    from aiida_anial.calcfunctions.export_sources import export_sources
    from aiida_anial.interfaces.folder import check_folder, chosen_members
    from aiida_anial.runtime.interruption import all_or_nothing

    found = _ensemble(identifier, 'ENSEMBLE', distilled=distilled)
    check_target(folder)
    check_folder(folder, program)
    n_members = chosen_members(found.ensemble, options['member']).n_members
    given = {name: value for name, value in options.items() if value is not None}
    with all_or_nothing() as note:
        settings = note(orm.Dict({'program': program, 'filename': folder.name, **given}))
        node: Any = export_sources(settings=settings, ensemble=found)
        _copy(node, folder)
    _tell(folder, node, f'{n_members} networks', as_json=as_json)


def _format_of(path: Path, given: str | None, formats: Mapping[str, Any]) -> str:
    """Return the format of a file.

    :param given: the format that the user names, or None.
    :raises AnialError: if the suffix of the file says nothing, or is that of another format than the given one.
    """
    # The last part of a suffix: a torchani state may be called .safetensors, too.
    endings = {name: Path(f'x{known.suffix}').suffix for name, known in formats.items()}
    meant = [name for name, ending in endings.items() if ending == path.suffix != '']
    if given is None:
        if not meant:
            known = ' or '.join(filter(None, endings.values()))
            raise AnialError(f'--format: {path.name!r} does not end in {known}; name the format.')
        return meant[0]
    if meant and given not in meant:
        raise AnialError(f'--format: {path.name!r} is the name of a file of {meant[0]}, not of {given}.')
    return given


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters as the user wrote them, for the header of the file."""
    given = {name.removeprefix('where_'): text for name, text in options.items() if name.startswith('where_') and text}
    return given | ({'campaigns': list(options['campaigns'])} if options['campaigns'] else {})


def _copy(node: Any, path: Path) -> None:
    """Copy the file or folder stored in a node to ``path``."""
    from aiida import orm

    if isinstance(node, orm.SinglefileData):
        with replaced(path) as temporary, node.open(mode='rb') as stored, temporary.open('wb') as copy:
            shutil.copyfileobj(stored, copy)
    else:
        with TemporaryDirectory(prefix=f'.{path.name}-', dir=path.absolute().parent) as beside:
            node.base.repository.copy_tree(Path(beside) / path.name)
            (Path(beside) / path.name).rename(path)


def _add(made: click.Command, kind: str) -> None:
    """Add a subcommand with the options that filter records of a kind."""
    made.params += filter_options(KINDS[kind])
    command.add_command(profile_option()(json_option(made)))


_add(
    click.Command(
        'dataset',
        callback=_dataset,
        help='Write the labels that match all filters to the file PATH, for ASE, MACE, NequIP or torchani.',
        epilog=examples('export dataset labels.extxyz --campaign 31 --iteration 1..'),
        params=[
            click.Argument(['path'], type=click.Path(path_type=Path)),
            click.Option(
                ['--format', 'file_format'],
                type=click.Choice(list(DATASET_FORMATS)),
                help='By default taken from the suffix .extxyz, .h5 or .db.',
            ),
        ],
    ),
    'labels',
)
_add(
    click.Command(
        'trajectories',
        callback=_trajectories,
        help='Write the trajectories that match all filters to the new folder FOLDER, one file each.',
        epilog=examples('export trajectories folder --campaign 31 --stop-reason energy_disagreement'),
        params=[
            click.Argument(['folder'], type=click.Path(path_type=Path)),
            click.Option(
                ['--format', 'file_format'],
                type=click.Choice(list(TRAJECTORY_FORMATS)),
                default='extxyz',
                show_default=True,
            ),
        ],
    ),
    'trajectories',
)


@click.command('whence', epilog=examples('whence labels.extxyz'))
@click.argument('path', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@profile_option()
def whence(path: Path, as_json: bool) -> None:
    """Find the export of this profile that wrote the file PATH, and its inputs.

    If there is none, a dataset is compared with the labels of this profile.
    """
    from aiida_anial.queries.exports import origin_of

    found = origin_of(path)
    with paged():
        if as_json:
            print_json(found)
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
    click.echo(in_profile(f'  to write it again and compare: `aiida-anial reproduce {export["pk"]}`'))


def _print_known(path: Path, found: dict[str, Any]) -> None:
    n_known, n_all = found['n_known'], found['n_configurations']
    counts = f'{n_known} of {n_all} configurations are labels of this profile'
    if n_known:
        counts += f', {found["n_same"]} with the same energy, forces and stress'
    if (most := found['largest_differences']) is not None:
        counts += (
            f'; the others differ by up to {most["energy_ev"]:.3g} eV, {most["force_ev_per_angstrom"]:.3g} eV/Å and '
            f'{most["stress_ev_per_angstrom3"] / units.GPa:.3g} GPa'
        )
    click.echo(one_line(f'{path}: no export of this profile wrote these bytes; {counts}'))
    for shard in found['shards']:
        where = f'<{shard["pk"]}>' if shard['pk'] else 'not in this profile'
        click.echo(f'  its header names the shard {one_line(shard["uuid"])}: {where}')
