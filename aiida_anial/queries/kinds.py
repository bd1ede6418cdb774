"""The kinds of records and their columns."""

from __future__ import annotations

from typing import Any

from aiida_anial.properties.property import Column as PropertyColumn
from aiida_anial.properties.registry import keyed_columns
from aiida_anial.queries import paths
from aiida_anial.queries.columns import Column, Kind
from aiida_anial.queries.graph import campaigns_that_trained

__all__ = ('KINDS',)


def _common(entity: str) -> tuple[Column, ...]:
    return (
        Column('pk', entity, 'id', 'int', 'Pk of the node.', 'pk'),
        Column('uuid', entity, 'uuid', 'str', 'UUID of the node.'),
        Column('created', entity, 'ctime', 'date', 'Time of creation.'),
    )


def _theory(entity: str) -> tuple[Column, ...]:
    field = 'attributes.level_of_theory.'
    return (
        Column('code', entity, field + 'code', 'str', 'Program: pw.x, emt, eam, ensemble, ...', 'code'),
        Column('code_version', entity, field + 'version', 'str', 'Version of the program.'),
        Column('functional', entity, field + 'functional', 'str', 'Functional, such as PBE.'),
        Column('pseudo_md5', entity, field + 'pseudo_md5', 'str', 'MD5 of the pseudopotential.'),
        Column(
            'ecutwfc_ry', entity, field + 'ecutwfc_ry', 'float', 'Cutoff of the wavefunctions, Ry.', 'cutoff\nRy', 1
        ),
        Column('ecutrho_ry', entity, field + 'ecutrho_ry', 'float', 'Cutoff of the charge density, Ry.'),
        Column('smearing', entity, field + 'smearing', 'str', 'Kind of smearing.'),
        Column('degauss_ry', entity, field + 'degauss_ry', 'float', 'Width of the smearing, Ry.'),
        Column(
            'kpoints_distance_per_angstrom',
            entity,
            field + 'kpoints_distance_per_angstrom',
            'float',
            'Largest distance between k-points, 1/angstrom.',
        ),
        Column(
            'kpoints_per_reciprocal_atom',
            entity,
            field + 'kpoints_per_reciprocal_atom',
            'int',
            'Least product of k-points and atoms.',
        ),
    )


def _attribute(entity: str, name: str, *rest: Any, **more: Any) -> Column:
    return Column(name, entity, f'attributes.{name}', *rest, **more)


_LABEL_COLUMNS = (
    *_common('label'),
    Column('shard', 'shard', 'id', 'int', 'Pk of the shard that contains its arrays.', 'shard'),
    _attribute('label', 'row', 'int', 'Row in the shard.', 'row'),
    _attribute('label', 'calculation', 'str', 'UUID of the calculation.'),
    _attribute('label', 'iteration', 'int', 'Active-learning iteration; 0 is the initial random dataset.', 'iteration'),
    _attribute(
        'label',
        'origin',
        'str',
        'random, active_learning, thermal, shock, distillation, imported.',
        'origin',
        has_few_values=True,
    ),
    _attribute('label', 'n_atoms', 'int', 'Number of atoms.', 'atoms'),
    _attribute('label', 'volume_angstrom3', 'float', 'Volume of the cell, angstrom^3.'),
    _attribute('label', 'density_g_per_cm3', 'float', 'Density, g/cm3.', 'density\ng/cm³', 3),
    _attribute('label', 'energy_ev', 'float', 'Total energy, eV.'),
    _attribute('label', 'energy_per_atom_ev', 'float', 'Energy per atom, eV.', 'E/atom\neV', 4),
    _attribute(
        'label', 'max_force_ev_per_angstrom', 'float', 'Largest force on an atom, eV/angstrom.', 'max F\neV/Å', 3
    ),
    _attribute('label', 'pressure_gpa', 'float', 'Pressure, GPa, positive in compression.', 'P\nGPa', 2),
    _attribute('label', 'kpoints', 'str', 'Mesh of k-points, such as 2x2x3.', 'k-points'),
    _attribute('label', 'split_block', 'int', 'Block of the data split, 0 to 15.'),
    _attribute('label', 'content_hash', 'str', 'SHA-256 of the configuration.'),
    *_theory('label'),
)

