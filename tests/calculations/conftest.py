"""Inputs of every job, and a function that prepares the job from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine.utils import instantiate_process
from aiida.plugins import CalculationFactory

from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.sampling.schedules import Schedule

SCHEDULE = Schedule(t_start_k=300, t_end_k=300, t_mod_k=0, t_0_ps=1, t_max_ps=0.02).to_dict()


@dataclass(frozen=True)
class Prepared:
    """The result of ``prepare_for_submission``."""

    folder: Path
    info: CalcInfo

    @property
    def inputs(self) -> dict[str, Any]:
        """The content of ``input.json``."""
        return json.loads((self.folder / 'input.json').read_text())

    @property
    def copied(self) -> dict[str, tuple[str, str]]:
        """UUID and path in the node of every copied file, by its path in the job."""
        return {there: (uuid, name) for uuid, name, there in self.info.local_copy_list}


@pytest.fixture
def prepare(tmp_path, local_runner) -> Callable[..., Prepared]:
    """Return a function that prepares a job as the engine does before the upload."""

    def run(entry_point: str, inputs: dict[str, Any]) -> Prepared:
        process = instantiate_process(local_runner, CalculationFactory(entry_point), **inputs)
        folder = tmp_path / entry_point
        folder.mkdir()
        return Prepared(folder, process.prepare_for_submission(Folder(folder)))

    return run


@pytest.fixture
def inputs(worker, make_structures, make_labelled, make_ensemble, tiny_model) -> dict[str, dict[str, Any]]:
    """Valid inputs of every job, by its entry point."""
    shards = {f'shard_{n:03d}': DatasetData(make_labelled(n, seed=n)).store() for n in (2, 1)}
    ensemble = EnsembleData(make_ensemble()).store()
    cells = make_structures(2)
    return {
        'anial.train': {
            **worker,
            'shards': shards,
            'model': orm.Dict(tiny_model),
            'settings': orm.Dict({'max_steps': 3}),
            'seed': orm.Int(7),
        },
        'anial.validate': {**worker, 'ensemble': ensemble, 'shards': shards},
        'anial.evaluate': {**worker, 'cells': cells, 'labeller': orm.Dict({'kind': 'emt'})},
        'anial.sample': {
            **worker,
            'cells': cells,
            'ensemble': ensemble,
            'schedules': orm.List([SCHEDULE, {**SCHEDULE, 't_start_k': 200.0}]),
            'settings': orm.Dict({'frame_interval': 10}),
            'thresholds': orm.Dict({'energy_ev_per_sqrt_atom': 0.1}),
            'seed': orm.Int(8),
        },
    }
