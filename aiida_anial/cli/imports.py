"""``aiida-anial import`` and ``aiida-anial import-model``: store labels and potentials from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from aiida_anial.cli.completion import complete_campaigns
from aiida_anial.cli.parameters import FiniteRange, examples, json_option, print_json
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.progress import working
from aiida_anial.common.errors import AnialError, one_line
from aiida_anial.formats.datasets import DATASET_FORMATS, read_dataset

__all__ = ('command', 'model')

_ENERGY_UNITS = ('eV', 'hartree', 'Ry')

_campaign = click.option(
    '--campaign',
    help='Refuse labels whose level of theory differs from that of this campaign.',
    shell_complete=complete_campaigns,
)
_mix = click.option('--mix-theory', is_flag=True, help='Accept labels of different levels of theory.')
_max_force = click.option(
    '--max-force',
    type=FiniteRange(min=0, max=1e6, min_open=True),
    default=50.0,
    show_default=True,
    help='Reject a label with a larger force on an atom as unphysical, eV/angstrom.',
)


@click.group('import')
def command() -> None:
    """Store labels from elsewhere as shards, which `submit --dataset` adds to a campaign."""


@command.command('dataset', epilog=examples('import dataset theirs.extxyz --level-of-theory theory.yaml --campaign 31'))
@click.argument('path', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    '--format', 'file_format', type=click.Choice(list(DATASET_FORMATS)), help='By default detected from the file.'
)
@click.option('--energy-unit', type=click.Choice(_ENERGY_UNITS), help='Energy unit, if the file does not state it.')
@click.option('--trust-units', is_flag=True, help='Skip the check of units and signs against a rough potential.')
@click.option(
    '--level-of-theory',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='YAML file for a dataset that does not state it: code, version, functional, ecutwfc_ry, kpoints_mesh, ...',
)
@_campaign
@_mix
@_max_force
@json_option
@profile_option()
def dataset(**options: Any) -> None:
    """Store the labels in the file PATH: extended XYZ, HDF5 in the ANI layout, an ASE database, or Parquet."""
    from aiida import orm

    from aiida_anial.calcfunctions.import_dataset import import_dataset
    from aiida_anial.cli.preflight import check_disk
    from aiida_anial.data.validation import CAMPAIGN_ELEMENTS
    from aiida_anial.formats.files import check_name
    from aiida_anial.runtime.interruption import all_or_nothing

    if options['mix_theory'] and options['campaign'] is None:
        raise AnialError('--mix-theory: there is nothing to mix without --campaign.')
    check_disk()
    reading = {key: options[key] for key in ('file_format', 'energy_unit', 'trust_units')}
    check_name(options['path'].name)
    found = read_dataset(options['path'], **reading, elements=CAMPAIGN_ELEMENTS)
    theories = _theories(found, options)
    _check_sound(found, options)
    _tell_known(found)
    with working(f'storing the labels of {options["path"]}'), all_or_nothing() as note:
        file = note(orm.SinglefileData(options['path'].absolute()))
        imported = [
            import_dataset(settings=note(orm.Dict(_settings(level, theory, reading, options))), file=file)
            for level, theory in theories.items()
        ]
    _report(imported, as_json=options['as_json'])


def _settings(level: str, theory: Any, reading: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the import of the labels of one level of theory."""
    return {
        **reading,
        'level': level,
        'level_of_theory': theory.to_dict(),
        'max_force_ev_per_angstrom': options['max_force'],
    }