_SHARD_COLUMNS = (
    *_common('shard'),
    _attribute('shard', 'n_configurations', 'int', 'Number of labels.', 'labels'),
    _attribute('shard', 'n_atoms', 'int', 'Total number of atoms.', 'atoms'),
    _attribute(
        'shard', 'max_force_ev_per_angstrom', 'float', 'Largest force on an atom, eV/angstrom.', 'max F\neV/Å', 3
    ),
    _attribute('shard', 'schema_version', 'int', 'Version of the file layout.'),
    *_theory('shard'),
)

_CALCULATION_COLUMNS = (
    *_common('job'),
    Column('process_state', 'job', 'attributes.process_state', 'str', 'State of the process.', 'state'),
    Column('exit_status', 'job', 'attributes.exit_status', 'int', 'Exit status; 0 is success.', 'exit\nstatus'),
    Column('cell', 'cell', 'id', 'int', 'Pk of its structure.', 'cell'),
    Column('ecutwfc_ry', 'parameters', 'attributes.SYSTEM.ecutwfc', 'float', 'Cutoff, Ry.', 'cutoff\nRy', 1),
    Column('code_version', 'printed', 'attributes.creator_version', 'str', 'Version of pw.x.', 'pw.x'),
    Column('n_atoms', 'printed', 'attributes.number_of_atoms', 'int', 'Number of atoms.', 'atoms'),
    Column('n_kpoints', 'printed', 'attributes.number_of_k_points', 'int', 'Irreducible k-points.', 'k-points'),
    Column('scf_iterations', 'printed', 'attributes.scf_iterations', 'int', 'Self-consistency iterations.', 'scf'),
    Column('wall_time_s', 'printed', 'attributes.wall_time_seconds', 'float', 'Wall time, s.', 'time\ns', 1),
    Column('energy_ev', 'printed', 'attributes.energy', 'float', 'Total energy, eV.', 'E\neV', 4),
)

_STOP_COLUMNS = (
    _attribute('trajectory', 'stop_reason', 'str', 'Why the trajectory ended.', 'stop reason', has_few_values=True),
    _attribute('trajectory', 'stop_time_ps', 'float', 'Time at which it ended, ps.', 'stop\nps', 3),
    _attribute('trajectory', 'n_atoms', 'int', 'Number of atoms.', 'atoms'),
    Column(
        'energy_disagreement_ev',
        'trajectory',
        'attributes.candidate_energy_disagreement',
        'float',
        'Energy disagreement of the members at the stop, eV/sqrt(atom).',
        'disagreement\neV/√atom',
        4,
    ),
    Column(
        'force_disagreement_max_ev_per_angstrom',
        'trajectory',
        'attributes.candidate_force_disagreement_max',
        'float',
        'Largest force disagreement on an atom at the stop, eV/angstrom.',
    ),
    _attribute('trajectory', 'max_temperature_k', 'float', 'Highest temperature, K.', 'max T\nK', 0),
    _attribute(
        'trajectory', 'closest_contact_angstrom', 'float', 'Shortest interatomic distance at the end, angstrom.'
    ),
)

_TRAJECTORY_COLUMNS = (
    *_common('trajectory'),
    Column('iteration', 'iteration', 'attributes.value', 'int', 'Active-learning iteration.', 'iteration'),
    *_STOP_COLUMNS,
    _attribute('trajectory', 'n_frames', 'int', 'Number of stored frames.', 'frames'),
)

_CANDIDATE_COLUMNS = (
    *_common('candidate'),
    Column('trajectory', 'trajectory', 'id', 'int', 'Pk of its trajectory.', 'trajectory'),
    *_STOP_COLUMNS,
)

_TEST = 'attributes.test.'
_ENSEMBLE_COLUMNS = (
    *_common('ensemble'),
    Column('trained_by', '', 'id', 'int', 'Pk of the campaign that trained it.', 'campaign'),
    Column('stage', 'stage', 'label', 'str', 'initial training, retraining or final training.', 'stage'),
    Column('iteration', 'retrained_after', 'attributes.value', 'int', 'Iteration of its retraining.', 'iteration'),
    Column(
        'n_labels', 'summary', 'attributes.n_configurations', 'int', 'Number of labels it was trained on.', 'labels'
    ),
    Column(
        'test_energy_rmse_mev_per_atom',
        'summary',
        _TEST + 'energy_rmse_mev_per_atom',
        'float',
        'RMSE of the energy on the test blocks, meV/atom.',
        'test E\nmeV/atom',
        1,
    ),
    Column(
        'test_force_rmse_ev_per_angstrom',
        'summary',
        _TEST + 'force_rmse_ev_per_angstrom',
        'float',
        'RMSE of the forces on the test blocks, eV/angstrom.',
        'test F\neV/Å',
        3,
    ),
    _attribute('ensemble', 'n_members', 'int', 'Number of networks.', 'members'),
    Column('label', 'ensemble', 'label', 'str', 'Label of the node.', 'label'),
    _attribute('ensemble', 'self_energy_ev', 'float', 'Energy added to every atom, eV.'),
)

