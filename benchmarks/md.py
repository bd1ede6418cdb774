"""How many atom-steps a second molecular dynamics take, and how many torchani takes in the same run.

The package's own figure is that of ``sample``: Langevin dynamics with renewed neighbour lists, stop rules at every
tenth step, frames and random numbers, as active learning runs it. Competitors are torchani's calculator under ASE's
Langevin dynamics, which gives forces and no disagreement, and torchani's model in place of the engine under ``sample``.

Run it from the repository root::

    python benchmarks/md.py --short --json /tmp/md.json
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import common
import numpy as np
import rivals
import systems

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import Engine, make_engine
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, Schedule
from aiida_anial.sampling.settings import SamplingSettings, Thresholds

QUESTION: Final = 'How many atom-steps a second do 8 networks make in molecular dynamics?'
TEMPERATURE_K: Final = 300.0
# Nothing may stop a trajectory: untrained networks disagree, and let atoms come closer than any real ones.
DYNAMICS: Final = SamplingSettings(min_time_ps=0.0, min_contact_angstrom=0.0)
THRESHOLDS: Final = Thresholds(energy_ev_per_sqrt_atom=1e9)
SYSTEMS: Final[dict[str, Callable[[], Cells]]] = {
    '55': lambda: systems.small_cells(55, n=1),
    '108': lambda: systems.crystal(108),
    '256': lambda: systems.crystal(256),
    '2048': lambda: systems.crystal(2048),
    'batch16': lambda: systems.mixed_cells(16),
}
RIVALS: Final = ('torchani, ASE calculator', 'torchani, batched model')


def sampling(engine: Engine, cells: Cells, *, steps: int) -> tuple[float, float]:
    """Run trajectories of so many steps; return atom-steps and seconds, of which the first evaluation is not one."""
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
        raise RuntimeError(f'{len(stopped)} trajectories did not reach their end: {stopped[0]}.')
    return float(steps * cells.n_atoms.sum()), duration


def check_agreement(engine: Engine, rival: Engine, cells: Cells) -> None:
    """Raise an error unless both give the same forces, for competitors must do the same work."""
    own, other = engine.evaluate(cells).forces, rival.evaluate(cells).forces
    assert own is not None
    assert other is not None
    if not np.allclose(own, other, atol=1e-3 * max(float(np.abs(other).max()), 1e-3)):
        raise RuntimeError('the engine and torchani give different forces.')


def under_ase(ensemble: Ensemble, cells: Cells) -> rivals.TorchaniMd:
    """Return the dynamics of torchani's calculator, with the package's time step, friction and temperature."""
    return rivals.TorchaniMd(
        ensemble,
        cells,
        temperature_k=TEMPERATURE_K,
        time_step_fs=DYNAMICS.time_step_fs,
        friction_per_fs=DYNAMICS.friction_per_fs,
    )


def compare(
    name: str, cells: Cells, ensemble: Ensemble, options: common.Options, *, budget_s: float, turns: int
) -> common.Result:
    """Return the rows and figures of one system.

    :param name: of the system, for the names of figures.
    :param budget_s: length of a block.
    """
    own = common.engines(options, lambda settings: make_engine(ensemble, settings))
    batched = rivals.TorchaniEngine(ensemble)
    check_agreement(next(iter(own.values())), batched, cells)
    rival = under_ase(ensemble, cells)
    blocks = {
        key: common.calibrated(
            lambda steps, engine=engine: sampling(engine, cells, steps=steps),  # type: ignore[misc]
            budget_s=budget_s,
            least=DYNAMICS.check_interval,
            multiple=DYNAMICS.check_interval,
        )
        for key, engine in own.items()
    }
    blocks[RIVALS[0]] = common.calibrated(rival.run, budget_s=budget_s)
    blocks[RIVALS[1]] = common.calibrated(lambda steps: sampling(batched, cells, steps=steps), budget_s=budget_s)
    measured = common.interleave(blocks, turns=turns, limit_s=2 * turns * budget_s)
    result = common.Result(QUESTION)
    lists = {RIVALS[0]: rival.neighbours, RIVALS[1]: 'kept, skin 0.5 A'}
    for key, found in measured.items():
        row = {'system': name, 'atoms': int(cells.n_atoms.sum()), 'program': key, **found.row('atom_steps_per_s')}
        row |= {
            'ratio_to_ase': common.ratio(found, measured[RIVALS[0]]),
            'neighbours': lists.get(key, lists[RIVALS[1]]),
        }
        result.rows.append(row)
    first = measured[next(iter(own))]
    result.figures = {
        f'md_{name}_atom_steps_per_s': first.rate,
        f'md_{name}_ratio_torchani': common.ratio(first, measured[RIVALS[0]]),
        f'md_{name}_ratio_torchani_batched': common.ratio(first, measured[RIVALS[1]]),
        f'md_{name}_torchani_atom_steps_per_s': measured[RIVALS[0]].rate,
    }
    return result


def measure(options: common.Options) -> common.Result:
    """Measure all systems."""
    ensemble = systems.random_ensemble()
    result = common.Result(QUESTION)
    result.notes = [
        'Median of the turns; programs took turns, and ratios are medians over turns. All in float32, same forces.',
        'The package: sample(), with neighbour lists, checks of the disagreement every 10 steps, frames and noise.',
        'torchani, ASE calculator: ASE Langevin; its own neighbours, found at each step; no disagreement.',
        'torchani, batched model: torchani in place of the engine in the same sample(), all cells in one call.',
        f'FCC crystals, 55 and batch16 random cells; {TEMPERATURE_K:g} K, 1 fs; untrained weights.',
    ]
    for name, make in SYSTEMS.items():
        common.progress(f'md: {name}')
        budget_s, turns = (0.6, 5) if options.short else (4.0, 7)
        part = compare(name, make(), ensemble, options, budget_s=budget_s, turns=turns)
        result.rows += part.rows
        result.figures |= part.figures
    return result


if __name__ == '__main__':
    sys.exit(common.run_script(measure))