@command.command('calculations', epilog=examples('import calculations 801 805 809'))
@click.argument('pks', nargs=-1, required=True)
@_campaign
@_mix
@_max_force
@json_option
@profile_option()
def calculations(pks: tuple[str, ...], **options: Any) -> None:
    """Store the finished pw.x calculations PKS (or UUIDs) as labels."""
    from aiida import orm

    from aiida_anial.calcfunctions.import_calculations import import_calculations
    from aiida_anial.cli.preflight import check_disk
    from aiida_anial.data.pw_outputs import pw_level_of_theory
    from aiida_anial.runtime.interruption import all_or_nothing

    check_disk()
    jobs = [_finished_pw(pk) for pk in dict.fromkeys(pks)]
    rule = _mesh_rule(jobs, options)
    theories = {f'calculation {job.pk}': pw_level_of_theory(job.outputs.output_parameters, **rule) for job in jobs}
    first = next(iter(theories))
    for name, theory in theories.items():
        _check_theory(theory, {first: theories[first]}, name, options)
    _check_campaign(theories[first], first, options)
    by_name = {f'pw_{job.pk:08d}': job for job in jobs}
    with working(f'storing the labels of {len(jobs)} calculations'), all_or_nothing() as note:
        outputs = import_calculations(
            settings=note(orm.Dict({'max_force_ev_per_angstrom': options['max_force'], **rule})),
            cells={name: job.inputs.structure for name, job in by_name.items()},
            parameters={name: job.outputs.output_parameters for name, job in by_name.items()},
            trajectories={name: job.outputs.output_trajectory for name, job in by_name.items()},
        )
    _report([outputs], as_json=options['as_json'])


