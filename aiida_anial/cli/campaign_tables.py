"""The status of a campaign in words and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida_anial.cli.profile import in_profile
from aiida_anial.cli.tables import Heading, new_console, print_table
from aiida_anial.properties.registry import keyed_columns
from aiida_anial.queries.campaign_words import campaign_line, pace_lines

__all__ = ('print_campaign',)

# Thresholds are shown as errors if the disagreement is calibrated.
_THRESHOLD: Final = 'threshold_ev_per_sqrt_atom'
_CLAIMS: Final = ('threshold_energy_error_mev_per_atom', 'threshold_force_error_ev_per_angstrom')
_DUPLICATES: Final = 'n_duplicates'
# Reasons for missing labels that are printed, the most frequent ones.
_REASONS: Final = 3

_ITERATIONS: Final = (
    Heading('itera-\ntion', 'index'),
    Heading('state', 'process_state'),
    Heading('threshold\neV/√atom', _THRESHOLD, 4, rank=5),
    Heading('stop at\nmeV/atom', _CLAIMS[0], 1, rank=5),
    Heading('stop at\neV/Å', _CLAIMS[1], 3, rank=5),
    Heading('trajec-\ntories', 'n_trajectories', rank=3),
    Heading('stopped', 'n_stopped', rank=3),
    Heading('dupli-\ncates', _DUPLICATES, rank=6),
    Heading('median\ntime ps', 'median_time_ps', 2, rank=4),
    Heading('labels', 'n_labels'),
    Heading('rejec-\nted', 'n_rejected', rank=1),
    Heading('fresh E\nmeV/atom', 'fresh_energy_rmse_mev_per_atom', 1, rank=2),
    Heading('fresh F\neV/Å', 'fresh_force_rmse_ev_per_angstrom', 3, rank=2),
    Heading('test E\nmeV/atom', 'test_energy_rmse_mev_per_atom', 1),
    Heading('test F\neV/Å', 'test_force_rmse_ev_per_angstrom', 3),
)
_PROPERTIES: Final = (
    Heading('iteration', 'iteration'),
    *(
        Heading(column.heading, column.key, column.digits, rank=rank)
        for rank, (_, column) in enumerate(keyed_columns())
        if column.in_status
    ),
)


def print_campaign(status: dict[str, Any], *, wide: bool = False) -> None:
    """Print a campaign, one row per iteration.

    :param wide: show all columns, whatever the width of the terminal.
    """
    is_calibrated = any(row[key] is not None for row in status['iterations'] for key in _CLAIMS)
    left_out = {_THRESHOLD} if is_calibrated else {*_CLAIMS}
    if not any(row[_DUPLICATES] for row in status['iterations']):
        left_out.add(_DUPLICATES)
    headings = [heading for heading in _ITERATIONS if heading.key not in left_out]
    print_table(campaign_line(status), headings, status['iterations'], wide=wide)
    console = new_console()
    for line in _after(status):
        console.print(in_profile(line), markup=False, highlight=False, soft_wrap=True)
    if status['properties']:
        print_table('Properties of the ensembles', _PROPERTIES, status['properties'], wide=wide)


def _after(status: Mapping[str, Any]) -> list[str]:
    """Return what is said below the iterations."""
    lines = [
        f'{row["process_label"]}<{row["pk"]}> is paused: {row["reason"]}. Once that is fixed, run `{row["command"]}`.'
        for row in status['paused']
    ]
    lines += [f'No label, {number} times: {why}' for why, number in list(status['failures'].items())[:_REASONS]]
    if status['newest_ensemble'] is not None:
        lines.append(f'Newest ensemble: {status["newest_ensemble"]}.')
    energy, force = (status[f'final_test_{key}'] for key in ('energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom'))
    if energy is not None:
        lines.append(f'Last ensemble, test blocks: {energy:.1f} meV/atom, {force:.3f} eV/Å (root mean square).')
    return lines + pace_lines(status['pace'])
