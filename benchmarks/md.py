"""Measure molecular dynamics in atom-steps per second, with the package and with torchani.

The figure of the package is that of ``sample``, as active learning runs it: Langevin dynamics with updated neighbour
lists, stop rules at every tenth step, frames and random numbers. The competitor is torchani's calculator with ASE's
Langevin dynamics, which gives forces and no disagreement. One system is measured a second time in a process with a
tuned memory allocator. That of glibc returns large arrays to the system and requests them again at every step, which
two environment variables prevent. The package sets them for its own jobs; users of torchani have to know them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import child
import common
import numpy as np
import rivals
import systems
import torch

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, make_engine
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds

TEMPERATURE_K: Final = 300.0
# No rule may stop a trajectory: untrained networks disagree, and let atoms come unphysically close.
DYNAMICS: Final = SamplingSettings(min_time_ps=0.0, min_contact_angstrom=0.0)
THRESHOLDS: Final = Thresholds(energy_ev_per_sqrt_atom=1e9)
SYSTEMS: Final[dict[str, Callable[[], Cells]]] = {
    '55': lambda: systems.small_cells(55, n=1),
    '108': lambda: systems.crystal(108),
    '256': lambda: systems.crystal(256),
    '2048': lambda: systems.crystal(2048),
    'batch16': lambda: systems.mixed_cells(16),
}
OWN: Final = 'aiida-anial'
TORCHANI: Final = 'torchani'
TUNED: Final = {'MALLOC_MMAP_THRESHOLD_': '1073741824', 'MALLOC_TRIM_THRESHOLD_': '1073741824'}
TUNED_SYSTEM: Final = '108'


def sampling(engine: Engine, cells: Cells, *, steps: int) -> tuple[float, float]:
    """Run trajectories of the given number of steps; return atom-steps, and seconds without the first evaluation."""
    schedule = Schedule(
        t_start_k=TEMPERATURE_K,
        t_end_k=TEMPERATURE_K,
        t_mod_k=0.0,
        t_0_ps=10.0,
        t_max_ps=steps * DYNAMICS.time_step_fs / 1000,
    )
    task = SamplingTask(cells, (schedule,) * len(cells), DYNAMICS, THRESHOLDS, seed=1)
    start = 0.0

    def before_a_step() -> bool:
        nonlocal start
        start = start or time.perf_counter()
        return False

    with TemporaryDirectory() as folder:
        trajectories = sample(
            task,
            engine=engine,
            checkpoint=Path(folder) / 'checkpoint',
            fingerprint='',
            interrupted=before_a_step,
            report=lambda _: None,
        )
        duration = time.perf_counter() - start
    stopped = [str(trajectory.stop_reason) for trajectory in trajectories if trajectory.stop_step != steps]
    if stopped:
        raise RuntimeError(f'{len(stopped)} trajectories stopped early: {stopped[0]}.')
    return float(steps * cells.n_atoms.sum()), duration


def check_agreement(engine: Engine, ensemble: Ensemble, cells: Cells) -> None:
    """Raise an error unless torchani gives the same forces: competitors must do the same work."""
    own, (_, other) = engine.evaluate(cells).forces, rivals.energies_and_forces(ensemble, cells)
    assert own is not None
    if not np.allclose(own, other, atol=1e-3 * max(float(np.abs(other).max()), 1e-3)):
        raise RuntimeError('the engine and torchani give different forces.')


def compare(
    name: str, cells: Cells, ensemble: Ensemble, options: common.Options, *, budget_s: float, turns: int
) -> common.Result:
    """Return the rows and figures of one system.

    :param name: name of the system, used in the names of the figures.
    :param budget_s: intended duration of a block in seconds.
    :param turns: number of turns.
    """
    engine = make_engine(ensemble, options.settings())
    check_agreement(engine, ensemble, cells)
    rival = rivals.TorchaniMd(
        ensemble,
        cells,
        temperature_k=TEMPERATURE_K,
        time_step_fs=DYNAMICS.time_step_fs,
        friction_per_fs=DYNAMICS.friction_per_fs,
    )
    every = DYNAMICS.check_interval
    blocks = {
        OWN: common.calibrated(
            lambda steps: sampling(engine, cells, steps=steps), budget_s=budget_s, least=every, multiple=every
        ),
        TORCHANI: common.calibrated(rival.run, budget_s=budget_s),
    }
    measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    system = {'system': name, 'atoms': int(cells.n_atoms.sum())}
    ratio = common.ratio(measured[OWN], measured[TORCHANI])
    rows = [{**system, 'program': key, **found.row('atom_steps_per_s')} for key, found in measured.items()]
    figures = {
        f'md_{name}_atom_steps_per_s': measured[OWN].rate,
        f'md_{name}_ratio_torchani': ratio,
        f'md_{name}_torchani_atom_steps_per_s': measured[TORCHANI].rate,
    }
    return common.Result(rows, figures)


def tuned(*, short: bool, engine: str, threads: int) -> dict[str, float]:
    """Measure one system in this process, which has a tuned allocator, and return the figures."""
    torch.set_num_threads(threads)
    options = common.Options(short, engine, threads)
    cells, ensemble = SYSTEMS[TUNED_SYSTEM](), systems.random_ensemble()
    return compare(TUNED_SYSTEM, cells, ensemble, options, **_effort(options)).figures


def _effort(options: common.Options) -> dict[str, Any]:
    return {'budget_s': 0.6, 'turns': 5} if options.short else {'budget_s': 4.0, 'turns': 7}


def measure(options: common.Options) -> common.Result:
    """Measure all systems."""
    ensemble = systems.random_ensemble()
    result = common.Result()
    for name, make in SYSTEMS.items():
        common.progress(f'md: {name}')
        part = compare(name, make(), ensemble, options, **_effort(options))
        result.rows += part.rows
        result.figures |= part.figures
    common.progress(f'md: {TUNED_SYSTEM}, with a tuned allocator')
    found = child.run('md', 'tuned', environment=TUNED, **asdict(options))
    name = f'md_{TUNED_SYSTEM}_ratio_torchani'
    result.figures[f'{name}_tuned'] = found[name]
    return result
