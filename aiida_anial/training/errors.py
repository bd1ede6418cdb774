"""Errors of a potential on labelled configurations, and how well its disagreement predicts them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.tensors import TensorFile, read_tensors, write_tensors
from aiida_anial.potential.engine import Engine, Prediction
from aiida_anial.potential.potential import Potential
from aiida_anial.training.splits import Role, roles

__all__ = ('ConfigurationErrors', 'configuration_errors', 'summarise', 'summarise_roles')

_KIND = 'errors'
_SCHEMA_VERSION = 1
_UNITS = {
    'energies': 'eV',
    'forces': 'eV/angstrom',
    'stresses': 'eV/angstrom^3',
    'energy_disagreement': 'eV/sqrt(atom)',
}
# Atoms in one evaluation, about.
_MAX_ATOMS = 500


@dataclass(frozen=True, eq=False)
class ConfigurationErrors:
    """Errors of M members and of their mean, the ensemble, on C configurations.

    :param n_atoms: ``[C]`` number of atoms in each configuration, int64.
    :param label_energies: ``[C]`` total energies of the labels, eV.
    :param member_energies: ``[M, C]`` total energies by each member, eV.
    :param energy_disagreement: ``[C]`` standard deviation over the members, divided by the square root of the number
        of atoms, eV.
    :param force_rmse: ``[C]`` root mean square error of the force components of the ensemble, eV/angstrom.
    :param force_max_error: ``[C]`` largest absolute error of a force component of the ensemble, eV/angstrom.
    :param force_mae: ``[C]`` mean absolute error of the force components of the ensemble, eV/angstrom.
    :param force_disagreement_mean: ``[C]`` mean over atoms of the force disagreement, eV/angstrom.
    :param force_disagreement_max: ``[C]`` largest force disagreement of an atom, eV/angstrom.
    :param stress_rmse: ``[C]`` root mean square error of the nine stress components of the ensemble, eV/angstrom^3.
    :param member_force_rmse: ``[M, C]`` ``force_rmse`` of each member.
    :param member_force_mae: ``[M, C]`` ``force_mae`` of each member.
    :param roles: ``[M, C]`` role of the configuration for each member (``splits.Role``), int8.
    """

    n_atoms: NDArray[np.int64]
    label_energies: NDArray[np.float64]
    member_energies: NDArray[np.float64]
    energy_disagreement: NDArray[np.float64]
    force_rmse: NDArray[np.float64]
    force_max_error: NDArray[np.float64]
    force_mae: NDArray[np.float64]
    force_disagreement_mean: NDArray[np.float64]
    force_disagreement_max: NDArray[np.float64]
    stress_rmse: NDArray[np.float64]
    member_force_rmse: NDArray[np.float64]
    member_force_mae: NDArray[np.float64]
    roles: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.n_atoms)

    @property
    def energy_errors(self) -> NDArray[np.float64]:
        """``[C]`` total energy predicted by the ensemble minus that of the label, eV."""
        errors: NDArray[np.float64] = self.member_energies.mean(axis=0) - self.label_energies
        return errors

    @property
    def member_energy_errors(self) -> NDArray[np.float64]:
        """``[M, C]`` total energy predicted by each member minus that of the label, eV."""
        return self.member_energies - self.label_energies

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the errors in the file ``path``.

        :raises FileFormatError: if the file is not of kind ``errors``.
        """
        arrays = read_tensors(path, kind=_KIND, schema_version=_SCHEMA_VERSION).arrays
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def write(self, path: Path) -> None:
        """Write the errors to a safetensors file of kind ``errors``."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        write_tensors(path, TensorFile(_KIND, _SCHEMA_VERSION, {'units': _UNITS}, arrays))


def configuration_errors(potential: Potential, data: LabelledCells, engine: Engine) -> ConfigurationErrors:
    """Return the errors of ``potential`` on ``data``.

    :param potential: the potential that ``engine`` evaluates.
    :param data: labelled configurations, at least one.
    :param engine: evaluates the potential.
    :raises AnialError: if there are no configurations.
    """
    if not len(data):
        raise AnialError('there are no labelled configurations to compute errors on.')
    parts = [_errors(data, chunk, engine) for chunk in _chunks(data.cells.n_atoms)]
    arrays = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
    return ConfigurationErrors(
        n_atoms=data.cells.n_atoms,
        label_energies=data.energies,
        roles=roles(data.hashes(), potential.model.n_members),
        **arrays,
    )


def _chunks(n_atoms: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Divide the configurations into consecutive chunks of about ``_MAX_ATOMS`` atoms, given as indices."""
    run = np.cumsum(n_atoms) // _MAX_ATOMS
    return np.split(np.arange(len(n_atoms)), np.flatnonzero(np.diff(run)) + 1)


