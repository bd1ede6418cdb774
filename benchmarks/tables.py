"""Write the tables in ``docs/topics`` from the files in ``benchmarks/results``.

The measurements do this themselves, and a test checks that pages and files agree. By hand, from the repository root::

    python benchmarks/tables.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import common
from defect_tables import DEFECTS
from laptop_tables import LAPTOP
from pages import Page, table, versions


def _md(name: str, label: str, goal: str = '') -> tuple[str, str, str, str, str]:
    torchani, own = f'md_{name}_torchani_atom_steps_per_s', f'md_{name}_atom_steps_per_s'
    return f'MD, {label} (atom-steps/s)', torchani, own, f'md_{name}_ratio_torchani', goal


# Label; names of the figures of torchani, of the package and of the ratio, empty if there is none; goal.
ENGINE_LINES: Final = (
    _md('55', '55 atoms'),
    _md('108', '108 atoms', '67,000; 50 times'),
    _md('256', '256 atoms'),
    _md('2048', '2,048 atoms'),
    _md('batch16', '16 cells of 55 to 250 atoms', '60,000'),
    ('MD, 108 atoms, both with a tuned allocator', '', '', 'md_108_ratio_torchani_tuned', ''),
    ('MD, 16 cells: a process for each core instead of threads', '', '', 'processes_over_threads', ''),
    ('Training epoch (s)', 'train_epoch_torchani_s', 'train_epoch_s', 'train_epoch_ratio_torchani', '80 times'),
    ('Descriptors before the first epoch (s)', '', 'train_preparation_s', '', ''),
    ('Training to 3 meV/atom on labels by {accuracy_teacher} (s)', 'time_to_3mev_torchani_s', 'time_to_3mev_s', '', ''),
    ('Memory for 100,000 atoms, forces and stress (GiB)', '', 'memory_100k_atoms_gib', '', '1.86 (2 GB)'),
    ('Memory for an atom (KiB)', 'memory_torchani_kib_per_atom', 'memory_kib_per_atom', 'memory_ratio_torchani', ''),
    ('First evaluation, never compiled (s)', '', 'startup_never_compiled_s', '', ''),
    ('First evaluation, compiled before (s)', '', 'startup_compiled_before_s', '', ''),
)


def _engine(results: Mapping[str, Any]) -> str:
    """Return the table and a paragraph on the machine."""
    rows = []
    for label, *names, goal in ENGINE_LINES:
        cells = [common.text(results.get(name)) for name in names]
        if any(cells):
            rows.append([label.format(**results), *cells, goal])
    machine, scripts = results['machine'], results['scripts']
    long = [name for name, content in scripts.items() if not content['short']]
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores, {machine["threads"]} threads for every program, '
        f'{max(content["date"] for content in scripts.values())[:10]}. {versions(machine)}. '
        f'Long forms: {", ".join(long) or "none"}.'
    )
    return f'{table(["", "torchani", "aiida-anial", "times better", "goal"], rows)}\n\n{where}'


_GRAPHS: Final = ('sqlite', 'postgresql', 'postgresql_100000')
# Label, name of the figure, goal for SQLite.
_GRAPH_LINES: Final = (
    ('Labels', 'n_labels', ''),
    ('Nodes', 'n_nodes', ''),
    ('Links', 'links', ''),
    ('Export of all labels, extended XYZ (s)', 'export_extxyz_s', '5'),
    ('Export of all labels, HDF5 (s)', 'export_hdf5_s', '3'),
    ('Export of 11 of 30 iterations, extended XYZ (s)', 'export_extxyz_filtered_s', ''),
    ('Export of 11 of 30 iterations, HDF5 (s)', 'export_hdf5_filtered_s', ''),
    ('Count of labels by filters, the slowest (s)', 'count_s', '0.2'),
    ('Records of all labels (s)', 'records_s', ''),
    ('Status of the campaign (s)', 'status_s', '1'),
    ('All labels node by node, from a sample of 100 (s)', 'naive_s', ''),
    ('The same, times the export to extended XYZ', 'naive_ratio_export_extxyz', ''),
    ('Import of 400 labels (s)', 'import_s', ''),
    ('Links into the last training job', 'training_job_links', ''),
    ('Database, a label (KiB)', 'database_bytes_per_label', ''),
    ('File repository, a label (KiB)', 'repository_bytes_per_label', ''),
    ('Archive of the campaign (s)', 'archive_s', ''),
    ('Archive, a label (KiB)', 'archive_bytes_per_label', ''),
)


def _graph(results: Mapping[str, Any]) -> str:
    """Return the table and two paragraphs, on the numbers of nodes and on the machine."""
    rows = []
    for label, key, goal in _GRAPH_LINES:
        values = [results.get(column, {}).get(key) for column in _GRAPHS]
        if '(KiB)' in label:
            values = [value and value / 1024 for value in values]
        growth = results.get(_GRAPHS[-1], {}).get('growth_exponents', {}).get(key)
        rows.append([label, *map(common.text, values), '' if growth is None else f'{growth:.2f}', goal])
    small, machine = results['small_campaign'], results['machine']
    own, tiny, large = (
        results[key] for key in ('nodes_per_label', 'campaign_nodes_per_label', 'campaign_nodes_per_label_6352')
    )
    nodes = (
        f'The small campaign has {small["n_labels"]} real labels. Each takes {own:.1f} nodes of its own, those of the '
        'random cell and the trajectory that it came from included (goal: 12). With all that is there once a cycle, an '
        f'iteration or a campaign, a label of that small campaign has {tiny:.1f} nodes, and one of '
        f'{results["sqlite"]["n_labels"]:,} has {large:.1f}.'
    )
    loads = [results[column]['load_average_at_start'] for column in _GRAPHS if column in results]
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores, {results["date"][:10]}; load averages before the measurements '
        f'{", ".join(f"{load:.1f}" for load in loads)}. {versions(machine)}.'
    )
    return f'{table(["", "SQLite", "PostgreSQL", "PostgreSQL", "growth", "goal"], rows)}\n\n{nodes}\n\n{where}'


# Label, path of the figure in a series, goal.
_LOAD_LINES: Final = (
    ('Labels by `LabelWorkChain`', 'chain.n_labels', ''),
    ('Labels by bare work chains', 'bare.n_labels', ''),
    ('Wall time, a label (s)', 'chain.wall_s_per_label', '1, two workers'),
    ('The same, bare (s)', 'bare.wall_s_per_label', ''),
    ('Processes an hour', 'chain.processes_per_hour', ''),
    ('CPU of the workers, a label (s)', 'chain.engine_s_per_label', ''),
    ('The same, bare (s)', 'bare.engine_s_per_label', ''),
    ('Ratio', 'engine_ratio', '1.1'),
    ('Ratio, with the scripts that submit', 'engine_ratio_with_scripts', ''),
    ('Collecting the labels, a label (s)', 'chain.collecting_s_per_label', ''),
    ('A child from start to end, median (s)', 'chain.child_s', ''),
    ('Most children alive, from the graph', 'chain.most_alive', '{max_concurrent}'),
    ('Most children alive, polled', 'chain.most_alive_polled', '{max_concurrent}'),
    ('Slot empty, labels of {pause_s} s and more, median (s)', 'paced.slot_idle_median_s', ''),
    ('Slot empty, labels of {pause_s} s and more, longest (s)', 'paced.slot_idle_max_s', '{poll_s:g}, one poll'),
    ('Slot empty, workers at their limit, median (s)', 'chain.slot_idle_median_s', ''),
    ('Slot empty, workers at their limit, longest (s)', 'chain.slot_idle_max_s', ''),
    ('The same, bare (s)', 'bare.slot_idle_max_s', ''),
    ('Memory of a worker, last, largest (MiB)', 'rss_mib_last', ''),
    ('Growth of a worker, largest (MiB for 1,000 labels)', 'most_growth.mib_per_1000', '0'),
    ('Standard error of that', 'most_growth.error', ''),
    ('Database connections, most', 'connections_most', ''),
    ('Open files of a worker, most', 'files_most', ''),
)


def _load(results: Mapping[str, Any]) -> str:
    """Return the table and two paragraphs, on the settings and on the machine."""
    series = {name: results['series'][name] for name in ('1', '2', '4') if name in results['series']}
    rows = [
        [label.format(**results), *(common.text(_in(one, names)) for one in series.values()), goal.format(**results)]
        for label, names, goal in _LOAD_LINES
    ]
    machine = results['machine']
    what = (
        f'At most {results["max_concurrent"]} calculations at once, {results["cells_per_chain"]} cells a '
        f'`LabelWorkChain` at most, {results["n_atoms"]} atoms a cell. The first '
        'quarter of the samples of the memory counts as warm-up and not as growth.'
    )
    if results['quick']:
        what += ' This was the quick form, with too few labels for the growth to mean much.'
    loads = ', '.join(f'{one["load_average_at_start"]:.1f}' for one in series.values())
    where = (
        f'{machine["cpu"]}, {machine["cores"]} cores for daemon and servers, {results["date"][:10]}; load averages '
        f'before each column {loads}. {versions(machine)}.'
    )
    return f'{table(["Daemon workers", *series, "goal"], rows)}\n\n{what}\n\n{where}'


def _in(series: Mapping[str, Any], names: str) -> Any:
    """Return a figure of a series; of a figure for each worker, the largest value.

    :param names: path of the figure, with dots between the names.
    """
    grown = [one for one in series.get('growth', ()) if one]
    value: Any = {**series, 'most_growth': max(grown, key=lambda one: one['mib_per_1000'], default=None)}
    for name in names.split('.'):
        value = value.get(name) if value is not None else None
    return max(value) if isinstance(value, list) else value


def _campaign(results: Mapping[str, Any]) -> str:
    pace, machine = results['pace'], results['machine']
    running, shares = pace['cores_busy'], pace['time_shares']
    rows = [
        ['Labels', common.text(results['n_labels']), ''],
        ['Calculated twice', common.text(results['n_calculated_again']), '0'],
        ['Labels an hour', common.text(float(pace['labels_per_hour'])), ''],
        ['pw.x, a label (s)', common.text(results['pw_wall_s']), ''],
        ['Job without pw.x, a label (s)', common.text(results['around_pw_s']), ''],
        ['CPU of the daemon worker, a label (s)', common.text(results['daemon_cpu_s'] / results['n_labels']), '1.5'],
        ['Two cores or more busy', f'{running["two_or_more"]:.0%}', '90%'],
        ['One core busy', f'{running["one"]:.0%}', ''],
        *([f'Time: {kind}', f'{share:.0%}', ''] for kind, share in sorted(shares.items(), key=lambda item: -item[1])),
        ['Hours of the whole campaign, planned by a trial', common.text(results['plan']['total_hours']), ''],
        ['The same, planned from these labels', common.text(results['plan_from_history']['total_hours']), ''],
        *_planned_and_real(results),
    ]
    what = f'Protocol `{results["protocol"]}`, seed {results["seed"]}, after {pace["elapsed_s"] / 60:.0f} minutes.'
    where = f'{machine["cpu"]}, {machine["cores"]} cores, {results["date"][:10]}. {versions(machine)}.'
    return f'{table(["", "", "goal"], rows)}\n\n{what}\n\n{where}'


def _planned_and_real(results: Mapping[str, Any]) -> list[list[str]]:
    """Return the minutes to the end of the last iteration that has ended, planned by a trial and real."""
    index = results['ended']
    if index is None:
        return []
    (planned,) = [row['end_hours'] * 60 for row in results['plan']['iterations'] if row['iteration'] == index]
    real = results['ended_s'] / 60
    return [
        [f'Minutes to the end of iteration {index}, planned by a trial', common.text(planned), ''],
        ['The same, real', common.text(real), f'{0.8 * planned:.0f} to {1.2 * planned:.0f}'],
    ]


# Title of each group of the study, and whether it is compared with converged labels.
_LABEL_GROUPS: Final = {
    'protocols': 'Protocols',
    'mesh': 'K-points per reciprocal atom, or their distance (1/Å)',
    'small': 'The same, 20/n times as many for n < 20 atoms, 0.07 Ry',
    'large': 'Cells of 32 to 108 atoms; k-points by distance, and the protocol',
    'smearing': 'Smearing, 1,000 k-points per reciprocal atom',
    'cutoff': 'Cutoff of the wavefunctions',
    'density': 'Cutoff of the density',
    'conv_thr': 'Threshold of self-consistency (Ry)',
    'electrons': 'Mixing and diagonalisation',
    'bands': 'Bands, relative to the default of pw.x',
    'check': 'As the reference, with half the k-points, not shifted',
}
_LABEL_COLUMNS: Final = (
    ('median dE (meV/atom)', 'energy_median_mev_per_atom'),
    ('largest', 'energy_max_mev_per_atom'),
    ('4 to 8 atoms', 'energy_small_mev_per_atom'),
    ('median dF (eV/Å)', 'force_median_ev_per_angstrom'),
    ('largest', 'force_max_ev_per_angstrom'),
    ('4 to 8 atoms', 'force_small_ev_per_angstrom'),
    ('median dP (GPa)', 'pressure_median_gpa'),
    ('CPU (s)', 'cpu_s'),
    ('iterations', 'iterations'),
    ('filled', 'filled'),
)


def _labels(results: Mapping[str, Any]) -> str:
    parts = []
    for name, title in _LABEL_GROUPS.items():
        if (found := results.get(name)) is not None:
            rows = [[row, *(_short(values[key]) for _, key in _LABEL_COLUMNS)] for row, values in found.items()]
            number = next(iter(found.values()))['cells']
            parts.append(table([f'{title}; {number} cells', *(heading for heading, _ in _LABEL_COLUMNS)], rows))
    return '\n\n'.join(parts)


def _cell_sizes(results: Mapping[str, Any]) -> str:
    rows = [
        [name, seed, *(common.text(found[key]) for key in ('n_labels', 'energy_mev_per_atom', 'force_ev_per_angstrom'))]
        for seed, series in results['seeds'].items()
        for name, found in series.items()
    ]
    return table(['Trained on', 'seed', 'labels', 'energy, standard deviation (meV/atom)', 'forces, rms (eV/Å)'], rows)


def _lammps(results: Mapping[str, Any]) -> str:
    """Return the table of potentials in LAMMPS, and a sentence on ranks."""
    rows = [
        [
            row['name'],
            f'{row["atom_steps_per_s"]:,.0f}',
            _short(row['of_the_engine']),
            f'{row["memory_mib"]:,.0f}' if 'memory_mib' in row else '',
        ]
        for row in results['rows']
    ]
    head = ['', 'atom-steps/s on one core', 'of the engine', 'memory for 108,000 atoms (MiB)']
    machine = results['machine']
    scaling = f'On two ranks, a core does {results["two_ranks"]:.0%} of what it does alone.'
    return f'{table(head, rows)}\n\n{scaling} {machine["cpu"]}. {versions(machine)}.'


def _short(value: float | None) -> str:
    """Return two significant digits."""
    if value is None:
        return ''
    return f'{value:.0f}' if value >= 10 else f'{value:.2g}'


ENGINE: Final = Page('engine.md', 'engine.json', 'bench', _engine)
GRAPH: Final = Page('graph-size.md', 'graph.json', 'bench-graph', _graph)
LOAD: Final = Page('load.md', 'load.json', 'bench-load', _load)
CAMPAIGN: Final = Page('load.md', 'campaign.json', 'bench-campaign', _campaign)
LABELS: Final = Page('labels.md', 'labels.json', 'bench-labels', _labels)
CELL_SIZES: Final = Page('labels.md', 'cell_sizes.json', 'bench-labels', _cell_sizes)
LAMMPS: Final = Page('engine.md', 'lammps.json', 'bench-lammps', _lammps)
PAGES: Final = (ENGINE, GRAPH, LOAD, CAMPAIGN, LABELS, CELL_SIZES, LAMMPS, LAPTOP, DEFECTS)

if __name__ == '__main__':
    for page in PAGES:
        page.write()
