"""Draw frames of trajectories at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NamedTuple, TypeVar

import numpy as np
from numpy.random import PCG64
from pydantic import Field

from aiida_anial.common.errors import AnialError
from aiida_anial.common.settings import Settings
from aiida_anial.sampling.streams import Purpose, stream

__all__ = ('DrawnFrames', 'FrameSettings', 'draw')

T = TypeVar('T')

_TEST_SHARE: Final = 0.1


class FrameSettings(Settings):
    """How many frames are drawn.

    :param n_frames: frames to learn from; all of them if there are fewer.
    :param n_test_frames: frames to test on, of a tenth of the trajectories, which gives none to learn from.
    """

    n_frames: Annotated[int, Field(ge=2)] = 2000
    n_test_frames: Annotated[int, Field(ge=1)] = 200


class DrawnFrames(NamedTuple):
    """Frames, each as the name of its trajectory and its index there.

    :param learn: frames to learn from.
    :param test: frames of other trajectories.
    """

    learn: list[tuple[str, int]]
    test: list[tuple[str, int]]


def draw(lengths: Mapping[str, int], settings: FrameSettings, *, seed: int) -> DrawnFrames:
    """Draw frames of trajectories; no trajectory gives frames both to learn from and to test on.

    :param lengths: number of frames by the name of the trajectory.
    :raises AnialError: if there is only one trajectory.
    """
    if len(lengths) < 2:
        raise AnialError('trajectories: frames to learn from and to test on need two of them at least.')
    numbers = stream(Purpose.FRAMES, seed=seed, index=0)
    names = _shuffled(sorted(lengths), numbers)
    n_test = max(round(_TEST_SHARE * len(names)), 1)
    learn, test = (
        _shuffled([(name, index) for name in sorted(some) for index in range(lengths[name])], numbers)
        for some in (names[n_test:], names[:n_test])
    )
    return DrawnFrames(sorted(learn[: settings.n_frames]), sorted(test[: settings.n_test_frames]))


def _shuffled(items: Sequence[T], numbers: PCG64) -> list[T]:
    """Return the items in random order."""
    return [items[index] for index in np.argsort(numbers.random_raw(len(items)), kind='stable')]
