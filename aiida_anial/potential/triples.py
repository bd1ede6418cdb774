"""The layout of the triples that K neighbours make with their centre."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ('EachTripleOnce',)


class EachTripleOnce:
    """The triples (j, j + 1 + m modulo K) at place ``[m, j]``, ``[..., (K - 1) / 2, K]``, for an odd K.

    Neighbours on a ring of odd length, each with the half that follows it: every pair once, with no table of indices.
    The second neighbours are a view of memory, which is an order of magnitude faster than gathering them.
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
        """Return ``[..., K]``: for each neighbour the sum over the triples that it is in.

        :param of_first: ``[..., (K - 1) / 2, K]`` what each triple gives to its first neighbour.
        :param of_second: the same for its second neighbour.
        """
        half, width = of_second.shape[-2:]
        # Read in rows one shorter than written, row m moves m places to the right: column q holds neighbour q + 1.
        padded = torch.nn.functional.pad(of_second, (0, width)).flatten(-2)[..., : half * (2 * width - 1)]
        ring = padded.view(*padded.shape[:-1], half, 2 * width - 1).sum(-2)
        second = torch.cat([ring[..., width - 1 : width], ring[..., : width - 1] + ring[..., width:]], dim=-1)
        return of_first.sum(-2) + second
