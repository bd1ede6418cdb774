"""``aiida-anial shock``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from aiida_anial.cli.completion import complete_ensembles
from aiida_anial.cli.parameters import examples, json_option, print_json, refuse_together, wide_option
from aiida_anial.cli.process_options import no_wait_option, plots_option, settings_option
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.tables import Heading, print_table
from aiida_anial.cli.waiting import wait_for, why_incomplete
from aiida_anial.common.errors import AnialError
from aiida_anial.formats.files import check_target
from aiida_anial.shock.dislocations import check_ovito
from aiida_anial.shock.settings import SIZES, ShockSettings
from aiida_anial.shock.wave_input import FRAMES
from aiida_anial.worker.export import kernel_options

__all__ = ('command',)

# Of the ensemble of the paper, one core, benchmarks/results/lammps.json.
_ATOM_STEPS_PER_CORE_HOUR = 3600 * 38_000

_WAVES = (
    Heading('u_p\nkm/s', 'particle_velocity', 2),
    Heading('U_s\nkm/s', 'shock_velocity', 2),
    Heading('measured\nkm/s', 'measured_shock_velocity', 2),
    Heading('stress\nGPa', 'stress_along_wave', 1),
    Heading('by momentum\nGPa', 'stress_by_momentum_conservation', 1, 1),
    Heading('across\nGPa', 'stress_across_wave', 1, 2),
    Heading('density\ng/cm³', 'density', 3),
    Heading('by mass\ng/cm³', 'density_by_mass_conservation', 3, 1),
    Heading('T\nK', 'temperature', 0, 1),
    Heading('disagreement\neV/Å', 'force_disagreement', 3, 2),
    Heading('drift\nµeV/atom/ps', 'energy_drift', 1, 3),
)
_RADII = (
    Heading('radius\nÅ', 'radius_angstrom', 1),
    Heading('labels', 'n_labels'),
    Heading('MAE\neV/Å', 'mae_ev_per_angstrom', 3),
    Heading('RMSE\neV/Å', 'rmse_ev_per_angstrom', 3),
    Heading('mean force\neV/Å', 'mean_force_ev_per_angstrom', 3),
)


@click.command(
    'shock',
    epilog=examples(
        'shock Al-laptop --ranks 2',
        'shock 2126 --ranks 2 --dft --plots plots',
        'shock --size paper --input in.wave',
    ),
)
@click.argument('subject', metavar='[ENSEMBLE]', required=False, shell_complete=complete_ensembles)
@click.option('--size', type=click.Choice(tuple(SIZES)), default='quick', show_default=True, help='Crystal and time.')
@settings_option
@click.option('--seed', type=click.IntRange(min=0), default=1, show_default=True, help='Seed of velocities and draws.')
@click.option('--lmp-code', default='lmp@localhost', show_default=True, help='Code of LAMMPS.')
@click.option('--ranks', type=click.IntRange(min=1), default=1, show_default=True, help='MPI ranks of LAMMPS.')
@click.option(
    '--max-wallclock-seconds',
    type=click.IntRange(min=60),
    help='Time limit of a job of LAMMPS; a wave goes on in the next one.  [default: none]',
)
@click.option('--dft', is_flag=True, help='Label surroundings of atoms in the wave by pw.x.')
@click.option('--pw-code', default='pw@localhost', show_default=True, help='Code of pw.x, for --dft.')
@click.option(
    '--max-concurrent', type=click.IntRange(min=1), default=1, show_default=True, help='Jobs running at once.'
)
@kernel_options
@click.option('--input', 'file', type=click.Path(path_type=Path), help='Only write the input of LAMMPS to this file.')
@click.option('--dislocations', is_flag=True, help='Analyse dislocations in the last frames by OVITO.')
@json_option
@wide_option
@plots_option
@no_wait_option
@profile_option()
def command(**options: Any) -> None:
    """Run shock waves in LAMMPS, and print their Hugoniot points beside experiments.

    ENSEMBLE is a pk, a UUID, a file, a NeuroChem folder, or a potential of the package, such as Al-laptop. Given the
    pk of an earlier shock, the command prints that one again. A crystal runs into a resting piston (the reverse
    ballistic method); conservation of momentum and mass are printed as checks.
    """
    from aiida_anial.potential.packaged import find
    from aiida_anial.protocols.protocol import overridden
    from aiida_anial.queries.shocks import load_shock

    for name in ('as_json', 'plots', 'file', 'dislocations'):
        refuse_together(options, 'no_wait', name)
    if options['dislocations']:
        check_ovito()
    settings = overridden(SIZES[options['size']], options['settings'])
    if options['file'] is not None:
        _write_input(options['file'], settings, seed=options['seed'])
        return
    given = options['subject']
    if given is None:
        raise AnialError('ENSEMBLE: give an ensemble, or the pk of a shock.')
    node = load_shock(given) if find(given) is None else None
    if node is None:
        node = _submitted(options, settings)
        if options['no_wait']:
            click.echo(node.pk)
            return
        wait_for(node, 'shock')
    _print(node, options)


def _write_input(file: Path, settings: ShockSettings, *, seed: int) -> None:
    """Write the input of the first wave, and say what it costs."""
    from aiida_anial.shock.wave_input import wave_input

    check_target(file)
    wave, velocity = settings.wave, settings.particle_velocities_km_s[0]
    file.write_text(wave_input(wave, velocity, seed=seed), encoding='utf-8')
    steps = wave.n_equilibration_steps + wave.n_steps
    hours = wave.n_atoms * steps / _ATOM_STEPS_PER_CORE_HOUR
    click.echo(
        f'{file}: {wave.n_atoms:,} atoms, {steps:,} steps, u_p = {velocity:g} km/s: about {hours:,.1f} core hours for '
        'eight networks; run it with `run.sh` of a folder that `aiida-anial export lammps` wrote.'
    )


def _submitted(options: dict[str, Any], settings: ShockSettings) -> Any:
    """Submit the shock and return its node."""
    from aiida_anial.cli.preflight import check_ready
    from aiida_anial.cli.resolve import dft_nodes, ensemble_node, submitted
    from aiida_anial.data.nodes import loaded_code
    from aiida_anial.protocols.shock_builder import SURROUNDINGS, shock_builder

    ensemble = ensemble_node(options['subject'], 'ENSEMBLE')
    code = loaded_code(options['lmp_code'], 'anial.lammps', '--lmp-code')
    dft = dft_nodes(options['pw_code'], SURROUNDINGS) if options['dft'] else {}
    # The export is stored before the process is submitted.
    check_ready([code, *([dft['pw_code']] if dft else [])])
    builder = shock_builder(
        settings,
        seed=options['seed'],
        plugin=_plugin(ensemble, options),
        lmp_code=code,
        ranks=options['ranks'],
        max_concurrent=options['max_concurrent'],
        max_wallclock_seconds=options['max_wallclock_seconds'],
        **dft,
    )
    return submitted(builder)


def _plugin(ensemble: Any, options: dict[str, Any]) -> Any:
    """Return the ensemble as sources for LAMMPS: those of an earlier shock, or new ones."""
    from aiida import orm

    from aiida_anial.calcfunctions.export_sources import export_sources
    from aiida_anial.queries.shocks import plugin_of

    kernels = {name: options[name] for name in ('dtype', 'processor', 'member') if options[name] is not None}
    settings = {'filename': 'plugin', 'program': 'lammps', **kernels}
    known = plugin_of(ensemble, settings) if ensemble.is_stored else None
    if known is not None:
        return known
    click.echo('Compiling the kernels for LAMMPS', err=True)
    return export_sources(settings=orm.Dict(settings), ensemble=ensemble)


def _print(node: Any, options: dict[str, Any]) -> None:
    """Print what a shock has found, and why any is missing.

    :raises AnialError: if it has found nothing, or is incomplete.
    """
    from aiida_anial.properties.figures.waves import write_shock_figures
    from aiida_anial.queries.shocks import shock_of

    found = shock_of(node)
    why = why_incomplete(node)
    if not found.waves:
        raise AnialError(f'shock {node.pk} has no results: {why}')
    points = {name: {key: value.to_dict() for key, value in point.items()} for name, (_, point) in found.waves.items()}
    defects = _dislocations(node) if options['dislocations'] else {}
    summaries = {name: one.summary() for name, one in defects.items()}
    if options['as_json']:
        numbers = {'waves': points, 'surroundings': found.by_radius, 'dislocations': summaries}
        print_json(numbers)
    else:
        rows = [{key: value['value'] for key, value in point.items()} for point in points.values()]
        print_table('', _WAVES, rows, wide=options['wide'])
        if found.by_radius:
            print_table('\nForces on atoms in the wave, against DFT on what was cut out:', _RADII, found.by_radius)
        for name, summary in summaries.items():
            click.echo(_told(name, summary))
    if options['plots'] is not None:
        for path in write_shock_figures(found.waves, found.by_radius, options['plots'], defects):
            click.echo(path, err=True)
    if not node.is_finished_ok:
        raise AnialError(f'shock {node.pk} is incomplete: {why}')


def _dislocations(node: Any) -> dict[str, Any]:
    """Return the dislocations in the last frame of each wave, by its name."""
    from aiida_anial.queries.shocks import frames_of
    from aiida_anial.shock.dislocations import find_dislocations

    found = {}
    with TemporaryDirectory() as folder:
        for name, content in frames_of(node):
            path = Path(folder) / FRAMES
            path.write_bytes(content)
            found[name] = find_dislocations(path)
    return found


def _told(name: str, summary: Mapping[str, Any]) -> str:
    """Return a line on structures and dislocations."""
    shares = ', '.join(f'{100 * share:.1f} % {structure}' for structure, share in summary['share_by_structure'].items())
    lengths = summary['length_angstrom_by_burgers_vector']
    lines = ', '.join(f'{length:.0f} angstrom of {vector}' for vector, length in lengths.items()) or 'none'
    return f'{name}, step {summary["step"]}: {shares}; dislocations: {lines}'
