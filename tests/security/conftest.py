"""The files that a case of bad input starts from, and the limits within which it must be refused."""

from __future__ import annotations

import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from click.testing import CliRunner, Result

from aiida_anial.cli.root import main
from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset, write_dataset
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.potential.ensemble import Ensemble

MAX_SECONDS = 10
MAX_BYTES = 2**30
CANARY = 'canary'


class TooSlow(BaseException):
    """Raised at a limit; a base exception, so that no library takes it for an error of the file."""


@dataclass(frozen=True)
class World:
    """The material from which a case creates its files.

    :param folder: an empty folder, in which the command runs.
    :param ensemble: two small networks.
    :param images: ten strained and jittered crystals with ASE's EMT.
    """

    folder: Path
    ensemble: Ensemble
    images: tuple[Atoms, ...]

    def write(self, name: str, content: Any) -> Path:
        """Write bytes, text, or a value as YAML to a file, and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    def importing(self, path: Path | str, *options: object) -> tuple[object, ...]:
        """Return the command that imports labels with a known level of theory."""
        return ('import', 'dataset', path, '--level-of-theory', self.write('theory.yaml', {'code': 'emt'}), *options)

    @property
    def labelled(self) -> LabelledCells:
        """The images with their labels."""
        return LabelledCells(
            cells=Cells.from_lists(
                [one.positions for one in self.images], [one.cell.array for one in self.images], species=13
            ),
            energies=np.array([one.get_potential_energy() for one in self.images]),
            forces=np.concatenate([one.get_forces() for one in self.images]),
            stresses=np.array([one.get_stress(voigt=False) for one in self.images]),
            uuids=tuple(str(UUID(int=index + 1)) for index in range(len(self.images))),
            iterations=np.zeros(len(self.images), dtype=np.int64),
            origins=('random',) * len(self.images),
        )

    def exported(self, name: str, file_format: str, **header: Any) -> Path:
        """Write the images in the layout of this package's exports, and return the path."""
        path = self.folder / name
        levels = {'theory_0': {'code': 'emt'}}
        dataset = ExportedDataset(
            self.labelled, ('theory_0',) * len(self.images), {'levels_of_theory': levels} | header
        )
        write_dataset(path, dataset, file_format=file_format)
        return path


@pytest.fixture
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs a command."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def jittered(seed: int) -> Atoms:
    """Return a strained aluminium crystal with displaced atoms."""
    generator = np.random.default_rng(seed)
    atoms = bulk('Al', cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * generator.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.15 * generator.standard_normal((4, 3))
    atoms.calc = EMT()
    return atoms


@pytest.fixture(scope='session')
def images() -> tuple[Atoms, ...]:
    """Ten cells of four atoms with EMT as their calculator."""
    return tuple(jittered(seed) for seed in range(10))


@pytest.fixture
def world(tmp_path, monkeypatch, make_ensemble, images) -> World:
    """An empty folder in which commands run, and the material for files."""
    monkeypatch.chdir(tmp_path)

    return World(tmp_path, make_ensemble(), images)


@pytest.fixture(scope='session')
def _loops_are_compiled(images, tmp_path_factory) -> None:
    """Compile the kernels first, because compilation would take most of the time limit of a case."""
    world = World(tmp_path_factory.mktemp('sound'), None, images)
    read_dataset(world.exported('sound.extxyz', 'extxyz'))


def _mapped_bytes() -> int:
    """Return the mapped address space of this process in bytes."""
    return int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()


@contextmanager
def _bounded(max_seconds: float, max_bytes: int) -> Iterator[None]:
    """End the block with an exception that nothing catches if it takes too long or too much memory."""

    def too_slow(*_: Any) -> None:
        raise TooSlow(f'{max_seconds} s')

    old = resource.getrlimit(resource.RLIMIT_AS)
    previous = signal.signal(signal.SIGALRM, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped_bytes() + max_bytes, old[1]))
    signal.setitimer(signal.ITIMER_REAL, max_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, old)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def bounded(_loops_are_compiled) -> Callable[[], AbstractContextManager[None]]:
    """Return a function that gives a context with limits of time and memory for a command."""
    return lambda max_seconds=MAX_SECONDS, max_bytes=MAX_BYTES: _bounded(max_seconds, max_bytes)


@pytest.fixture(autouse=True)
def _no_canary(tmp_path) -> Iterator[None]:
    """Check that no canary file was created, as it would be by code executed from a file."""
    yield
    assert [path for path in tmp_path.rglob(f'{CANARY}*') if path.name == CANARY] == []


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Silence warnings about numbers that overflow before they are refused."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)
        yield
