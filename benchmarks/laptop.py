"""Judge the ensembles of campaigns of the protocol ``laptop``, and write ``benchmarks/results/laptop.json``.

Each ensemble of a campaign, from the initial one to the final one, is evaluated on the labels of ``heldout.extxyz``,
which no campaign has seen, and gets the properties of the quick benchmark. Campaigns are those of the default profile
of AiiDA, and are called by their labels, such as ``seed 201``; what the file has of others stays. The tables and the
figure of ``docs/topics/al-laptop.md`` are updated. Run it from the repository root once a campaign has ended::

    python benchmarks/laptop.py PK
    python benchmarks/laptop.py --potential model-Al-75 --name ANI-Al
    python benchmarks/laptop.py --pbe pbe.json    # from `aiida-anial benchmark --reference qe --json`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import common
import matplotlib.style
import numpy as np
from judge import judged, summary_line
from laptop_tables import LAPTOP
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.source import open_potential
from aiida_anial.properties.figures.style import RC

HELDOUT: Final = Path(__file__).parent / 'heldout.extxyz'
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'torch')
# Title of a panel and the quantity in it; the first two are errors, on logarithmic axes.
_PANELS: Final = (
    ('energy, held out (meV/atom)', 'heldout_energy_mev_per_atom'),
    ('forces, held out (eV/Å)', 'heldout_force_ev_per_angstrom'),
    ('C₁₁ (GPa)', 'c11'),
    ('C₄₄ (GPa)', 'c44'),
    ('HCP above FCC (meV/atom)', 'hcp_minus_fcc'),
    ('BCC above FCC (meV/atom)', 'bcc_minus_fcc'),
)


def campaign_results(identifier: str, heldout: LabelledCells) -> tuple[str, dict[str, Any]]:
    """Return the label of a campaign, and its course with what ``judged`` finds for each of its ensembles."""
    from aiida import load_profile, orm

    from aiida_anial.queries.campaign_status import campaign_status, load_campaign
    from aiida_anial.queries.records import records

    load_profile()
    campaign = load_campaign(identifier)
    status = campaign_status(campaign)
    ensembles = []
    for row in records('ensembles', campaigns=[campaign], sort='created'):
        found = judged(orm.load_node(row['pk']).ensemble, heldout, EngineSettings())
        common.progress(f'{row["n_labels"]} labels: {summary_line(found)}')
        ensembles.append({'n_labels': row['n_labels'], 'stage': row['stage'], **found})
    stops = Counter(row['stop_reason'] for row in records('trajectories', campaigns=[campaign]))
    course = ('index', 'n_trajectories', 'n_stopped', 'median_time_ps', 'n_labels')
    return campaign.label or campaign.uuid, {
        'uuid': campaign.uuid,
        'verdict': status['verdict'],
        'n_labels': status['n_labels'],
        'n_rejected': status['n_rejected'],
        'hours': status['pace']['elapsed_s'] / 3600,
        'time_shares': status['pace']['time_shares'],
        'stops': dict(stops.most_common()),
        'iterations': [{name: row[name] for name in course} for row in status['iterations']],
        'ensembles': ensembles,
    }


def pbe_quantities(content: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of PBE by quantity, from the JSON of ``aiida-anial benchmark``."""
    return {name: one['value'] for found in content['qe'].values() for name, one in found.items()}


def drawing(results: Mapping[str, Any]) -> Figure:
    """Return the errors and properties of all campaigns against the number of labels."""
    figure = Figure(figsize=(10, 6), layout='constrained')
    for axis, (title, key) in zip(figure.subplots(2, 3).flat, _PANELS, strict=True):
        _draw(axis, title, key, results)
    lines = {label: line for axis in figure.axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines, loc='outside upper center', ncols=min(len(lines), 5))
    return figure


def _draw(axis: Axes, title: str, key: str, results: Mapping[str, Any]) -> None:
    is_error = key.startswith('heldout')
    for index, (name, campaign) in enumerate(results['campaigns'].items()):
        *course, final = campaign['ensembles']
        points = [(one['n_labels'], _value(one, key)) for one in course]
        axis.plot(*np.array(points, dtype=np.float64).T, 'o-', color=f'C{index}', markersize=3, label=name)
        # The final training has as many labels as the last retraining, and more steps.
        axis.plot(final['n_labels'], _value(final, key), '*', color=f'C{index}', markersize=10)
    for index, (name, one) in enumerate(results['others'].items()):
        axis.axhline(_value(one, key), color='0.4', linestyle=('--', ':')[index % 2], label=name)
    if key in results.get('pbe', {}):
        axis.axhline(results['pbe'][key], color='black', linewidth=1.0, label='PBE')
    axis.set(title=title, xlabel='labels', yscale='log' if is_error else 'linear')
    if is_error:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter('{x:g}')
        axis.yaxis.set_minor_formatter('')


def _value(judgement: Mapping[str, Any], key: str) -> float:
    """Return an error or a quantity; NaN if the potential has none."""
    return float(judgement.get(key, judgement['quantities'].get(key, np.nan)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge campaigns or another potential, and update the file, the page and its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('campaigns', nargs='*', help='pk, UUID or label')
    parser.add_argument('--hours', type=float, help='how long it ran, if it was interrupted')
    parser.add_argument('--potential', type=Path, help='potential to judge beside them')
    parser.add_argument('--name', help='its name in the tables')
    parser.add_argument('--pbe', type=Path, help='JSON of the properties by PBE')
    parser.add_argument('--json', type=Path, default=LAPTOP.file, help='file to update; default: %(default)s')
    given = parser.parse_args(arguments)
    results = {'campaigns': {}, 'others': {}, **(json.loads(given.json.read_text()) if given.json.exists() else {})}
    if given.campaigns or given.potential is not None:
        heldout = read_dataset(HELDOUT, trust_units=True).labelled
        found = dict(campaign_results(one, heldout) for one in given.campaigns)
        for campaign in found.values() if given.hours is not None else ():
            campaign['hours'] = given.hours
        results['campaigns'] |= found
    if given.potential is not None:
        potential = open_potential(given.potential).calculator.potential
        results['others'][given.name or given.potential.name] = judged(potential, heldout, EngineSettings())
    if given.pbe is not None:
        results['pbe'] = pbe_quantities(json.loads(given.pbe.read_text()))
    results['machine'] = common.machine(_PACKAGES)
    LAPTOP.publish(results, given.json)
    if given.json == LAPTOP.file:
        with matplotlib.style.context(RC):
            drawing(results).savefig(LAPTOP.path.parent / 'images' / 'al-laptop.svg', metadata={'Date': None})
    return 0


if __name__ == '__main__':
    sys.exit(main())
