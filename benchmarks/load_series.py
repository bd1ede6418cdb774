"""Labels by a daemon of so many workers: what is run, in which order, and what that says."""

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
# Plugins are loaded by the first labels of a worker.
_WARM_UP: Final = 8
# Bare labels between two chains: no more than tell what one costs.
_LEAST_BARE: Final = 5
_MOST_BARE: Final = 25
# So often is a slot filled again when labels take their time.
_REFILLS: Final = 2
# What a worker loads and keeps with its first labels is no growth.
_GROWN_FROM: Final = 0.25
_LEAST_SAMPLES: Final = 8
# Of each worker, in the file.
_KEPT_SAMPLES: Final = 60

# Start and end of each child, in seconds since a common moment.
Lives = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Block:
    """Labels that were made together.

    :param kind: ``CHAIN`` or ``BARE``.
    :param found: what the task says, the children's ``lives`` among it.
    :param engine_s: CPU seconds of the workers.
    :param samples: of the time.
    """

    kind: str
    n_labels: int
    found: dict[str, Any]
    engine_s: float
    samples: Sequence[Sample]


def blocks(n_labels: int, cells: int) -> list[tuple[str, int]]:
    """Return kinds and sizes: as many chains as needed, and before and after each some bare labels.

    :param n_labels: by the chains.
    :param cells: of a chain at most.
    """
    n_chains = math.ceil(n_labels / cells)
    sizes = [n_labels // n_chains + (number < n_labels % n_chains) for number in range(n_chains)]
    bare = min(max(sizes[0] // 8, _LEAST_BARE), _MOST_BARE)
    return [(BARE, bare), *(block for size in sizes for block in ((CHAIN, size), (BARE, bare)))]


def run_series(
    lab: Lab, *, n_workers: int, n_labels: int, cells: int, max_concurrent: int, seed: int, paced: bool = False
) -> dict[str, Any]:
    """Start a daemon, make the labels block by block, and return what was measured.

    :param paced: whether to look at the slots with labels that take their time, too.
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
            # The workers have time to spare, as they have when pw.x computes.
            size = (1 + _REFILLS) * max_concurrent
            common.progress(f'{n_workers} workers: {size} labels that take their time')
            found['paced'] = _of_kind([made(CHAIN, size, 1, code=PACED)])
    return found


def summary(done: Sequence[Block]) -> dict[str, Any]:
    """Return figures by kind, their ratios, and those of the workers over all blocks."""
    kinds = {kind: _of_kind([block for block in done if block.kind == kind]) for kind in (CHAIN, BARE)}
    ours, bare = kinds[CHAIN], kinds[BARE]
    return {
        **kinds,
        'engine_ratio': ours['engine_s_per_label'] / bare['engine_s_per_label'],
        # Bare work chains are stored by the script that submits them, and not by a worker.
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
    """Return memory, open files and connections of the workers, in the order in which labels were made."""
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
    """Return how many children were alive at once at most; one that ends as another begins is gone."""
    events = sorted([(start, 1) for start, _ in lives] + [(end, -1) for _, end in lives])
    alive = most = 0
    for _, change in events:
        alive += change
        most = max(most, alive)
    return most


def idle_times(lives: Lives) -> list[float]:
    """Return how long a slot stood empty before each child that took over one, in seconds.

    A child takes the slot that has been empty for longest. Those that came before any had ended opened theirs, and
    what is empty when the last child has begun waits for nothing.
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
    """Return a line through samples of the memory after the warm-up, and nothing if there are too few of them.

    The slope is in MiB for a thousand labels. The error is its standard error, as if the samples had nothing to do with
    one another, and ``labels`` is how many labels the samples span.

    :param samples: number of labels done, and memory in MiB.
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
    """Return every so many of the samples, the last one included."""
    step = max(1, -(-len(samples) // _KEPT_SAMPLES))
    return list(samples[::-step][::-1])
