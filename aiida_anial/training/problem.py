"""The fixed part of a training: data, architecture, settings and targets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.potential import potential_bytes
from aiida_anial.potential.settings import EngineSettings, ModelSettings
from aiida_anial.training.parameters import draw_parameters, pack
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.splits import Role, roles
from aiida_anial.training.targets import JacobianStore, Targets, least_squares_self_energy

__all__ = ('Problem',)

# Settings that do not change the result and may differ between a checkpoint and its continuation.
_WITHOUT_EFFECT = ('memory_gib', 'checkpoint_interval_s')


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that does not change during a training of M members on C configurations.

    :param model: architecture.
    :param settings: settings of the training.
    :param seed: seed of all random numbers.
    :param initial: ensemble with the initial weights of the first attempt of each member, or None.
    :param self_energy: energy per atom in eV, that of ``initial`` or else by least squares.
    :param targets: labels and descriptors of the configurations.
    :param n_atoms: ``[C]`` number of atoms in each configuration.
    :param roles: ``[M, C]`` role of each configuration for each member, values of ``Role``.
    :param weights: ``[C]`` weight of each configuration in the loss, one on average.
    :param fingerprint: SHA-256 of everything that the result depends on.
    :param loss_bound: ``[M]`` training loss in eV^2 above which a member has diverged.
    """

    model: ModelSettings
    settings: TrainingSettings
    seed: int
    initial: Ensemble | None
    self_energy: float
    targets: Targets
    n_atoms: NDArray[np.int64]
    roles: NDArray[np.int8]
    weights: NDArray[np.float64]
    fingerprint: str
    loss_bound: NDArray[np.float64]

    @classmethod
    def prepare(
        cls,
        data: LabelledCells,
        *,
        model: ModelSettings,
        settings: TrainingSettings,
        seed: int,
        initial: Ensemble | None,
        engine: EngineSettings,
        check: Callable[[int], None],
    ) -> Self:
        """Compute descriptors and Jacobians, and return the problem.

        :param data: labelled configurations.
        :param engine: precision and device of the training.
        :param check: called with the index of each configuration before its Jacobian is computed; may raise.
        :raises AnialError: if a member has nothing to train on, or ``initial`` has another architecture.
        """
        split = roles(data.hashes(), model.n_members)
        _check_split(split)
        if initial is not None and initial.model != model:
            raise AnialError('training: the initial ensemble has another architecture than the model to be trained.')
        known = {key: value for key, value in settings.to_dict().items() if key not in _WITHOUT_EFFECT}
        weights = configuration_weights(data, settings.force_scale_ev_per_angstrom)
        self_energy = least_squares_self_energy(data) if initial is None else initial.self_energy
        store = JacobianStore(
            data.cells,
            model.descriptor,
            dtype=getattr(torch, engine.dtype),
            device=engine.device,
            memory_gib=settings.memory_gib,
            check=check,
        )
        return cls(
            model=model,
            settings=settings,
            seed=seed,
            initial=initial,
            self_energy=self_energy,
            targets=Targets(data, store, self_energy=self_energy),
            n_atoms=data.cells.n_atoms,
            roles=split,
            weights=weights,
            fingerprint=_fingerprint(data, initial, [model.to_dict(), known, seed, engine.dtype]),
            loss_bound=_loss_bound(data, settings, split, weights, self_energy),
        )

    def initial_parameters(self, members: NDArray[np.int64], *, attempt: int) -> Tensor:
        """Return the initial parameters ``[len(members), P]`` of the members with these indices."""
        if self.initial is not None and attempt == 0:
            drawn = pack(self.initial)[members]
        else:
            drawn = np.stack(
                [
                    draw_parameters(
                        self.model,
                        seed=self.seed,
                        member=int(member),
                        attempt=attempt,
                        feature_norm=self.targets.feature_norm,
                    )
                    for member in members
                ]
            )
        features = self.targets.features
        return torch.as_tensor(drawn, dtype=features.dtype, device=features.device)


def _check_split(split: NDArray[np.int8]) -> None:
    """Raise an error if a member has no configuration to train on."""
    empty = np.flatnonzero(~(split == Role.TRAIN).any(axis=1))
    if empty.size:
        raise AnialError(
            f'training: member {empty[0]} would have nothing to train on among {split.shape[1]} labelled '
            'configurations; add more of them.'
        )


def configuration_weights(data: LabelledCells, force_scale: float | None) -> NDArray[np.float64]:
    """Return the weight ``[C]`` of each configuration in the loss, one on average.

    :param force_scale: root mean square of the force components, in eV/angstrom, at which the weight is half of that at
        rest; None if all weights are one.
    """
    if force_scale is None:
        return np.ones(len(data))
    squared = np.add.reduceat((data.forces**2).sum(axis=1), data.cells.offsets[:-1]) / (3 * data.cells.n_atoms)
    weights: NDArray[np.float64] = 1 / (1 + squared / force_scale**2)
    weights /= weights.mean()
    return weights


def _loss_bound(
    data: LabelledCells,
    settings: TrainingSettings,
    split: NDArray[np.int8],
    weights: NDArray[np.float64],
    self_energy: float,
) -> NDArray[np.float64]:
    """Return ten times the loss ``[M]`` of the self energy alone, with an additional error of 1 eV/atom, in eV^2."""
    n_atoms = data.cells.n_atoms
    forces = np.add.reduceat((data.forces**2).sum(axis=1), data.cells.offsets[:-1])
    virials = data.cells.volumes**2 * (data.stresses**2).sum(axis=(1, 2))
    loss = (data.energies - self_energy * n_atoms) ** 2 + n_atoms**2
    loss = weights * (loss + settings.force_weight * forces + settings.stress_weight_at(settings.max_steps) * virials)
    return np.array([10.0 * loss[row == Role.TRAIN].mean() for row in split])


def _fingerprint(data: LabelledCells, initial: Ensemble | None, settings: list[Any]) -> str:
    """Return the SHA-256 of everything that the result of the training depends on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    cells = data.cells
    for array in (cells.positions, cells.lattices, cells.offsets, data.energies, data.forces, data.stresses):
        digest.update(np.ascontiguousarray(array).tobytes())
    if initial is not None:
        digest.update(potential_bytes(initial))
    return digest.hexdigest()
