"""Jacobians of the descriptors of a cell, in three forms, and their products with energy gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from aiida_anial.potential.jacobian import DescriptorJacobian, FeatureGradients
from aiida_anial.potential.kernels.contraction import MEMBERS, FeatureGradientsBlock, Work, apply, transpose

__all__ = (
    'VOIGT',
    'DenseJacobian',
    'Jacobian',
    'SparseJacobian',
    'SparseTensorJacobian',
    'adjoint_each',
    'apply_each',
    'map_in_threads',
    'smaller_jacobian',
)

_T = TypeVar('_T')


@lru_cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix='anial')


def map_in_threads(function: Callable[..., _T], *arguments: Iterable[Any]) -> list[_T]:
    """Return the results of ``function`` for all arguments, computed in as many threads as torch may use.

    ``function`` must not use torch's own threads.
    """
    n_threads = torch.get_num_threads()
    mapped = map(function, *arguments) if n_threads == 1 else _pool(n_threads).map(function, *arguments)
    return list(mapped)


# The six independent strains in Voigt order.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
N_STRAINS = len(VOIGT)
_ROWS, _COLUMNS = np.transpose(VOIGT)


class Jacobian(Protocol):
    """The derivatives of the descriptors ``[n, F]`` of a cell by positions and strains, as a linear map."""

    @property
    def n_bytes(self) -> int:
        """The memory that the map takes, in bytes."""
        ...

    def apply(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives of M energies by positions ``[M, n, 3]`` and strains ``[M, 6]``.

        :param gradients: ``[M, n, F]`` derivatives of the energies by the descriptors.
        """
        ...

    def adjoint(self, by_position: Tensor, by_strain: Tensor) -> Tensor:
        """Apply the transpose of the map, which back-propagates derivatives of a loss; return ``[M, n, F]``.

        :param by_position: ``[M, n, 3]`` derivatives of the loss by dE/dr.
        :param by_strain: ``[M, 6]`` derivatives of the loss by dE/dstrain.
        """
        ...


@dataclass(frozen=True)
class SparseJacobian:
    """The map by way of the vectors to the neighbours, on the CPU: its size per atom does not grow with the cell.

    :param blocks: blocks of feature gradients, in which every atom comes once.
    :param n_atoms: number of atoms of the cell, n.
    """

    blocks: tuple[FeatureGradientsBlock, ...]
    n_atoms: int

    @classmethod
    def of(cls, jacobian: DescriptorJacobian) -> Self:
        """Return the map of ``jacobian``, sharing its arrays."""
        blocks = []
        for pairs in jacobian.pairs:
            (n_atoms, n_near, _, n_angular), (n_neighbours, n_radial) = pairs.angular.shape, pairs.radial.shape[1:]
            arrays = (part.numpy() for part in _tensors(pairs))
            blocks.append(FeatureGradientsBlock(n_atoms, n_neighbours, n_near, n_radial, n_angular, *arrays))
        return cls(tuple(blocks), len(jacobian.values))

    @property
    def n_bytes(self) -> int:
        """The memory that the map takes, in bytes."""
        return sum(array.nbytes for block in self.blocks for array in block[5:])

    @property
    def n_features(self) -> int:
        """The length of a descriptor, F."""
        return int(self.blocks[0].n_radial + self.blocks[0].n_angular)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the feature gradients."""
        return torch.from_numpy(self.blocks[0].vectors).dtype

    @property
    def n_bytes_dense(self) -> int:
        """The memory that the equivalent `DenseJacobian` would take, in bytes."""
        return (3 * self.n_atoms + N_STRAINS) * self.n_atoms * self.n_features * self.dtype.itemsize

    def apply(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives of M energies by positions ``[M, n, 3]`` and strains ``[M, 6]``."""
        by_position = gradients.new_empty(len(gradients), self.n_atoms, 3)
        by_strain = gradients.new_empty(len(gradients), N_STRAINS)
        for first in range(0, len(gradients), MEMBERS):
            members = slice(first, min(first + MEMBERS, len(gradients)))
            work = Work.zeros(self.blocks, self.n_atoms)
            of_members = gradients[members].numpy()
            for block in self.blocks:
                apply(block, of_members, work)
            by_position[members] = torch.from_numpy(work.by_position).permute(2, 0, 1)[: len(of_members)]
            by_strain[members] = torch.from_numpy(work.by_strain).T[: len(of_members)]
        return by_position, by_strain

    def adjoint(self, by_position: Tensor, by_strain: Tensor) -> Tensor:
        """Apply the transpose of ``apply``."""
        gradients = by_position.new_empty(len(by_position), self.n_atoms, self.n_features)
        for first in range(0, len(gradients), MEMBERS):
            members = slice(first, min(first + MEMBERS, len(gradients)))
            work = Work.zeros(self.blocks, self.n_atoms)
            of_members = gradients[members].numpy()
            work.by_position[..., : len(of_members)] = by_position[members].permute(1, 2, 0).numpy()
            work.by_strain[:, : len(of_members)] = by_strain[members].T.numpy()
            for block in self.blocks:
                transpose(block, work, of_members)
        return gradients


