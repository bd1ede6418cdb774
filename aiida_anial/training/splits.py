"""Splits of the data: which configurations each member of the ensemble trains on, validates on and is tested on.

Smith et al., Nat. Commun. 12, 1257 (2021), section II.A: the data are divided into sixteen blocks; every network uses
thirteen of them for training, two for validation and one for testing, and the blocks rotate over the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ('N_BLOCKS', 'Role', 'block_of', 'roles')

N_BLOCKS = 16


class Role(IntEnum):
    """The role of a configuration for a member."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


def block_of(content_hash: str) -> int:
    """Return the block, 0 to 15, of a configuration.

    The block depends only on the configuration, so a test configuration stays one however the dataset grows.

    :param content_hash: SHA-256 of the configuration from ``common.labels.content_hash``, in hexadecimal.
    """
    return int(content_hash[:8], 16) % N_BLOCKS


def roles(hashes: Sequence[str], n_members: int) -> NDArray[np.int8]:
    """Return the roles ``[M, C]`` of all configurations for all members, values of ``Role``.

    Member m validates on the blocks 2m and 2m + 1, is tested on block 2m + 2 (all modulo 16) and trains on the other
    thirteen. With eight members every configuration validates exactly one of them.

    :param hashes: ``[C]`` content hashes.
    :param n_members: number of members M.
    """
    blocks = np.array([block_of(content_hash) for content_hash in hashes], dtype=np.int64)
    # The distance from the member's first validation block determines the role: 0 and 1 validate, 2 tests.
    distance = (blocks[None, :] - 2 * np.arange(n_members)[:, None]) % N_BLOCKS
    result = np.full(distance.shape, Role.TRAIN, dtype=np.int8)
    result[distance < 2] = Role.VALIDATION
    result[distance == 2] = Role.TEST
    return result
