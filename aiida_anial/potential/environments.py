"""Neighbours of every atom as padded tables, and the triples of the angular terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('EachTripleOnce', 'Environments', 'NeighbourTable', 'Shell', 'neighbour_tables')


class EachTripleOnce:
    """Layout of the triples: element ``[m, j]`` of ``[..., (K - 1) / 2, K]`` is (j, j + 1 + m modulo K), for an odd K.

    On a ring of K neighbours, each is paired with the (K - 1) / 2 that follow it, so every pair comes once and no table
    of indices is needed. The second neighbours are a view of memory, ten times faster than gathering them.
    """

    @staticmethod
    def first(values: Tensor) -> Tensor:
        """Return ``[..., 1, K]``, the value of the first neighbour of each triple."""
        return values[..., None, :]

    @staticmethod
    def second(values: Tensor) -> Tensor:
        """Return ``[..., (K - 1) / 2, K]``, the value of the second neighbour of each triple."""
        width = values.shape[-1]
        following = torch.cat([values[..., 1:], values[..., : width // 2]], dim=-1)
        return following.unfold(-1, width, 1)

    @staticmethod
    def gather(of_first: Tensor, of_second: Tensor) -> Tensor:
        """Return ``[..., K]``: for each neighbour the sum over the triples that contain it.

        :param of_first: ``[..., (K - 1) / 2, K]`` contribution of each triple to its first neighbour.
        :param of_second: ``[..., (K - 1) / 2, K]`` contribution of each triple to its second neighbour.
        """
        half, width = of_second.shape[-2:]
        # Reading rows one element shorter than written shifts row m by m places: column q then holds neighbour q + 1.
        padded = torch.nn.functional.pad(of_second, (0, width)).flatten(-2)[..., : half * (2 * width - 1)]
        ring = padded.view(*padded.shape[:-1], half, 2 * width - 1).sum(-2)
        second = torch.cat([ring[..., width - 1 : width], ring[..., : width - 1] + ring[..., width:]], dim=-1)
        return of_first.sum(-2) + second


@dataclass(frozen=True)
class Shell:
    """Q directed pairs within a cutoff, sorted by centre, and a dummy pair that pads tables.

    :param index: ``[Q]`` index of each pair in the list of all pairs.
    :param r: ``[Q + 1]`` distances in angstrom; that of the dummy is the cutoff, where every term vanishes.
    :param u: ``[3, Q + 1]`` unit vectors from centre to neighbour; that of the dummy is arbitrary.
    :param counts: ``[N]`` number of pairs of each centre.
    :param starts: ``[N]`` first pair of each centre.
    """

    index: Tensor
    r: Tensor
    u: Tensor
    counts: Tensor
    starts: Tensor

    @classmethod
    def of(cls, r: Tensor, u: Tensor, centre: Tensor, n_atoms: int, cutoff: float) -> Self:
        """Return the shell of the pairs that are closer than ``cutoff``."""
        index = torch.nonzero(r.detach() < cutoff).squeeze(1)
        counts = torch.bincount(centre[index], minlength=n_atoms)
        padded_r = torch.cat([r[index], r.new_full((1,), cutoff)])
        padded_u = torch.cat([u[:, index], u.new_tensor([[1.0], [0.0], [0.0]])], dim=1)
        return cls(index, padded_r, padded_u, counts, torch.cumsum(counts, 0) - counts)

    def geometry(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances ``[n, K]`` in angstrom and directions ``[n, 3, K]`` of the pairs in a table."""
        return self.r[table], self.u[:, table].transpose(0, 1)

    def table(self, centres: Tensor, width: int) -> Tensor:
        """Return ``[n, width]``: the pairs of each of n centres, padded with the dummy pair."""
        column = torch.arange(width, device=centres.device)
        table = self.starts[centres, None] + column
        return torch.where(column < self.counts[centres, None], table, len(self.index))


@dataclass(frozen=True)
class NeighbourTable:
    """The pairs of n centres, padded with dummy pairs.

    :param centres: ``[n]`` indices of the atoms.
    :param radial: ``[n, K_r]`` pairs in the radial shell.
    :param angular: ``[n, K_a]`` pairs in the angular shell; K_a is odd and at least 3.
    """

    centres: Tensor
    radial: Tensor
    angular: Tensor


@dataclass(frozen=True)
class Environments:
    """The radial and the angular shell of N atoms.

    :param radial: pairs within the radial cutoff.
    :param angular: pairs within the angular cutoff.
    """

    radial: Shell
    angular: Shell

    @classmethod
    def of(cls, vectors: Tensor, centre: Tensor, n_atoms: int, settings: DescriptorSettings) -> Self:
        """Return the environments of N atoms with the given pairs.

        :param vectors: ``[P, 3]`` from centres to neighbours in angstrom.
        :param centre: ``[P]`` index of the centre of each pair, ascending.
        """
        r = torch.linalg.vector_norm(vectors, dim=1)
        u = (vectors / r[:, None]).T.contiguous()
        return cls(
            Shell.of(r, u, centre, n_atoms, settings.radial_cutoff_angstrom),
            Shell.of(r, u, centre, n_atoms, settings.angular_cutoff_angstrom),
        )

    def radial_geometry(self, table: NeighbourTable) -> tuple[Tensor, Tensor]:
        """Return distances ``[n, K_r]`` in angstrom and directions ``[n, 3, K_r]``."""
        return self.radial.geometry(table.radial)

    def angular_geometry(self, table: NeighbourTable) -> tuple[Tensor, Tensor]:
        """Return distances ``[n, K_a]`` in angstrom and directions ``[n, 3, K_a]``."""
        return self.angular.geometry(table.angular)


def neighbour_tables(environments: Environments, *, max_triples: int) -> Iterator[NeighbourTable]:
    """Yield tables that together hold every atom once, atoms with the most neighbours first.

    :param max_triples: most triples in a table of several atoms; bounds the memory.
    """
    radial, angular = environments.radial, environments.angular
    order = torch.argsort(angular.counts, descending=True, stable=True)
    widths = [max(count, 2) // 2 * 2 + 1 for count in angular.counts[order].tolist()]
    first = 0
    while first < len(widths):
        width = widths[first]
        last = first + max(1, 2 * max_triples // (width * (width - 1)))
        centres = order[first:last]
        radial_width = max(int(radial.counts[centres].max()), 1)
        yield NeighbourTable(centres, radial.table(centres, radial_width), angular.table(centres, width))
        first = last
