"""Labels by a daemon of so many workers: what is run, in which order, and what that says."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import common
from load_figures import growth, idle_times, most_alive, thinned
from load_site import Site
from load_stand_in import PACED
from load_watch import Sample, Watch

__all__ = ('BARE', 'CHAIN', 'KINDS', 'Block', 'blocks', 'run_series', 'summary')

CHAIN: Final = 'chain'
BARE: Final = 'bare'
KINDS: Final = (CHAIN, BARE)
# Plugins are loaded by the first labels of a worker.
_WARM_UP: Final = 8
# Bare labels between two chains: no more than tell what one costs.
_LEAST_BARE: Final = 5
_MOST_BARE: Final = 25
# So often is a slot filled again when labels take their time.
_REFILLS: Final = 2


@dataclass(frozen=True)
class Block:
    """Labels that were made together.

    :param kind: one of ``KINDS``.
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
    site: Site, *, n_workers: int, n_labels: int, cells: int, max_concurrent: int, seed: int, paced: bool = False
) -> dict[str, Any]:
    """Start a daemon, make the labels block by block, and return what was measured.

    :param paced: whether to look at the slots with labels that take their time, too.
    """
    done: list[Block] = []
    with site.daemon(n_workers) as workers:
        site.task(BARE, n_labels=_WARM_UP * n_workers, seed=seed, max_concurrent=max_concurrent)
        for number, (kind, size) in enumerate(blocks(n_labels, cells), start=1):
            common.progress(f'{n_workers} workers: {size} labels, {kind}')
            with Watch(site, workers) as watch:
                found = site.task(kind, n_labels=size, seed=seed + number, max_concurrent=max_concurrent)
            done.append(Block(kind, size, found, watch.engine_s, watch.samples))
        slots = _paced(site, workers, max_concurrent) if paced else {}
    return {'workers': n_workers, **summary(done), **slots}


def _paced(site: Site, workers: Sequence[int], max_concurrent: int) -> dict[str, Any]:
    """Return what slots do while the workers have time to spare, as they have when ``pw.x`` computes."""
    size = (1 + _REFILLS) * max_concurrent
    common.progress(f'{len(workers)} workers: {size} labels that take their time')
    with Watch(site, workers) as watch:
        found = site.task(CHAIN, n_labels=size, seed=1, max_concurrent=max_concurrent, code=PACED)
    return {'paced': _of_kind([Block(CHAIN, size, found, watch.engine_s, watch.samples)])}


def summary(done: Sequence[Block]) -> dict[str, Any]:
    """Return figures by kind, their ratios, and those of the workers over all blocks."""
    kinds = {kind: _of_kind([block for block in done if block.kind == kind]) for kind in KINDS}
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
        'growth': [asdict(one) if one else None for one in grown],
        'connections_most': max(sample.connections for sample in samples),
        'connections_last': samples[-1].connections,
        'files_most': max(max(sample.files) for sample in samples),
        'files_last': max(samples[-1].files),
        'samples': [
            {'labels': at, 'rss_mib': list(sample.rss_mib), 'files': list(sample.files), 'alive': sample.alive}
            for at, sample in thinned(seen)
        ],
    }
