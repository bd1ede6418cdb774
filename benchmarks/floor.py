"""How far the engine is from what the arithmetic alone would take.

The operations of an atom-step are counted: the networks exactly, from the sizes of their layers, the descriptor by the
counts below, from the numbers of pairs and triples in the cell. The floor is the time that they would take at the rate
at which this machine multiplies large matrices, which no program reaches that does anything else.

Run it from the repository root::

    python benchmarks/floor.py --short --json /tmp/floor.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import common
import md
import numpy as np
import scaling
import systems
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.neighbours import neighbour_lists
from aiida_anial.potential.settings import ModelSettings

QUESTION: Final = 'How far is the engine from the arithmetic floor?'
N_ATOMS: Final = 108
MATRIX: Final = 1024
# Rows of a matrix product as the networks of a small block of atoms see it.
BLOCK: Final = 16

# Operations of the elementary functions by polynomials in float32; roots and divisions count as one.
EXP: Final = 14
LOG: Final = 16


def network_operations(model: ModelSettings) -> int:
    """Return the operations of all members for one atom: forward, and backward to the descriptor."""
    layers = list(pairwise(model.layer_sizes))
    products = sum(n_in * n_out for n_in, n_out in layers)
    # An addition and a multiplication each, forward and backward; CELU and its derivative share an exponential.
    activations = sum(n_out for _, n_out in layers[:-1])
    return model.n_members * (4 * products + (EXP + 6) * activations)


def radial_operations(model: ModelSettings) -> int:
    """Return the operations for one pair within the radial cutoff."""
    # Vector, distance, cutoff function and its derivative; then for each shift the Gaussian times the cutoff function,
    # its sum, its derivative, and the product with the gradient of the networks; then the force.
    return 30 + model.descriptor.n_radial * (EXP + 10) + 9


def angular_operations(model: ModelSettings) -> tuple[int, int]:
    """Return the operations for one pair within the angular cutoff, and for one triple of two of them."""
    shifts = len(model.descriptor.angular_shifts_angstrom)
    angles = len(model.descriptor.angle_shifts_rad)
    # Unit vector and cutoff function; for each shift the factor that belongs to this pair alone.
    pair = 30 + shifts * (EXP + 4)
    geometry = 9  # the cosine, made safe, and the sine
    radial = EXP + 2 + 2 * shifts  # one exponential for all shifts, times the two factors of the pairs
    angle = angles * (EXP + LOG + 12)  # a power and its derivative
    products = 3 * 2 * shifts * angles  # the features, and the sums over angles of gradient times part and derivative
    sums = 8 * shifts  # the sums over shifts
    return pair, geometry + radial + angle + products + sums + 30  # and the forces on two atoms


def operations(cells: Cells, model: ModelSettings) -> list[dict[str, Any]]:
    """Return the operations of one atom-step by part, means over the atoms of ``cells``."""
    n_atoms = len(cells.positions)
    radial = sum(
        len(pairs.neighbour) for pairs in neighbour_lists(cells, cutoff=model.descriptor.radial_cutoff_angstrom)
    )
    near = neighbour_lists(cells, cutoff=model.descriptor.angular_cutoff_angstrom)
    counts = np.concatenate([np.diff(pairs.starts) for pairs in near])
    pair, triple = angular_operations(model)
    parts = {
        f'networks, {model.n_members} members': (1.0, network_operations(model)),
        'radial pairs': (radial / n_atoms, radial_operations(model)),
        'angular pairs': (float(counts.mean()), pair),
        'triples': (float((counts * (counts - 1) / 2).mean()), triple),
    }
    return [
        {'part': name, 'of_an_atom': number, 'operations_each': each, 'operations': number * each}
        for name, (number, each) in parts.items()
    ]


def multiplication(shape: tuple[int, ...], other: tuple[int, ...]) -> Callable[[int], tuple[float, float]]:
    """Return a function that multiplies two matrices, or stacks of them, some times; its unit is one operation."""
    first, second = torch.rand(shape), torch.rand(other)
    out = torch.matmul(first, second)
    each = 2.0 * first.numel() * other[-1]

    def run(times: int) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(times):
            torch.matmul(first, second, out=out)
        return times * each, time.perf_counter() - start

    return run


def compare(cells: Cells, options: common.Options, *, matrix: int, budget_s: float, turns: int) -> common.Result:
    """Return the table for ``cells``."""
    ensemble = systems.random_ensemble()
    model = ensemble.model
    engine = make_engine(ensemble, options.settings(options.engines[0]))
    width = model.layer_sizes[0]
    small = ((model.n_members, BLOCK, width), (model.n_members, width, model.layer_sizes[1]))
    runs = {
        'large': multiplication((matrix, matrix), (matrix, matrix)),
        'small': multiplication(*small),
        'evaluate': scaling.evaluation(engine, cells),
        'sample': lambda steps: md.sampling(engine, cells, steps=steps),
    }
    least = {'sample': md.DYNAMICS.check_interval}
    blocks = {
        name: common.calibrated(run, budget_s=budget_s, least=least.get(name, 1), multiple=least.get(name, 1))
        for name, run in runs.items()
    }
    measured = common.interleave(blocks, turns=turns)
    rows = operations(cells, model)
    total = sum(row['operations'] for row in rows)
    floor = measured['large'].rate / total
    for row in rows:
        row['share'] = row['operations'] / total
    rows.append({'part': 'all', 'operations': total, 'share': 1.0, 'atom_steps_per_s': floor})
    rows += [
        {
            'part': f'measured: {name}',
            'atom_steps_per_s': measured[name].rate,
            'of_the_floor': measured[name].rate / floor,
        }
        for name in ('evaluate', 'sample')
    ]
    figures = {
        'floor_atom_steps_per_s': floor,
        'floor_fraction_evaluate': measured['evaluate'].rate / floor,
        'floor_fraction_sample': measured['sample'].rate / floor,
        'floor_operations_per_atom_step': total,
        'floor_sgemm_gflops': measured['large'].rate / 1e9,
        'floor_small_sgemm_gflops': measured['small'].rate / 1e9,
    }
    notes = [
        f'Operations of one atom-step: energies of {model.n_members} members and mean forces, in float32; all shifts '
        'and angles count, although many of their terms vanish.',
        f'Floor: these operations at the rate of a product of {matrix} x {matrix} matrices, measured in turn.',
        f'small: products with {BLOCK} rows, {model.n_members} of them at once, as in a block of atoms.',
    ]
    return common.Result(QUESTION, rows, figures, notes)


def measure(options: common.Options) -> common.Result:
    """Measure a crystal of 108 atoms."""
    budget_s, turns = (0.4, 5) if options.short else (2.0, 9)
    return compare(systems.crystal(N_ATOMS), options, matrix=MATRIX, budget_s=budget_s, turns=turns)


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
