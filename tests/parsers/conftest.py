"""Directories of jobs that ``anial-worker`` has run, and a function that parses them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import ParserFactory

from aiida_anial.potential.potential import write_potential
from aiida_anial.sampling.schedules import Schedule
from aiida_anial.worker.main import execute

JOBS = ('anial.train', 'anial.validate', 'anial.evaluate', 'anial.sample')

SCHEDULE = Schedule(t_start_k=300, t_end_k=300, t_mod_k=0, t_0_ps=1, t_max_ps=0.02).to_dict()

KEPT = ('output.json', 'worker.out', 'worker.err', 'checkpoint.safetensors')


@pytest.fixture(scope='session')
def finished_jobs(tmp_path_factory, make_cells, make_labelled, make_ensemble, tiny_model) -> dict[str, Path]:
    """The directory of a finished job of each kind, by its entry point."""
    inputs: dict[str, dict[str, Any]] = {
        'anial.train': {'model': tiny_model, 'settings': {'max_steps': 4, 'evaluation_interval': 2}, 'seed': 1},
        'anial.validate': {},
        'anial.evaluate': {'labeller': {'kind': 'emt'}},
        'anial.sample': {
            'thresholds': {'energy_ev_per_sqrt_atom': 1e6},
            'settings': {'frame_interval': 10, 'min_time_ps': 0.01},
            'schedules': [SCHEDULE] * 2,
            'seed': 2,
        },
    }
    directories = {}
    for name, content in inputs.items():
        directories[name] = directory = tmp_path_factory.mktemp(name.replace('.', '_'))
        (directory / 'input.json').write_text(json.dumps(content))
        (directory / 'shards').mkdir()
        make_labelled(20).write(directory / 'shards' / 'shard_000.safetensors')
        make_cells(2).write(directory / 'cells.safetensors')
        write_potential(directory / 'ensemble.safetensors', make_ensemble())
        assert execute(name.split('.')[1], directory) == 0
    return directories


@dataclass(frozen=True)
class Parsed:
    """The result of parsing a job."""

    outputs: dict[str, Any]
    exit_status: int
    exit_message: str | None


@pytest.fixture
def parse(tmp_path, finished_jobs, fake_job, make_structures) -> Callable[..., Parsed]:
    """Return a function that parses a finished job, with some of its files changed or, if None, removed."""

    def run(name: str, changes: dict[str, str | bytes | None] | None = None, *, temporary: bool = True) -> Parsed:
        directory = tmp_path / 'job'
        shutil.copytree(finished_jobs[name], directory)
        for file, content in (changes or {}).items():
            (directory / file).unlink(missing_ok=True)
            if content is not None:
                (directory / file).write_bytes(content.encode() if isinstance(content, str) else content)
        retrieved = {file: (directory / file).read_bytes() for file in KEPT if (directory / file).exists()}
        job = fake_job(name, inputs={'cells': make_structures(2)}, retrieved=retrieved)
        options = {'retrieved_temporary_folder': str(directory)} if temporary else {}
        results, node = ParserFactory(name).parse_from_node(job, store_provenance=False, **options)
        assert isinstance(node, orm.CalcFunctionNode)
        assert not node.is_excepted, node.exception
        assert node.exit_status is not None
        return Parsed(results, node.exit_status, node.exit_message)

    return run
