"""What a reader wants to know first: the verdict on a campaign, its main numbers, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiida_anial.queries.campaign_words import duration
from aiida_anial.report.page.sources import PageSources

__all__ = ('Verdict', 'verdict_of')

_REASONS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The top of a page.

    :param sentence: the verdict in a sentence.
    :param numbers: main numbers, by what they are.
    :param warnings: sentences on what needs attention.
    """

    sentence: str
    numbers: Mapping[str, str]
    warnings: tuple[str, ...]


def verdict_of(sources: PageSources) -> Verdict:
    """Return the verdict on a campaign as far as it has come."""
    status = sources.status
    return Verdict(sentence=_sentence(sources), numbers=_numbers(sources), warnings=tuple(_warnings(status)))


def _sentence(sources: PageSources) -> str:
    status = sources.status
    if not sources.campaign.is_terminated:
        return f'The campaign is running; its state is {status["process_state"]}.'
    if status['exit_status'] == 0 and status['converged']:
        return 'The campaign has converged: in its last iteration the median trajectory reached its end.'
    if status['exit_status'] == 0:
        why = f' ({status["verdict"]})' if status['verdict'] else ''
        return f'The campaign has finished without converging{why}. The potential may be good; nothing here proves it.'
    number = f' with exit status {status["exit_status"]}' if status['exit_status'] is not None else ''
    said = f': {status["exit_message"]}' if status['exit_message'] else ''
    return f'The campaign ended, {status["process_state"]}{number}{said}'.rstrip('.') + '.'


def _numbers(sources: PageSources) -> dict[str, str]:
    status = sources.status
    found = {
        'labels': f'{status["n_labels"]:,}',
        'rejected': f'{status["n_rejected"]:,}',
        'iterations': str(max(row['index'] for row in status['iterations'])),
        'trajectories': f'{len(sources.trajectories):,}',
        'time': duration(status['pace']['elapsed_s']),
    }
    tested = [row for row in status['iterations'] if row['test_energy_rmse_mev_per_atom'] is not None]
    energy = status['final_test_energy_rmse_mev_per_atom']
    force = status['final_test_force_rmse_ev_per_angstrom']
    if energy is None and tested:
        energy, force = (
            tested[-1][f'test_{key}'] for key in ('energy_rmse_mev_per_atom', 'force_rmse_ev_per_angstrom')
        )
    if energy is not None:
        found |= {'test error, energy': f'{energy:.1f} meV/atom', 'test error, forces': f'{force:.3f} eV/Å'}
    if status['newest_ensemble'] is not None:
        found['newest ensemble'] = str(status['newest_ensemble'])
    return found


def _warnings(status: Mapping[str, Any]) -> list[str]:
    lines = [
        f'{row["process_label"]} {row["pk"]} is paused: {row["reason"]}. Once that is fixed, run {row["command"]}.'
        for row in status['paused']
    ]
    lines += [f'Unusual in the settings: {line}' for line in status['unusual']]
    return lines + [f'No label, {number} times: {why}' for why, number in list(status['failures'].items())[:_REASONS]]