def _mesh_rule(jobs: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the campaign's rule for k-points, if the meshes of all calculations follow it; otherwise nothing."""
    from aiida import orm

    from aiida_anial.calcfunctions.make_meshes import mesh_for
    from aiida_anial.data.pw_outputs import pw_kpoints
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.queries.graph import campaign_theories

    if options['campaign'] is None:
        return {}
    meshes = [(job.inputs.structure, pw_kpoints(job.outputs.output_parameters)) for job in jobs]

    def all_follow(distance: Any, parity: Any, density: Any) -> bool:
        return all('x'.join(map(str, mesh_for(cell, distance, parity, density))) == mesh for cell, mesh in meshes)

    for theory in campaign_theories(load_campaign(options['campaign'], '--campaign')).values():
        density, distance = theory.kpoints_per_reciprocal_atom, theory.kpoints_distance_per_angstrom
        if density is not None and all_follow(None, None, orm.Int(density)):
            return {'kpoints_density': density}
        if distance is not None:
            given = orm.Float(distance)
            if any(all_follow(given, orm.Bool(parity), None) for parity in (False, True)):
                return {'kpoints_distance': distance}
    return {}


def _finished_pw(identifier: str) -> Any:
    """Return the pw.x calculation ``identifier``, from which a label can be made.

    :raises AnialError: if it is not a pw.x calculation, did not succeed, or has no forces, no stress, another
        element or a left-handed cell.
    """
    import numpy as np
    from aiida import orm

    from aiida_anial.data.nodes import loaded

    node = loaded(identifier, 'PKS')
    if getattr(node, 'process_label', None) == 'PwBaseWorkChain':
        jobs: list[Any] = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
        node = max(jobs, key=lambda child: child.pk, default=node)
    if getattr(node, 'process_label', None) != 'PwCalculation':
        raise AnialError(f'PKS: node {identifier} is a {_kind(node)}, not a PwCalculation.')
    if not node.is_finished_ok:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> did not succeed (exit status {node.exit_status}).')
    others = sorted(set(node.inputs.structure.get_symbols_set()) - {'Al'})
    if others:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> contains {others[0]}; only Al is supported.')
    if np.linalg.det(node.inputs.structure.cell) <= 0:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> has a left-handed cell; swap two of its vectors.')
    arrays = node.outputs.output_trajectory.get_arraynames() if 'output_trajectory' in node.outputs else ()
    for name in ('forces', 'stress'):
        if name not in arrays:
            raise AnialError(f'PKS: PwCalculation<{node.pk}> has no {name}; a label needs energy, forces and stress.')
    return node


def _kind(node: Any) -> str:
    return getattr(node, 'process_label', None) or type(node).__name__


def _theories(found: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the levels of theory of the labels in a file, by their keys in it."""
    from aiida_anial.common.level_of_theory import LevelOfTheory
    from aiida_anial.protocols.protocol import read_overrides

    known = found.header.get('levels_of_theory', {})
    path = options['level_of_theory']
    given = LevelOfTheory.parse(read_overrides(path), where='level_of_theory') if path else None
    theories = {}
    for level in dict.fromkeys(found.levels):
        values = known.get(level)
        if values is None and given is None:
            raise AnialError(
                f'--level-of-theory: {options["path"]} does not state the level of theory of its labels; '
                'describe it in a YAML file.'
            )
        theory = LevelOfTheory.parse(values, where='level_of_theory') if values else given
        assert theory is not None
        theories[level] = theory
        if given is not None and (differences := given.differences(theory)):
            raise AnialError(
                one_line(f'--level-of-theory: {options["path"]} states its own, with {", ".join(differences)} there.')
            )
        _check_campaign(theories[level], str(options['path']), options)
    return theories


def _check_campaign(theory: Any, name: str, options: dict[str, Any]) -> None:
    if options['campaign'] is None:
        return
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.queries.graph import campaign_theories

    _check_theory(theory, campaign_theories(load_campaign(options['campaign'], '--campaign')), name, options)


def _check_theory(theory: Any, others: dict[str, Any], name: str, options: dict[str, Any]) -> None:
    """Refuse labels of different levels of theory unless ``--mix-theory`` is given."""
    for other_name, other in others.items():
        if not options['mix_theory'] and (differences := theory.differences(other)):
            raise AnialError(
                one_line(
                    f'--mix-theory: {name} and {other_name} differ in {", ".join(differences)}; '
                    'give this option to mix such labels.'
                )
            )


def _tell_known(found: Any) -> None:
    """Say which configurations of a file are labels of this profile already."""
    from aiida_anial.queries.exports import known_hashes

    known = known_hashes(found.hashes)
    if number := sum(content in known for content in found.hashes):
        click.echo(
            f'{number} of {len(found)} configurations are labels of this profile already; a training takes each once.',
            err=True,
        )


def _check_sound(found: Any, options: dict[str, Any]) -> None:
    """Refuse a file without any valid label, before anything is stored."""
    from aiida_anial.calcfunctions.import_dataset import labels_of_level

    faults: dict[str, str] = {}
    for level in dict.fromkeys(found.levels):
        for name, label in labels_of_level(found, level).items():
            if (fault := label.fault(max_force=options['max_force'])) is None:
                return
            faults[name] = fault
    first = next(iter(faults))
    raise AnialError(one_line(f'{options["path"]}: no label is valid; {first}: {faults[first]}.'))


def _report(imported: Sequence[Any], *, as_json: bool) -> None:
    """Print the shards of imports, and the labels that were rejected.

    :raises AnialError: if an import has no valid label.
    """
    rejected = {name: why for outputs in imported for name, why in outputs['rejected'].get_dict().items()}
    shards = [outputs['dataset'] for outputs in imported if 'dataset' in outputs]
    for name, why in rejected.items():
        click.echo(f'{name} rejected: {why}', err=True)
    if as_json:
        stored = [{'pk': one.pk, 'uuid': one.uuid, 'n_configurations': one.n_configurations} for one in shards]
        print_json({'shards': stored, 'rejected': rejected})
    else:
        for one in shards:
            click.echo(f'Stored shard {one.pk}: {one.n_configurations} labels; add it with: submit --dataset {one.pk}')
    if len(shards) < len(imported):
        raise AnialError('no label is valid; only the failed import was stored.')


@click.command('import-model', epilog=examples('import-model model-Al-75 --label ANI-Al'))
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--label', default='', help='Label of the node.')
@json_option
@profile_option()
def model(path: Path, *, label: str, as_json: bool) -> None:
    """Store the ensemble at PATH: a folder of NeuroChem files, or a safetensors file of this package."""
    from aiida_anial.cli.preflight import check_disk
    from aiida_anial.data.ensemble import EnsembleData
    from aiida_anial.potential.neurochem import read_neurochem
    from aiida_anial.potential.potential import read_potential

    check_disk()
    ensemble = read_neurochem(path) if path.is_dir() else read_potential(path)
    if ensemble.model.element != 'Al':
        raise AnialError(one_line(f'{path}: it is a model of {ensemble.model.element}; only Al is supported.'))
    node = EnsembleData(ensemble)
    node.label = label
    node.store()
    if as_json:
        print_json({'pk': node.pk, 'uuid': node.uuid, 'n_members': ensemble.model.n_members})
        return
    click.echo(f'Stored ensemble {node.pk}: {ensemble.model.n_members} members of kind {ensemble.model.kind}')
