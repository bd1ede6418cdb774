"""The parser of labelled frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import Label, assemble
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.common.tensors import read_tensors
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.frames import drawn_cells
from aiida_anial.parsers.worker import WorkerParser
from aiida_anial.sampling.frames import FrameSettings

__all__ = ('LabelFramesParser',)


class LabelFramesParser(WorkerParser):
    """Store the labels to learn from and to test on, and the reasons for rejected ones."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:  # noqa: ARG002 - rejected frames have no energy
        """Attach the outputs of finished labels.

        :raises AnialError: if all frames of a part are rejected.
        """
        inputs = self.node.inputs
        settings = FrameSettings.parse(inputs.frames.get_dict())
        parts = drawn_cells(inputs.trajectories, settings, seed=inputs.seed.value)
        values = _values(folder / EvaluateCalculation.LABELS, [one.cells for one in parts.values()])
        theory = LevelOfTheory(code='ensemble', potential_sha256=inputs.ensemble.base.attributes.get('sha256'))
        # Forces in the trajectories of the first iterations may be larger than any in a dataset of DFT.
        max_force = LabelSettings().max_force_ev_per_angstrom
        rejected: dict[str, str] = {}
        for part, frames in parts.items():
            # Another part begins where this one ends, so the cells must run out first.
            labels = {
                f'{part}_{index:06d}': Label(*cell, *value, uuid=uuid)
                for index, (cell, uuid, value) in enumerate(
                    zip(frames.cells.configurations(), frames.uuids, values, strict=False)
                )
            }
            dataset, faults = assemble(labels, max_force=max_force, iteration=0, origin='distillation')
            if dataset is None:
                raise AnialError(f'{part}: no frame has a sound label; the first: {min(faults.items())[1]}.')
            self.out(part, DatasetData(dataset, theory))
            rejected |= faults
        self.out('rejected', orm.Dict(rejected))


def _values(path: Path, parts: Sequence[Cells]) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield energy, forces and stress of each cell, one part after another."""
    arrays = read_tensors(path, kind='labels', schema_version=1).arrays
    ends = np.cumsum(np.concatenate([cells.n_atoms for cells in parts]))
    forces = np.split(arrays['forces'], ends[:-1])
    yield from zip(map(float, arrays['energies']), forces, arrays['stresses'], strict=True)
