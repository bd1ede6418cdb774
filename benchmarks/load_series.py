"""A series of blocks of labels by a daemon with a given number of workers, and the figures derived from it."""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import common
from lab import Lab
from load_tasks import PACED
from load_watch import Sample, Watch

PROFILE: Final = 'production'

CHAIN: Final = 'chain'
BARE: Final = 'bare'
# Labels per worker before the measurement; the first ones of a worker load plugins.
_WARM_UP: Final = 8
# Limits of the number of bare labels between two chains: just enough to tell the cost of one.
_LEAST_BARE: Final = 5
_MOST_BARE: Final = 25
# How often each slot is filled again in the block of paced labels.
_REFILLS: Final = 2
# Fraction of the labels that is warm-up: what a worker loads once and keeps is not growth.
_GROWN_FROM: Final = 0.25
_LEAST_SAMPLES: Final = 8
# Largest number of samples in the file.
_KEPT_SAMPLES: Final = 60

# Start and end of each child, in seconds since a common origin.
Lives = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Block:
    """Labels that were made together.

    :param kind: ``CHAIN`` or ``BARE``.
    :param n_labels: number of labels.
    :param found: result of the task, which includes the ``lives`` of the children.
    :param engine_s: CPU seconds of the workers.
    :param samples: samples of workers and database taken meanwhile.
    """

    kind: str
    n_labels: int
    found: dict[str, Any]
    engine_s: float
    samples: Sequence[Sample]