_CAMPAIGN_COLUMNS = (
    *_common('campaign'),
    Column('label', 'campaign', 'label', 'str', 'Label of the campaign.', 'label'),
    Column('process_state', 'campaign', 'attributes.process_state', 'str', 'State of the process.', 'state'),
    Column('exit_status', 'campaign', 'attributes.exit_status', 'int', 'Exit status; 0 is success.', 'exit\nstatus'),
    Column('verdict', 'verdict', 'attributes.verdict', 'str', 'Why the campaign ended.', 'verdict'),
    Column('converged', 'verdict', 'attributes.converged', 'bool', 'Whether it has converged.', 'converged'),
    Column('n_iterations', 'verdict', 'attributes.n_iterations', 'int', 'Number of iterations.', 'iterations'),
    Column('n_labels', 'verdict', 'attributes.n_labels', 'int', 'Number of labels.', 'labels'),
    Column('n_trajectories', 'verdict', 'attributes.n_trajectories', 'int', 'Number of trajectories.', 'trajectories'),
)


def _quantities() -> list[Column]:
    """Return the columns that the properties describe; several properties may share one."""
    columns: dict[str, list[PropertyColumn]] = {}
    for _, column in keyed_columns():
        columns.setdefault(column.key, []).append(column)
    return [
        Column(
            key,
            'quantities',
            f'attributes.quantities.{same[0].quantity}.value',
            'float',
            f'{same[0].help}{_unit(same)}.',
            same[0].heading,
            same[0].digits,
        )
        for key, same in columns.items()
    ]


def _unit(columns: list[PropertyColumn]) -> str:
    """Return the unit as the end of a sentence; properties that share a column may have different ones."""
    units = dict.fromkeys(column.unit for column in columns if column.unit != '1')
    return f', {" or ".join(units)}' if units else ''


_BENCHMARK_COLUMNS = (
    *_common('quantities'),
    _attribute('quantities', 'property', 'str', 'Name of the property.', 'property'),
    Column('process', 'maker', 'attributes.process_label', 'str', 'PropertyCalculation, or analyse_property by DFT.'),
    Column('ensemble', 'benchmarked', 'id', 'int', 'Pk of the ensemble.', 'ensemble'),
    *_quantities(),
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind('labels', 'Labelled configurations.', _LABEL_COLUMNS, paths.add_labels, {'shard': paths.add_shard}),
        Kind('shards', 'Sets of labels, each stored in one file.', _SHARD_COLUMNS, paths.add_shards),
        Kind(
            'calculations',
            'Calculations by pw.x, including failed ones.',
            _CALCULATION_COLUMNS,
            paths.add_calculations,
            {'printed': paths.add_printed},
        ),
        Kind(
            'trajectories',
            'Trajectories of MD.',
            _TRAJECTORY_COLUMNS,
            paths.add_trajectories,
            {'iteration': paths.add_iteration},
        ),
        Kind('candidates', 'Configurations taken from trajectories.', _CANDIDATE_COLUMNS, paths.add_candidates),
        Kind(
            'ensembles',
            'Trained or imported potentials.',
            _ENSEMBLE_COLUMNS,
            paths.add_ensembles,
            {
                'summary': paths.add_training,
                'stage': paths.add_stage,
                'retrained_after': paths.add_retraining,
            },
            {'trained_by': campaigns_that_trained},
        ),
        Kind(
            'benchmarks',
            'Properties of ensembles, of other potentials and by DFT.',
            _BENCHMARK_COLUMNS,
            paths.add_benchmarks,
            {'benchmarked': paths.add_benchmarked},
        ),
        Kind(
            'campaigns',
            'Active-learning campaigns.',
            _CAMPAIGN_COLUMNS,
            paths.add_campaigns,
            {'verdict': paths.add_verdict},
        ),
    )
}