@dataclass(frozen=True)
class DenseJacobian:
    """The map as a matrix, in which periodic images are merged: the smallest form for cells of up to about 30 atoms.

    :param matrix: ``[3 n + 6, n F]`` derivatives by the positions (1/angstrom), then by the strains.
    """

    matrix: Tensor

    @classmethod
    def of(cls, sparse: SparseJacobian, device: str) -> Self:
        """Return the same map as a matrix on ``device``."""
        n_rows = 3 * sparse.n_atoms + N_STRAINS
        unit = torch.eye(n_rows, dtype=sparse.dtype)
        by_position, by_strain = unit[:, :-N_STRAINS].view(n_rows, -1, 3), unit[:, -N_STRAINS:]
        return cls(sparse.adjoint(by_position, by_strain).flatten(1).to(device))

    @property
    def n_bytes(self) -> int:
        """The memory that the map takes, in bytes."""
        return self.matrix.nbytes

    def apply(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives of M energies by positions ``[M, n, 3]`` and strains ``[M, 6]``."""
        derivatives = gradients.flatten(1) @ self.matrix.T
        by_position = derivatives[:, :-N_STRAINS].reshape(*gradients.shape[:2], 3)
        return by_position, derivatives[:, -N_STRAINS:]

    def adjoint(self, by_position: Tensor, by_strain: Tensor) -> Tensor:
        """Apply the transpose of ``apply``."""
        derivatives = torch.cat([by_position.flatten(1), by_strain], dim=1)
        return (derivatives @ self.matrix).view(*by_position.shape[:2], -1)


@dataclass(frozen=True)
class SparseTensorJacobian:
    """The map by way of the vectors to the neighbours, on a GPU.

    :param pairs: blocks of feature gradients, in which every atom comes once.
    """

    pairs: tuple[FeatureGradients, ...]

    @classmethod
    def of(cls, jacobian: DescriptorJacobian, device: str) -> Self:
        """Return the map of ``jacobian`` on ``device``."""
        return cls(tuple(FeatureGradients(*(part.to(device) for part in _tensors(pairs))) for pairs in jacobian.pairs))

    @property
    def n_bytes(self) -> int:
        """The memory that the map takes, in bytes."""
        return sum(part.nbytes for pairs in self.pairs for part in _tensors(pairs))

    def apply(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives of M energies by positions ``[M, n, 3]`` and strains ``[M, 6]``."""
        n_members, n_atoms = gradients.shape[:2]
        of_atoms = gradients.transpose(0, 1)
        by_position = gradients.new_zeros(n_atoms, 3 * n_members)
        by_strain = gradients.new_zeros(3, 3 * n_members)
        for pairs in self.pairs:
            g = of_atoms[pairs.centres].transpose(1, 2)
            n_radial = pairs.radial.shape[2]
            # Derivatives by the vectors of the pairs, [B, K, 3, M].
            by_vector = pairs.vectors[..., None] * torch.bmm(pairs.radial, g[:, :n_radial])[:, :, None]
            angular = torch.bmm(pairs.angular.flatten(1, 2), g[:, n_radial:])
            by_vector[:, : pairs.angular.shape[1]] += angular.view(*pairs.angular.shape[:3], n_members)
            by_pair = by_vector.view(-1, 3 * n_members)
            by_position.index_add_(0, pairs.neighbours.flatten(), by_pair)
            by_position[pairs.centres] -= by_vector.sum(1).flatten(1)
            by_strain.addmm_(pairs.vectors.flatten(0, 1).T, by_pair)
        voigt = by_strain.view(3, 3, n_members)[_ROWS, _COLUMNS]
        return by_position.view(n_atoms, 3, n_members).permute(2, 0, 1), voigt.T

    def adjoint(self, by_position: Tensor, by_strain: Tensor) -> Tensor:
        """Apply the transpose of ``apply``."""
        n_members, n_atoms = by_position.shape[:2]
        of_atoms = by_position.permute(1, 2, 0).reshape(n_atoms, 3 * n_members)
        of_cell = by_strain.new_zeros(3, 3, n_members)
        of_cell[_ROWS, _COLUMNS] = by_strain.T
        parts = []
        for pairs in self.pairs:
            width = pairs.angular.shape[1]
            by_pair = of_atoms[pairs.neighbours] - of_atoms[pairs.centres][:, None]
            by_pair += pairs.vectors @ of_cell.view(3, 3 * n_members)
            by_vector = by_pair.view(*pairs.vectors.shape, n_members)
            along = (by_vector * pairs.vectors[..., None]).sum(2)
            turned = by_vector[:, :width].flatten(1, 2)
            radial = torch.bmm(along.transpose(1, 2), pairs.radial)
            angular = torch.bmm(turned.transpose(1, 2), pairs.angular.flatten(1, 2))
            parts.append(torch.cat([radial, angular], dim=2))
        order = torch.argsort(torch.cat([pairs.centres for pairs in self.pairs]))
        return torch.cat(parts)[order].transpose(0, 1)


def _tensors(pairs: FeatureGradients) -> tuple[Tensor, ...]:
    return (pairs.centres, pairs.neighbours, pairs.vectors, pairs.radial, pairs.angular)


def apply_each(
    jacobians: Sequence[Jacobian], gradients: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Apply the map of each cell; return the derivatives by positions and those by strains."""
    by_position, by_strain = zip(
        *_map_for(jacobians)(lambda jacobian, g: jacobian.apply(g), jacobians, gradients), strict=True
    )
    return by_position, by_strain


def adjoint_each(
    jacobians: Sequence[Jacobian], by_position: Sequence[Tensor], by_strain: Sequence[Tensor]
) -> list[Tensor]:
    """Apply the transposed map of each cell."""
    mapped = _map_for(jacobians)
    return list(mapped(lambda jacobian, *parts: jacobian.adjoint(*parts), jacobians, by_position, by_strain))


def _map_for(jacobians: Sequence[Jacobian]) -> Callable[..., Iterable[Any]]:
    """Return the ``map`` function for these Jacobians: torch already uses threads for products of matrices."""
    return map_in_threads if all(isinstance(jacobian, SparseJacobian) for jacobian in jacobians) else map


def smaller_jacobian(jacobian: DescriptorJacobian, device: str) -> Jacobian:
    """Return the form of ``jacobian`` that takes the least memory, on ``device``."""
    sparse = SparseJacobian.of(jacobian)
    if sparse.n_bytes_dense <= sparse.n_bytes:
        return DenseJacobian.of(sparse, device)
    return sparse if device == 'cpu' else SparseTensorJacobian.of(jacobian, device)
