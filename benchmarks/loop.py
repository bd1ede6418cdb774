"""Run the active-learning loop with a potential as teacher in place of PBE, to compare settings of campaigns.

All that a campaign does happens in one process, without AiiDA: random cells, dynamics until disagreement, labels,
retraining. A label costs nothing, so that hours become minutes; noise can be added, as labels of pw.x have it. Errors
are those on twelve larger configurations of ``heldout.py``, and properties those of the quick benchmark. What is true
of a teacher need not be true of PBE: check what matters with a campaign. Run it from the repository root::

    python benchmarks/loop.py ../shared/ani-al/model-Al-75 --labels 300 --json loop.json
    python benchmarks/loop.py TEACHER --overrides overrides.yaml --seed 2
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import common
import numpy as np
import yaml
from heldout import heldout_cells
from judge import judged, summary_line, train_on

from aiida_anial.active_learning.candidates import labelled_trajectories
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.active_learning.thresholds import initial_thresholds, iteration_counts, next_thresholds
from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential, write_potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.source import open_potential
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.sampling.novelty import Novelty
from aiida_anial.sampling.random_cells import random_cells
from aiida_anial.sampling.sampler import sample
from aiida_anial.sampling.schedules import SamplingTask, draw_schedules
from aiida_anial.sampling.settings import Thresholds
from aiida_anial.sampling.trajectory import Trajectory
from aiida_anial.training.calibration import summarise_fresh
from aiida_anial.training.errors import configuration_errors
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainers import TrainingResult

# meV/atom and eV/angstrom: those of labels of `laptop`.
NOISE: Final = (0.8, 0.015)
# Distance between the seeds of iterations.
_STRIDE: Final = 7919


class Loop:
    """A campaign whose labels a potential gives.

    :param inputs: settings of the campaign; those of labels, jobs and benchmarks are ignored.
    :param teacher: the potential.
    :param heldout: configurations on which errors are measured.
    :param noise: standard deviations of energies in meV/atom and of forces in eV/angstrom.
    """

    def __init__(
        self,
        inputs: CampaignInputs,
        teacher: Potential,
        heldout: Cells,
        *,
        noise: tuple[float, float],
    ) -> None:
        self.inputs, self.noise = inputs, noise
        self.settings = inputs.engine
        self.teacher = make_engine(teacher, self.settings)
        self.heldout = self._label(heldout, 0, (0.0, 0.0))
        self.rows: list[dict[str, Any]] = []
        self.summaries: list[dict[str, Any]] = []

    def run(self, n_labels: int) -> Potential:
        """Run iterations until there are that many labels, then train once more; return the last potential."""
        inputs = self.inputs
        cells = random_cells(inputs.cells, seed=inputs.seed, n=inputs.campaign.n_initial_cells)
        data = self._label(cells, 0, self.noise)
        trained = self._train(data, inputs.training.initial, None)
        thresholds = initial_thresholds(inputs.thresholds, trained.summary)
        iteration = 0
        while len(data) < n_labels:
            iteration += 1
            begun = time.perf_counter()
            trajectories = self._trajectories(trained.ensemble, thresholds, iteration, data)
            fresh = self._label(self._candidates(trajectories), iteration, self.noise)
            errors = configuration_errors(trained.ensemble, fresh, make_engine(trained.ensemble, self.settings))
            found = summarise_fresh(errors)
            counts = iteration_counts(inputs.thresholds, thresholds, [one.row() for one in trajectories])
            self.summaries.append({**counts, 'n_labels': len(fresh)})
            data = LabelledCells.concatenate([data, fresh])
            initial = trained.ensemble if inputs.training.warm_start else None
            trained = self._train(data, inputs.training.retrain, initial)
            self._note(iteration, data, trained, begun, fresh=found, counts=counts, thresholds=thresholds)
            thresholds = next_thresholds(
                inputs.thresholds, thresholds, counts, training=trained.summary, fresh_errors=found
            )
        if inputs.training.final is not None:
            begun = time.perf_counter()
            trained = self._train(data, inputs.training.final, trained.ensemble)
            self._note(None, data, trained, begun)
        return trained.ensemble

    def _label(self, cells: Cells, iteration: int, noise: tuple[float, float]) -> LabelledCells:
        found = self.teacher.evaluate(cells, forces=True, stress=True)
        assert found.forces is not None
        assert found.stresses is not None
        source = np.random.default_rng([self.inputs.seed, iteration])
        labels = LabelledCells(
            cells=cells,
            energies=found.energies + source.normal(0, noise[0] / 1000, len(cells)) * cells.n_atoms,
            forces=found.forces + source.normal(0, noise[1], found.forces.shape),
            stresses=found.stresses,
            uuids=tuple(str(UUID(int=iteration * 10_000 + index)) for index in range(len(cells))),
            iterations=np.full(len(cells), iteration),
            origins=('active_learning' if iteration else 'random',) * len(cells),
        )
        limit = self.inputs.label.limits.max_force_ev_per_angstrom
        sound = [index for index in range(len(cells)) if np.abs(labels.forces_of(index)).max() < limit]
        return labels.select(np.array(sound))

    def _train(self, data: LabelledCells, settings: TrainingSettings, initial: Potential | None) -> TrainingResult:
        return train_on(self.inputs, data, settings, seed=self.inputs.seed + len(data), initial=initial)

    def _trajectories(
        self, potential: Potential, thresholds: dict[str, Any], iteration: int, data: LabelledCells
    ) -> tuple[Trajectory, ...]:
        inputs, seed = self.inputs, self.inputs.seed * _STRIDE + iteration
        campaign, summaries = inputs.campaign, self.summaries
        number = campaign.trajectories(len(data), *summaries[-1:])
        t_max_ps = inputs.schedules.t_max_ps * campaign.t_max_scale(campaign.growths(iteration, summaries))
        settings = inputs.schedules.model_copy(update={'t_max_ps': t_max_ps})
        task = SamplingTask(
            random_cells(inputs.cells, seed=seed, n=number),
            draw_schedules(settings, seed=seed, n=number),
            inputs.sampling.dynamics,
            Thresholds.parse(thresholds),
            seed,
        )
        with TemporaryDirectory() as folder:
            return sample(
                task,
                engine=make_engine(potential, self.settings),
                checkpoint=Path(folder) / 'checkpoint',
                fingerprint='',
                interrupted=lambda: False,
                report=lambda _: None,
                novelty=Novelty(data.cells) if task.settings.compares(task.thresholds) else None,
            )

    def _candidates(self, trajectories: Sequence[Trajectory]) -> Cells:
        chosen = labelled_trajectories([one.row() for one in trajectories], self.inputs.campaign)
        candidates = [(trajectories[index], trajectories[index].candidate_frame) for index in chosen]
        frames = [(one.positions[frame], one.lattices[frame]) for one, frame in candidates]
        return Cells.from_lists([frame[0] for frame in frames], [frame[1] for frame in frames], species=13)

    def _note(
        self, iteration: int | None, data: LabelledCells, trained: TrainingResult, begun: float, **more: Any
    ) -> None:
        """Add a row of what is known after a training, and print it."""
        row = {
            'iteration': iteration,
            'n_labels': len(data),
            'n_atoms': int(data.cells.n_atoms.sum()),
            **judged(trained.ensemble, self.heldout, self.settings),
            'test': trained.summary['test'],
            'seconds': time.perf_counter() - begun,
            **more,
        }
        self.rows.append(row)
        common.progress(f'{"last" if iteration is None else iteration}: {len(data)} labels, {summary_line(row)}')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a loop, and write its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('teacher', type=Path, help='file of a potential, or folder in the layout of NeuroChem')
    parser.add_argument('--overrides', type=Path, help='settings that differ from those of the protocol laptop')
    parser.add_argument('--labels', type=int, default=300, help='number of labels at the end; default: 300')
    parser.add_argument('--seed', type=int, default=1, help='seed of the campaign; default: 1')
    parser.add_argument('--noise', type=float, nargs=2, default=NOISE, help='of labels, in meV/atom and eV/angstrom')
    parser.add_argument('--json', type=Path, help='file to write the rows to')
    parser.add_argument('--potential', type=Path, help='file to write the last potential to')
    given = parser.parse_args(arguments)
    overrides = yaml.safe_load(given.overrides.read_text()) if given.overrides else {}
    inputs = campaign_inputs('laptop', overrides).model_copy(update={'seed': given.seed, 'engine': EngineSettings()})
    calculator = open_potential(given.teacher).calculator
    cells = heldout_cells(calculator)
    loop = Loop(inputs, calculator.potential, cells, noise=tuple(given.noise))
    potential = loop.run(given.labels)
    if given.json:
        common.write_json(given.json, {'rows': loop.rows, 'settings': inputs.to_dict()})
    if given.potential:
        write_potential(given.potential, potential)
    return 0


if __name__ == '__main__':
    sys.exit(main())
