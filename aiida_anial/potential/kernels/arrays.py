"""The arrays that the kernels read and write, made from ensembles, cells and neighbour lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.kernels.evaluate import Batch, Results, Scratch, Shared
from aiida_anial.potential.kernels.features import Numbers, Row
from aiida_anial.potential.kernels.jacobian import JacobianScratch
from aiida_anial.potential.kernels.machine import FEATURE_LANES, LANES, PAIR_LANES, TILE
from aiida_anial.potential.kernels.networks import Networks
from aiida_anial.potential.kernels.pair_gradients import Work
from aiida_anial.potential.kernels.shells import Lists, Shell
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.settings import COSINE_GUARD, DescriptorSettings

__all__ = (
    'batch_arrays',
    'chunk_of',
    'descriptor_numbers',
    'jacobian_scratch_arrays',
    'most_pairs',
    'networks_arrays',
    'plain',
    'result_arrays',
    'scratch_arrays',
    'shared_arrays',
)

_LOG2_E = math.log2(math.e)
# Radial shift that pads lists, angstrom: so far away that its terms are zero.
_NOWHERE = 1e3
# Most atoms that go through the phases together: enough for many threads, few enough for caches.
_MAX_CHUNK = 1024


def _whole(size: int, multiple: int) -> int:
    """Return ``size`` rounded up to a multiple of ``multiple``."""
    return -(-size // multiple) * multiple


def _filled(values: ArrayLike, multiple: int, filling: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return ``values``, padded with ``filling`` to a multiple of ``multiple``."""
    numbers = np.asarray(values, dtype=dtype)
    out = np.full(_whole(len(numbers), multiple), filling, dtype=dtype)
    out[: len(numbers)] = numbers
    return out


def descriptor_numbers(settings: DescriptorSettings, dtype: np.dtype[Any]) -> Numbers:
    """Return the constants of a descriptor in one precision."""
    real = dtype.type
    centre, zeta = settings.angular_centre_angstrom, settings.angular_zeta
    radial_eta, angular_eta = settings.radial_eta_per_angstrom2, settings.angular_eta_per_angstrom2
    radial_shifts = _filled(settings.radial_shifts_angstrom, FEATURE_LANES, _NOWHERE, dtype)
    angular_shifts = _filled(np.array(settings.angular_shifts_angstrom) - centre, FEATURE_LANES, 0.0, dtype)
    cosines = _filled(np.cos(settings.angle_shifts_rad) / 2, FEATURE_LANES, 0.0, dtype)
    return Numbers(
        radial_cutoff=real(settings.radial_cutoff_angstrom),
        angular_cutoff=real(settings.angular_cutoff_angstrom),
        radial_exponent=real(-radial_eta * _LOG2_E),
        radial_slope=real(-2 * radial_eta),
        radial_shifts=radial_shifts,
        angular_exponent=real(angular_eta * _LOG2_E),
        angular_eta=real(angular_eta),
        angular_centre=real(centre),
        angular_shifts=angular_shifts,
        zeta=real(zeta),
        power=real(zeta - 1),
        turn=real(COSINE_GUARD * zeta),
        cosines=cosines,
        sines=_filled(np.sin(settings.angle_shifts_rad) / 2, FEATURE_LANES, 0.0, dtype),
        guard=real(COSINE_GUARD),
        half=real(0.5),
        root=real(math.sqrt(2)),
        n_radial=settings.n_radial,
        n_shifts=len(settings.angular_shifts_angstrom),
        n_angles=len(settings.angle_shifts_rad),
        radial_room=len(radial_shifts),
        shift_room=len(angular_shifts),
        angle_room=len(cosines),
    )