def _errors(data: LabelledCells, chunk: NDArray[np.int64], engine: Engine) -> dict[str, NDArray[np.float64]]:
    """Return the errors on the configurations ``chunk``, by field of ``ConfigurationErrors``."""
    cells = data.cells.select(chunk)
    prediction: Prediction = engine.evaluate(cells, forces=True, stress=True, member_forces=True)
    assert prediction.forces is not None
    assert prediction.member_forces is not None
    assert prediction.stresses is not None
    labels = np.concatenate([data.forces_of(int(index)) for index in chunk])
    errors = np.abs(prediction.forces - labels)
    member_errors = np.abs(prediction.member_forces - labels)
    starts = cells.offsets[:-1]

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.add.reduceat(values, starts, axis=-1)
        return sums / cells.n_atoms

    disagreement = prediction.force_disagreement
    return {
        'member_energies': prediction.member_energies,
        'energy_disagreement': prediction.energy_disagreement,
        'force_rmse': np.sqrt(mean((errors**2).mean(axis=-1))),
        'force_max_error': np.maximum.reduceat(errors.max(axis=-1), starts),
        'force_mae': mean(errors.mean(axis=-1)),
        'force_disagreement_mean': mean(disagreement),
        'force_disagreement_max': np.maximum.reduceat(disagreement, starts),
        'stress_rmse': np.sqrt(((prediction.stresses - data.stresses[chunk]) ** 2).mean(axis=(1, 2))),
        'member_force_rmse': np.sqrt(mean((member_errors**2).mean(axis=-1))),
        'member_force_mae': mean(member_errors.mean(axis=-1)),
    }


def summarise(errors: ConfigurationErrors) -> dict[str, Any]:
    """Return a summary of the errors of the ensemble.

    Spearman rank correlations measure how well the disagreement orders configurations by their true error; they are
    None where they are undefined.
    """
    per_atom = 1e3 * errors.energy_errors / errors.n_atoms
    per_sqrt_atom = np.abs(errors.energy_errors) / np.sqrt(errors.n_atoms)
    return {
        'n_configurations': len(errors),
        'mean_n_atoms': float(errors.n_atoms.mean()),
        'energy_rmse_mev_per_atom': float(np.sqrt(np.mean(per_atom**2))),
        'energy_mae_mev_per_atom': float(np.mean(np.abs(per_atom))),
        'force_rmse_ev_per_angstrom': _rms(errors.force_rmse, errors.n_atoms),
        'force_mae_ev_per_angstrom': float(np.average(errors.force_mae, weights=errors.n_atoms)),
        'force_max_error_ev_per_angstrom': float(errors.force_max_error.max()),
        'stress_rmse_ev_per_angstrom3': float(np.sqrt(np.mean(errors.stress_rmse**2))),
        'mean_energy_disagreement_ev_per_sqrt_atom': float(errors.energy_disagreement.mean()),
        'mean_force_disagreement_ev_per_angstrom': float(
            np.average(errors.force_disagreement_mean, weights=errors.n_atoms)
        ),
        'energy_rank_correlation': _rank_correlation(errors.energy_disagreement, per_sqrt_atom),
        'force_rank_correlation': _rank_correlation(errors.force_disagreement_mean, errors.force_rmse),
    }


def summarise_roles(errors: ConfigurationErrors) -> dict[str, Any]:
    """Return the errors of single members, pooled over the training, validation and test blocks of each member.

    A number is None if no configuration has the role. ``median_heldout_error_ev_per_sqrt_atom`` is the median over
    configurations of abs(E_m - E) / sqrt(n), with m the member that the configuration validates, and
    ``median_heldout_force_error_ev_per_angstrom`` that of its ``force_rmse``.
    """
    is_heldout = errors.roles == Role.VALIDATION
    heldout = (np.abs(errors.member_energy_errors) / np.sqrt(errors.n_atoms))[is_heldout]
    return {
        **{role.name.lower(): _pooled(errors, errors.roles == role) for role in Role},
        'median_heldout_error_ev_per_sqrt_atom': float(np.median(heldout)) if heldout.size else None,
        'median_heldout_force_error_ev_per_angstrom': float(np.median(errors.member_force_rmse[is_heldout]))
        if heldout.size
        else None,
    }


def _pooled(errors: ConfigurationErrors, mask: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """Return the errors pooled over the pairs of member and configuration in ``mask`` ``[M, C]``."""
    numbers: dict[str, float | int | None] = {'n_configurations': int(mask.any(axis=0).sum())}
    names = (
        'energy_rmse_mev_per_atom',
        'energy_mae_mev_per_atom',
        'force_rmse_ev_per_angstrom',
        'force_mae_ev_per_angstrom',
    )
    if not mask.any():
        return numbers | dict.fromkeys(names)
    n_atoms = np.broadcast_to(errors.n_atoms, mask.shape)[mask]
    per_atom = 1e3 * errors.member_energy_errors[mask] / n_atoms
    values = (
        np.sqrt(np.mean(per_atom**2)),
        np.mean(np.abs(per_atom)),
        _rms(errors.member_force_rmse[mask], n_atoms),
        np.average(errors.member_force_mae[mask], weights=n_atoms),
    )
    return numbers | {name: float(value) for name, value in zip(names, values, strict=True)}


def _rms(values: NDArray[np.float64], weights: NDArray[np.int64]) -> float:
    """Return the weighted root mean square."""
    return float(np.sqrt(np.average(values**2, weights=weights)))


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return the Spearman correlation, or None for fewer than three values or constant ones."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