def blocks(n_labels: int, cells: int) -> list[tuple[str, int]]:
    """Return kinds and sizes of the blocks: as many chains as needed, with some bare labels before and after each.

    :param n_labels: number of labels made by the chains.
    :param cells: largest number of cells in a chain.
    """
    n_chains = math.ceil(n_labels / cells)
    sizes = [n_labels // n_chains + (number < n_labels % n_chains) for number in range(n_chains)]
    bare = min(max(sizes[0] // 8, _LEAST_BARE), _MOST_BARE)
    return [(BARE, bare), *(block for size in sizes for block in ((CHAIN, size), (BARE, bare)))]


def run_series(
    lab: Lab, *, n_workers: int, n_labels: int, cells: int, max_concurrent: int, seed: int, paced: bool = False
) -> dict[str, Any]:
    """Start a daemon, make the labels block by block, and return the figures.

    :param paced: whether to observe the slots with paced labels as well, which take a minute or two each.
    """
    with lab.daemon(PROFILE, n_workers) as workers:

        def made(kind: str, size: int, seed: int, **options: Any) -> Block:
            with Watch(lab.connect(PROFILE), workers) as watch:
                given = {'n_labels': size, 'seed': seed, 'max_concurrent': max_concurrent, **options}
                found = lab.task(PROFILE, 'load_tasks', kind, **given)
            return Block(kind, size, found, watch.engine_s, watch.samples)

        made(BARE, _WARM_UP * n_workers, seed)
        done = []
        for number, (kind, size) in enumerate(blocks(n_labels, cells), start=1):
            common.progress(f'{n_workers} workers: {size} labels, {kind}')
            done.append(made(kind, size, seed + number))
        found = {'workers': n_workers, **summary(done)}
        if paced:
            # Here the workers have time to spare, as they do while pw.x computes.
            size = (1 + _REFILLS) * max_concurrent
            common.progress(f'{n_workers} workers: {size} labels, paced')
            found['paced'] = _of_kind([made(CHAIN, size, 1, code=PACED)])
    return found


def summary(done: Sequence[Block]) -> dict[str, Any]:
    """Return the figures of both kinds, their ratios, and the figures of the workers over all blocks."""
    kinds = {kind: _of_kind([block for block in done if block.kind == kind]) for kind in (CHAIN, BARE)}
    ours, bare = kinds[CHAIN], kinds[BARE]
    return {
        **kinds,
        'engine_ratio': ours['engine_s_per_label'] / bare['engine_s_per_label'],
        # Bare work chains are stored by the script that submits them, not by a worker.
        'engine_ratio_with_scripts': _with_script(ours) / _with_script(bare),
        **_of_workers(done),
    }


def _with_script(figures: dict[str, Any]) -> float:
    return float(figures['engine_s_per_label'] + figures['script_s_per_label'])


def _of_kind(done: Sequence[Block]) -> dict[str, Any]:
    labels = sum(block.n_labels for block in done)
    wall = sum(block.found['wall_s'] for block in done)
    idle = sorted(value for block in done for value in idle_times(block.found['lives']))
    lives = [end - start for block in done for start, end in block.found['lives']]
    return {
        'n_labels': labels,
        'blocks': [block.n_labels for block in done],
        'processes_per_hour': 3600 * sum(block.found['processes'] for block in done) / wall,
        'wall_s_per_label': wall / labels,
        'engine_s_per_label': sum(block.engine_s for block in done) / labels,
        'script_s_per_label': sum(block.found['script_cpu_s'] for block in done) / labels,
        'collecting_s_per_label': sum(block.found.get('collecting_s', 0.0) for block in done) / labels,
        'child_s': statistics.median(lives),
        'most_alive': max(most_alive(block.found['lives']) for block in done),
        'most_alive_polled': max((sample.alive for block in done for sample in block.samples), default=0),
        'slot_idle_median_s': statistics.median(idle) if idle else None,
        'slot_idle_p95_s': idle[int(0.95 * (len(idle) - 1))] if idle else None,
        'slot_idle_max_s': idle[-1] if idle else None,
    }


def _of_workers(done: Sequence[Block]) -> dict[str, Any]:
    """Return memory, open files and database connections of the workers, in the order in which labels were made."""
    seen: list[tuple[int, Sample]] = []
    labels = 0
    for block in done:
        seen += [(labels + sample.done, sample) for sample in block.samples]
        labels += block.n_labels
    samples = [sample for _, sample in seen]
    if not samples:
        return {}
    memory = list(zip(*(sample.rss_mib for sample in samples), strict=True))
    grown = [growth([(float(at), mib) for (at, _), mib in zip(seen, one, strict=True)]) for one in memory]
    return {
        'rss_mib_first': [one[0] for one in memory],
        'rss_mib_last': [one[-1] for one in memory],
        'rss_mib_most': [max(one) for one in memory],
        'growth': grown,
        'connections_most': max(sample.connections for sample in samples),
        'connections_last': samples[-1].connections,
        'files_most': max(max(sample.files) for sample in samples),
        'files_last': max(samples[-1].files),
        'samples': [
            {'labels': at, 'rss_mib': list(sample.rss_mib), 'files': list(sample.files), 'alive': sample.alive}
            for at, sample in _thinned(seen)
        ],
    }


def most_alive(lives: Lives) -> int:
    """Return the largest number of children alive at once; one that ends as another starts is not alive with it."""
    events = sorted([(start, 1) for start, _ in lives] + [(end, -1) for _, end in lives])
    alive = most = 0
    for _, change in events:
        alive += change
        most = max(most, alive)
    return most


def idle_times(lives: Lives) -> list[float]:
    """Return, for each child that took an empty slot, how long the slot had been empty, in seconds.

    A child takes the slot that has been empty for longest, or opens a new one if none is empty. Slots that stay empty
    after the last child has started do not count.
    """
    free: list[float] = []
    ends: list[float] = []
    idle = []
    for start, end in sorted(lives):
        while ends and ends[0] <= start:
            heapq.heappush(free, heapq.heappop(ends))
        if free:
            idle.append(start - heapq.heappop(free))
        heapq.heappush(ends, end)
    return idle


def growth(samples: Sequence[tuple[float, float]]) -> dict[str, float] | None:
    """Return the slope of a line fitted to the memory after the warm-up, or None if there are too few samples.

    The slope is in MiB per thousand labels. ``error`` is its standard error for independent samples, and ``labels`` the
    number of labels that the samples span.

    :param samples: number of labels done and memory in MiB, for each sample.
    """
    if not samples:
        return None
    first, last = samples[0][0], max(done for done, _ in samples)
    late = [(done, mib) for done, mib in samples if done >= first + _GROWN_FROM * (last - first)]
    spread = max((done for done, _ in late), default=0.0) - min((done for done, _ in late), default=0.0)
    if len(late) < _LEAST_SAMPLES or spread <= 0:
        return None
    labels, memory = [done for done, _ in late], [mib for _, mib in late]
    slope, intercept = statistics.linear_regression(labels, memory)
    squares = sum((mib - intercept - slope * done) ** 2 for done, mib in late)
    error = (squares / (len(late) - 2) / sum((done - statistics.fmean(labels)) ** 2 for done in labels)) ** 0.5
    return {'mib_per_1000': 1000 * slope, 'error': 1000 * error, 'labels': spread}


def _thinned(samples: Sequence[Any]) -> list[Any]:
    """Return evenly spaced samples, at most ``_KEPT_SAMPLES``, including the last one."""
    step = max(1, -(-len(samples) // _KEPT_SAMPLES))
    return list(samples[::-step][::-1])
