"""The tables of ``docs/topics/al-laptop.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pages import Page, table, versions

__all__ = ('LAPTOP',)

# Heading of a row with its unit, key of a quantity or an error, digits, goal.
_LAPTOP_LINES: Final = (
    ('energy, held out (meV/atom)', 'heldout_energy_mev_per_atom', 2, '1.5'),
    ('forces, held out (eV/Å)', 'heldout_force_ev_per_angstrom', 4, '0.022'),
    ('HCP above FCC (meV/atom)', 'hcp_minus_fcc', 1, 'PBE ± 2'),
    ('BCC above FCC (meV/atom)', 'bcc_minus_fcc', 1, 'PBE ± 6'),
    ('SC above FCC (meV/atom)', 'sc_minus_fcc', 0, 'PBE ± 40'),
    ('diamond above FCC (meV/atom)', 'diamond_minus_fcc', 0, 'PBE ± 60'),
    ('rank of FCC among eleven crystals', 'fcc_rank', 0, '1'),
    ('lattice constant (Å)', 'a0', 4, 'PBE ± 0.2 %'),
    ('B (GPa)', 'b', 1, 'PBE ± 3 %'),
    ('C11 (GPa)', 'c11', 1, 'PBE ± 8 %'),
    ('C12 (GPa)', 'c12', 1, 'PBE ± 8 %'),
    ('C44 (GPa)', 'c44', 1, 'PBE ± 8 %'),
)


def _laptop(results: Mapping[str, Any]) -> str:
    campaigns, others = results['campaigns'], results['others']
    finals = {**{name: one['ensembles'][-1] for name, one in campaigns.items()}, **others}
    blank = [''] * len(others)
    rows = [
        ['hours', '3', '', *(f'{one["hours"]:.2f}' for one in campaigns.values()), *blank],
        ['labels', '', '', *(f'{one["n_labels"]}' for one in campaigns.values()), *blank],
        ['labels rejected', '', '', *(f'{one["n_rejected"]}' for one in campaigns.values()), *blank],
    ]
    for heading, key, digits, goal in _LAPTOP_LINES:
        pbe = _fixed(results.get('pbe', {}).get(key), digits)
        values = [_fixed(one.get(key, one['quantities'].get(key)), digits) for one in finals.values()]
        rows.append([heading, goal, pbe, *values])
    first = table(['', 'goal', 'PBE', *finals], rows)
    courses = [f'**{name}**\n\n{_laptop_course(one)}' for name, one in campaigns.items()]
    machine = results['machine']
    where = f'{machine["cpu"]}, {machine["cores"]} cores. {versions(machine)}.'
    return '\n\n'.join([first, where, *courses])


def _laptop_course(campaign: Mapping[str, Any]) -> str:
    """Return the table of one campaign by ensemble, and a sentence on where its time and its trajectories went."""
    rows = []
    iterations = {one['index']: one for one in campaign['iterations']}
    for index, one in enumerate(campaign['ensembles']):
        last = index == len(campaign['ensembles']) - 1
        went = iterations.get(index, {}) if not last else {}
        stopped = f'{went["n_stopped"]} of {went["n_trajectories"]}' if went.get('n_trajectories') else ''
        values = [_fixed(one.get(key, one['quantities'].get(key)), digits) for _, key, digits, _ in _LAPTOP_LINES]
        rows.append(['final' if last else str(index), str(one['n_labels']), stopped, *values])
    names = [heading.split(' (')[0] for heading, *_ in _LAPTOP_LINES]
    shares = ', '.join(f'{kind} {share:.0%}' for kind, share in _largest(campaign['time_shares']))
    stops = ', '.join(f'{number} `{reason}`' for reason, number in campaign['stops'].items())
    said = f'Time: {shares}. Trajectories ended by {stops}. Verdict: {campaign["verdict"]}.'
    return f'{table(["iteration", "labels", "stopped", *names], rows)}\n\n{said}'


def _largest(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    return [one for one in sorted(shares.items(), key=lambda item: -item[1]) if one[1] >= 0.005]


def _fixed(value: float | None, digits: int) -> str:
    return '' if value is None else f'{value:.{digits}f}'


LAPTOP: Final = Page('al-laptop.md', 'laptop.json', 'bench-laptop', _laptop)
