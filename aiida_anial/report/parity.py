"""Predictions of each member on its test block, which it used neither for its weights nor for early stopping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.training.splits import Role, roles

__all__ = ('Parity', 'parity_on_test_blocks')


@dataclass(frozen=True, eq=False)
class Parity:
    """Labels and predictions for T pairs of a member and a configuration of its test block, A atoms in total.

    :param members: ``[T]`` member.
    :param rows: ``[T]`` index of the configuration in the dataset.
    :param n_atoms: ``[T]`` number of its atoms.
    :param energies: ``[T]`` total energy of the label, eV.
    :param predicted_energies: ``[T]`` total energy by the member, eV.
    :param forces: ``[A, 3]`` forces of the label, eV/angstrom.
    :param predicted_forces: ``[A, 3]`` forces by the member, eV/angstrom.
    """

    members: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_atoms: NDArray[np.int64]
    energies: NDArray[np.float64]
    predicted_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    predicted_forces: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def energy_rmse_mev_per_atom(self) -> float:
        """Root mean square error of the energy over all pairs, meV/atom."""
        return float(1e3 * np.sqrt(np.mean(((self.predicted_energies - self.energies) / self.n_atoms) ** 2)))

    @property
    def force_rmse_ev_per_angstrom(self) -> float:
        """Root mean square error of the force components of all pairs, eV/angstrom."""
        return float(np.sqrt(np.mean((self.predicted_forces - self.forces) ** 2)))

    def records(self, labelled: LabelledCells) -> Iterator[dict[str, Any]]:
        """Yield a row for each pair.

        :param labelled: the dataset that the pairs were taken from.
        """
        hashes = labelled.hashes()
        squares = ((self.predicted_forces - self.forces) ** 2).mean(axis=1)
        starts = np.cumsum([0, *self.n_atoms])
        for index, row in enumerate(self.rows):
            yield {
                'content_hash': hashes[row],
                'calculation': labelled.uuids[row],
                'iteration': int(labelled.iterations[row]),
                'member': int(self.members[index]),
                'n_atoms': int(self.n_atoms[index]),
                'energy_ev': float(self.energies[index]),
                'predicted_energy_ev': float(self.predicted_energies[index]),
                'force_rmse_ev_per_angstrom': float(np.sqrt(squares[starts[index] : starts[index + 1]].mean())),
            }


def parity_on_test_blocks(ensemble: Potential, labelled: LabelledCells) -> Parity | None:
    """Return labels and predictions on the test block of each member, or ``None`` if all test blocks are empty.

    :param labelled: dataset that the ensemble was trained on.
    """
    parts = [part for member in range(ensemble.model.n_members) for part in _of_member(ensemble, member, labelled)]
    if not parts:
        return None
    return Parity(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _of_member(ensemble: Potential, member: int, labelled: LabelledCells) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the arrays of ``Parity`` one configuration at a time, because all neighbour lists together are large."""
    engine = make_engine(ensemble.member(member), EngineSettings())
    chosen = np.flatnonzero(roles(labelled.hashes(), ensemble.model.n_members)[member] == Role.TEST)
    for row in chosen:
        prediction = engine.evaluate(labelled.cells.select(np.array([row])))
        assert prediction.forces is not None
        yield {
            'members': np.array([member]),
            'rows': np.array([row]),
            'n_atoms': prediction.n_atoms,
            'energies': labelled.energies[[row]],
            'predicted_energies': prediction.energies,
            'forces': labelled.forces_of(int(row)),
            'predicted_forces': prediction.forces,
        }
