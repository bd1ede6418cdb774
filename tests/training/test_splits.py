"""Splits into training, validation and test configurations."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from aiida_anial.training.splits import N_BLOCKS, Role, block_of, roles


def one_of_each_block() -> list[str]:
    return [f'{block:08x}' + 56 * '0' for block in range(N_BLOCKS)]


@pytest.mark.parametrize(('digits', 'block'), [('00000000', 0), ('0000000f', 15), ('00000010', 0), ('fffffff7', 7)])
def test_block_comes_from_the_hash(digits, block):
    assert block_of(digits + 56 * 'e') == block


def test_thirteen_two_and_one_blocks():
    split = roles(one_of_each_block(), 8)
    for role, count in ((Role.TRAIN, 13), (Role.VALIDATION, 2), (Role.TEST, 1)):
        assert ((split == role).sum(axis=1) == count).all()


def test_every_configuration_validates_exactly_one_of_eight_members():
    assert ((roles(one_of_each_block(), 8) == Role.VALIDATION).sum(axis=0) == 1).all()


def test_rotation():
    split = roles(one_of_each_block(), 8)
    assert np.flatnonzero(split[3] == Role.VALIDATION).tolist() == [6, 7]
    assert np.flatnonzero(split[3] == Role.TEST).tolist() == [8]
    assert np.flatnonzero(split[7] == Role.TEST).tolist() == [0]


def test_blocks_are_filled_evenly():
    hashes = [hashlib.sha256(str(index).encode()).hexdigest() for index in range(3200)]
    counts = np.bincount([block_of(digits) for digits in hashes], minlength=N_BLOCKS)
    # Chi squared with 15 degrees of freedom exceeds 44.3 once in ten thousand.
    assert ((counts - 200) ** 2 / 200).sum() < 44.3


def test_a_role_is_for_ever(emt_data):
    hashes = emt_data.hashes()
    np.testing.assert_array_equal(roles(hashes, 8)[:, :10], roles(hashes[:10], 8))
    np.testing.assert_array_equal(roles(hashes[::-1], 8)[:, ::-1], roles(hashes, 8))