def _tiles(weight: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix ``[out, in]`` in the layout ``[tile of outputs, in, TILE]``, flat."""
    return weight.reshape(-1, TILE, weight.shape[1]).transpose(0, 2, 1).ravel()


def networks_arrays(ensemble: Ensemble, dtype: np.dtype[Any]) -> Networks:
    """Return the weights of an ensemble in the layouts of the kernels."""
    widths = [_whole(size, TILE) for size in ensemble.model.layer_sizes[:-1]]
    forward, backward, biases = [], [], []
    for member in range(ensemble.model.n_members):
        for layer, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
            weight = np.zeros((n_out, n_in), dtype=dtype)
            given = ensemble.weights[layer][member]
            weight[: given.shape[0], : given.shape[1]] = given
            forward.append(_tiles(weight))
            backward.append(_tiles(weight.T))
            biases.append(_filled(ensemble.biases[layer][member], TILE, 0.0, dtype))
    alpha = ensemble.model.celu_alpha
    return Networks(
        n_members=ensemble.model.n_members,
        n_hidden=len(widths) - 1,
        widths=np.array(widths, dtype=np.int64),
        forward=np.concatenate(forward),
        backward=np.concatenate(backward),
        biases=np.concatenate(biases),
        last_weights=np.concatenate([_filled(weight[0], TILE, 0.0, dtype) for weight in ensemble.weights[-1]]),
        last_biases=ensemble.biases[-1][:, 0].astype(dtype),
        alpha=dtype.type(alpha),
        slope_exponent=dtype.type(_LOG2_E / alpha),
    )


def batch_arrays(cells: Cells, lists: Sequence[NeighbourList]) -> Batch:
    """Return the arrays of a batch. The kernels read the lists in place, so the caller must keep them alive.

    :raises AnialError: if the lists belong to other cells.
    """
    if [len(part.starts) - 1 for part in lists] != cells.n_atoms.tolist():
        raise AnialError(f'neighbours: {len(lists)} lists do not fit the {len(cells)} cells.')
    addresses = np.array([part.addresses for part in lists], dtype=np.int64).reshape(-1, 3).T.copy()
    counts = [np.diff(part.starts) for part in lists]
    return Batch(
        positions=plain(cells.positions),
        cell_of_atom=plain(cells.cell_of_atom),
        offsets=plain(cells.offsets),
        lists=Lists(*addresses),
        pair_offsets=np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *counts])),
    )


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array, contiguous and writable: other layouts would make numba compile the kernels again."""
    return np.require(array, requirements=('C', 'W'))


def chunk_of(n_atoms: int) -> int:
    """Return how many atoms go through the phases together."""
    return min(_MAX_CHUNK, max(_whole(n_atoms, LANES), LANES))


def result_arrays(batch: Batch, *, n_members: int, n_gradients: int) -> Results:
    """Return zeros, to which an evaluation adds its results."""
    n_atoms, n_cells = len(batch.positions), len(batch.offsets) - 1
    return Results(
        n_cells=n_cells,
        n_atoms=n_atoms,
        energies=np.zeros((n_members, n_atoms)),
        forces=np.zeros((n_gradients, n_atoms, 3)),
        virials=np.zeros((n_gradients, n_cells, 3, 3)),
    )


def most_pairs(batch: Batch, chunk: int) -> int:
    """Return the largest number of pairs of a chunk."""
    n_atoms = len(batch.positions)
    bounds = np.minimum(np.arange(0, n_atoms + chunk, chunk), n_atoms)
    return int(np.diff(batch.pair_offsets[bounds]).max(initial=0))


def shared_arrays(networks: Networks, *, chunk: int, n_pairs: int, n_gradients: int, dtype: np.dtype[Any]) -> Shared:
    """Return the arrays by which threads pass results from phase to phase; all chunks use the same ones.

    :param chunk: most atoms of a chunk.
    :param n_pairs: most pairs of a chunk.
    :param n_gradients: most gradients of an atom, B.
    """
    n_features = int(networks.widths[0])
    n_members = networks.n_members if n_gradients else 0
    return Shared(
        chunk=chunk,
        n_pairs=n_pairs,
        features=np.zeros(chunk * n_features, dtype),
        member_gradients=np.zeros(n_members * chunk * n_features, dtype),
        gradients=np.zeros(chunk * n_gradients * n_features, dtype),
        pair_gradients=np.zeros(n_gradients * n_pairs * 3, dtype),
    )


def _shell(room: int, dtype: np.dtype[Any]) -> Shell:
    return Shell(*(np.zeros(room, dtype) for _ in range(7)), np.zeros(room, np.int64))  # type: ignore[call-arg]


def _row(numbers: Numbers, room: int, dtype: np.dtype[Any]) -> Row:
    return Row(
        cosine=np.zeros(room, dtype),
        sine=np.zeros(room, dtype),
        mixed=np.zeros(room, dtype),
        pairs=np.zeros(room * numbers.shift_room, dtype),
        radial=np.zeros(room * FEATURE_LANES, dtype),
        sums=np.zeros(FEATURE_LANES**2, dtype),
    )


def scratch_arrays(
    numbers: Numbers, networks: Networks, *, n_neighbours: int, n_gradients: int, dtype: np.dtype[Any]
) -> Scratch:
    """Return the work arrays of one thread.

    :param n_neighbours: most neighbours in the list of an atom.
    :param n_gradients: gradients of an atom, B.
    """
    room = n_neighbours + 2 * PAIR_LANES
    by_feature = n_gradients * 2 * numbers.n_angles * numbers.shift_room
    neurons = LANES * int(networks.widths[1:].sum())
    return Scratch(
        room=room,
        radial=_shell(room, dtype),
        angular=_shell(room, dtype),
        row=_row(numbers, room, dtype),
        work=Work(
            by_pair=np.zeros(numbers.shift_room * room, dtype),
            by_triple=np.zeros(by_feature, dtype),
            by_row=np.zeros(by_feature, dtype),
            angular=np.zeros(numbers.n_angles * PAIR_LANES, dtype),
            power=np.zeros(numbers.n_angles * PAIR_LANES, dtype),
            radial=np.zeros(numbers.n_radial * PAIR_LANES, dtype),
            along=np.zeros(n_gradients * room, dtype),
            x=np.zeros(n_gradients * room, dtype),
            y=np.zeros(n_gradients * room, dtype),
            z=np.zeros(n_gradients * room, dtype),
        ),
        values=np.zeros(neurons, dtype),
        slopes=np.zeros(neurons, dtype),
        deltas=np.zeros(neurons, dtype),
        energies=np.zeros(LANES, dtype),
    )


def jacobian_scratch_arrays(numbers: Numbers, *, n_neighbours: int, dtype: np.dtype[Any]) -> JacobianScratch:
    """Return the work arrays of the computation of feature gradients.

    :param n_neighbours: most neighbours in the list of an atom.
    """
    room = n_neighbours + 2 * PAIR_LANES
    return JacobianScratch(
        radial=_shell(room, dtype),
        angular=_shell(room, dtype),
        row=_row(numbers, room, dtype),
        powers=np.zeros(room * FEATURE_LANES, dtype),
        derivatives=np.zeros(room * FEATURE_LANES, dtype),
        place=np.zeros(room, np.int64),
        lanes=np.zeros(4 * FEATURE_LANES, dtype),
    )
