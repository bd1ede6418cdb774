"""Neighbours in a periodic cell of any shape and size, found by binning.

The cell is divided into bins no narrower than the cutoff, with one more layer of bins around it, and all images of
atoms within the cutoff of the cell are sorted into them. The neighbours of an atom are then in its own bin and the 26
around it; bins that adjoin along the third axis are contiguous in memory.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from aiida_anial.potential.kernels.machine import compiled

__all__ = ('find_pairs',)

# Most bins along an axis.
_MAX_BINS = 64


@njit
def _reciprocal(lattice):
    """Return the reciprocal vectors as rows: products with them turn positions into fractional coordinates."""
    rows = np.empty((3, 3))
    for a in range(3):
        u, v = lattice[(a + 1) % 3], lattice[(a + 2) % 3]
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            rows[a, i] = u[j] * v[k] - u[k] * v[j]
        rows[a] /= (rows[a] * lattice[a]).sum()
    return rows


@njit
def _fractions(positions, lattice):
    """Return fractional coordinates wrapped to 0 to 1, and the whole lattice vectors subtracted from them."""
    rows = _reciprocal(lattice)
    fractions, whole = np.empty_like(positions), np.empty_like(positions)
    for atom in range(len(positions)):
        for a in range(3):
            value = (positions[atom] * rows[a]).sum()
            whole[atom, a] = math.floor(value)
            fractions[atom, a] = value - whole[atom, a]
    return fractions, whole


@njit
def _images(fractions, widths):
    """Return atoms ``[G]`` and lattice translations ``[G, 3]`` of all images within ``widths`` of the cell."""
    first, last = np.empty_like(fractions), np.empty_like(fractions)
    n_images = 0
    for atom in range(len(fractions)):
        n = 1
        for a in range(3):
            first[atom, a] = math.ceil(-widths[a] - fractions[atom, a])
            last[atom, a] = math.floor(1 + widths[a] - fractions[atom, a])
            n *= int(last[atom, a] - first[atom, a]) + 1
        n_images += n
    atoms, translations = np.empty(n_images, np.int64), np.empty((n_images, 3))
    image = 0
    for atom in range(len(fractions)):
        for i in range(first[atom, 0], last[atom, 0] + 1):
            for j in range(first[atom, 1], last[atom, 1] + 1):
                for k in range(first[atom, 2], last[atom, 2] + 1):
                    atoms[image] = atom
                    translations[image, 0], translations[image, 1], translations[image, 2] = i, j, k
                    image += 1
    return atoms, translations


@njit
def _bin(fraction, n_bins):
    """Return the index of the bin along one axis: 0 before the cell, ``n_bins + 1`` after it."""
    return min(max(math.floor(fraction * n_bins), -1), n_bins) + 1


@njit
def _sorted_into_bins(fractions, atoms, translations, n_bins):
    """Return the order of the images by bin, and the first image of each bin."""
    strides = ((n_bins[1] + 2) * (n_bins[2] + 2), n_bins[2] + 2, 1)
    bins = np.zeros(len(atoms), np.int64)
    starts = np.zeros((n_bins[0] + 2) * strides[0] + 1, np.int64)
    for image in range(len(atoms)):
        for a in range(3):
            bins[image] += strides[a] * _bin(fractions[atoms[image], a] + translations[image, a], n_bins[a])
        starts[bins[image] + 1] += 1
    starts = np.cumsum(starts)
    order, filled = np.empty(len(atoms), np.int64), starts.copy()
    for image in range(len(atoms)):
        order[filled[bins[image]]] = image
        filled[bins[image]] += 1
    return order, starts


@njit
def _translate(place, lattice, x, y, z):
    """Add ``x``, ``y`` and ``z`` times the lattice vectors to ``place``."""
    for i in range(3):
        place[i] += x * lattice[0, i] + y * lattice[1, i] + z * lattice[2, i]


@njit
def _places_of(positions, lattice, whole, atoms, translations, order):
    """Return the positions ``[G, 3]`` of the images of the wrapped atoms, in the given order."""
    places = np.empty((len(order), 3))
    for at in range(len(order)):
        atom, t = atoms[order[at]], translations[order[at]]
        places[at] = positions[atom]
        _translate(places[at], lattice, t[0] - whole[atom, 0], t[1] - whole[atom, 1], t[2] - whole[atom, 2])
    return places


@compiled
def find_pairs(positions, lattice, cutoff, starts, neighbour, shift_vectors):
    """Write the pairs up to ``cutoff`` and return their number, even if there is not room for all of them.

    :param positions: ``[n, 3]`` angstrom; they may lie outside the cell.
    :param lattice: ``[3, 3]`` angstrom, one vector a row.
    :param cutoff: angstrom.
    :param starts: ``[n + 1]``, written: first pair of each atom.
    :param neighbour: ``[room]``, written: index of the neighbour of each pair.
    :param shift_vectors: ``[room, 3]``, written: lattice translation of the neighbour, angstrom.
    """
    fractions, whole = _fractions(positions, lattice)
    rows = _reciprocal(lattice)
    widths = np.array([cutoff * math.sqrt((rows[a] ** 2).sum()) for a in range(3)])
    n_bins = np.array([min(max(int(1 / widths[a]), 1), _MAX_BINS) for a in range(3)])
    atoms, translations = _images(fractions, widths)
    order, bins = _sorted_into_bins(fractions, atoms, translations, n_bins)
    places = _places_of(positions, lattice, whole, atoms, translations, order)
    n_pairs = 0
    own, centre = np.empty(3), np.empty(3, np.int64)
    for atom in range(len(positions)):
        starts[atom] = n_pairs
        own[:] = positions[atom]
        _translate(own, lattice, -whole[atom, 0], -whole[atom, 1], -whole[atom, 2])
        for i in range(3):
            # A fraction may be rounded to 1, which belongs to the bin after the cell.
            centre[i] = min(_bin(fractions[atom, i], n_bins[i]), n_bins[i])
        for i in range(centre[0] - 1, centre[0] + 2):
            for j in range(centre[1] - 1, centre[1] + 2):
                line = (i * (n_bins[1] + 2) + j) * (n_bins[2] + 2) + centre[2]
                for at in range(bins[line - 1], bins[line + 2]):
                    dx, dy, dz = places[at, 0] - own[0], places[at, 1] - own[1], places[at, 2] - own[2]
                    if dx * dx + dy * dy + dz * dz > cutoff * cutoff:
                        continue
                    other, t = atoms[order[at]], translations[order[at]]
                    if other == atom and t[0] == 0 and t[1] == 0 and t[2] == 0:
                        continue
                    if n_pairs < len(neighbour):
                        neighbour[n_pairs] = other
                        a, b = whole[atom], whole[other]
                        shift_vectors[n_pairs] = 0
                        _translate(
                            shift_vectors[n_pairs], lattice, t[0] + a[0] - b[0], t[1] + a[1] - b[1], t[2] + a[2] - b[2]
                        )
                    n_pairs += 1
    starts[len(positions)] = n_pairs
    return n_pairs
