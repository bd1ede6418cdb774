"""``aiida-anial distil``."""

from __future__ import annotations

from typing import Any, Final

import click

from aiida_anial.active_learning.distillation_settings import DistillationSettings
from aiida_anial.cli.completion import complete_campaigns, complete_ensembles
from aiida_anial.cli.parameters import examples, json_option, print_json, refuse_together
from aiida_anial.cli.process_options import no_wait_option, settings_option, worker_code_option
from aiida_anial.cli.profile import profile_option
from aiida_anial.cli.waiting import wait_for, why_incomplete
from aiida_anial.common.errors import AnialError

__all__ = ('command',)

_ERRORS: Final = ('energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom')


@click.command(
    'distil', epilog=examples('distil 2126', 'distil Al-laptop --campaign 31', 'distil 2126 --settings narrow.yaml')
)
@click.argument('subject', metavar='ENSEMBLE', shell_complete=complete_ensembles)
@click.option(
    '--campaign',
    'campaigns',
    multiple=True,
    help='Take trajectories of this campaign (pk or UUID), not of the one that trained the ensemble; repeatable.',
    shell_complete=complete_campaigns,
)
@settings_option
@click.option('--seed', type=click.IntRange(min=0), default=1, show_default=True, help='Seed of draws and weights.')
@worker_code_option
@json_option
@no_wait_option
@profile_option()
def command(**options: Any) -> None:
    """Train one network on energies and forces of an ensemble, without DFT, for programs where time is short.

    ENSEMBLE is a pk, a UUID, a file, a NeuroChem folder, or a potential of the package, such as Al-laptop. It labels
    frames of the trajectories of its campaign. Given the pk of an earlier distillation, the command prints that one
    again. `aiida-anial export lammps ENSEMBLE DIR --distilled` writes the network for LAMMPS.
    """
    from aiida_anial.potential.packaged import find
    from aiida_anial.protocols.protocol import overridden
    from aiida_anial.queries.distillations import load_distillation

    refuse_together(options, 'no_wait', 'as_json')
    settings = overridden(DistillationSettings(), options['settings'])
    given = options['subject']
    node = load_distillation(given) if find(given) is None else None
    if node is None:
        node = _submitted(options, settings)
        if options['no_wait']:
            click.echo(node.pk)
            return
        wait_for(node, 'distil')
    _print(node, as_json=options['as_json'])


def _submitted(options: dict[str, Any], settings: DistillationSettings) -> Any:
    """Submit the distillation and return its node."""
    from aiida_anial.cli.resolve import ensemble_node, launched
    from aiida_anial.data.nodes import loaded_code
    from aiida_anial.protocols.distillation_builder import distillation_builder
    from aiida_anial.queries.campaign_status import load_campaign
    from aiida_anial.queries.distillations import trajectories_of

    ensemble = ensemble_node(options['subject'], 'ENSEMBLE')
    code = loaded_code(options['worker_code'], 'anial.train', '--worker-code')
    campaigns = [load_campaign(identifier, '--campaign') for identifier in options['campaigns']]
    builder = distillation_builder(
        settings,
        seed=options['seed'],
        ensemble=ensemble,
        trajectories=trajectories_of(ensemble, campaigns),
        worker_code=code,
    )
    return launched(builder)


def _print(node: Any, *, as_json: bool) -> None:
    """Print the errors of the network against the ensemble, and the speed of both.

    :raises AnialError: if it has not ended well.
    """
    from aiida_anial.potential.speed import atom_steps_per_second

    if not node.is_finished_ok:
        raise AnialError(f'distillation {node.pk} has no results: {why_incomplete(node)}')
    network, ensemble, errors = node.outputs.ensemble, node.inputs.ensemble, node.outputs.errors.get_dict()
    speed, ensemble_speed = (atom_steps_per_second(one.ensemble) for one in (network, ensemble))
    if as_json:
        numbers = {
            'network': {'pk': network.pk, 'atom_steps_per_core_second': speed},
            'ensemble': {'pk': ensemble.pk, 'atom_steps_per_core_second': ensemble_speed},
            'errors': errors,
        }
        print_json(numbers)
        return
    learned = node.outputs.training['n_configurations']
    energy, force = (errors[name] for name in _ERRORS)
    click.echo(f'network {network.pk} learned from {learned} frames of ensemble {ensemble.pk}')
    click.echo(
        f'On {errors["n_configurations"]} frames of other trajectories it differs from the ensemble by '
        f'{energy:.2f} meV/atom and {force:.4f} eV/Å (RMSE).'
    )
    click.echo(
        f'On a core of this machine it makes {speed:,.0f} atom-steps a second, the ensemble {ensemble_speed:,.0f}.'
    )
