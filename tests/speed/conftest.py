"""The scripts of ``benchmarks`` as modules, and what they find on systems so small that it takes no time."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'benchmarks'))

import accuracy  # noqa: E402 - the path comes first
import child  # noqa: E402
import common  # noqa: E402
import md  # noqa: E402
import memory  # noqa: E402
import processes  # noqa: E402
import startup  # noqa: E402
import systems  # noqa: E402
import training  # noqa: E402

from aiida_anial.potential.settings import DescriptorSettings, ModelSettings  # noqa: E402
from aiida_anial.training.emt_labels import emt_labels  # noqa: E402

# No compilation, and no threads that the tests would keep.
OPTIONS = common.Options(short=True, engine='torch', threads=1)
# A turn is one run of the least steps.
BRIEF = {'budget_s': 1e-6, 'turns': 2}


class LocalPool:
    """Does in this process what a pool does in others."""

    def __init__(self, _, prepare, arguments):
        prepare(*arguments)

    def starmap(self, function, arguments, chunksize):
        return [function(*given) for given in arguments]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def run_here(module, function, *, environment=None, **arguments):
    """Do in this process what ``child.run`` does in another one."""
    return getattr(sys.modules[module], function)(**arguments)


@pytest.fixture(scope='session')
def coarse_model() -> ModelSettings:
    """Two small networks on a coarse descriptor."""
    descriptor = DescriptorSettings(
        radial_cutoff_angstrom=5.0,
        angular_cutoff_angstrom=4.0,
        radial_shifts_angstrom=(1.5, 2.5, 3.5),
        angular_shifts_angstrom=(2.0, 3.0),
        angle_shifts_rad=(0.5, 1.5, 2.5),
    )
    return ModelSettings(descriptor=descriptor, hidden_layers=(8, 6), n_members=2)


@contextmanager
def one_thread():
    """Keep torch from using more than one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def options() -> common.Options:
    return OPTIONS


@pytest.fixture(scope='session')
def tiny_cells():
    return systems.small_cells(8, n=2)


@pytest.fixture(scope='session')
def tiny_data():
    return emt_labels(systems.training_cells(24, n_atoms=6))


@pytest.fixture(scope='session')
def found(coarse_model, tiny_cells, tiny_data):
    """What every script finds, by its name."""
    ensemble = systems.random_ensemble(coarse_model)

    def coarse_ensemble(model=None, *, seed=1):
        n_members = coarse_model.n_members if model is None else model.n_members
        return random_ensemble(coarse_model.model_copy(update={'n_members': n_members}), seed=seed)

    random_ensemble = systems.random_ensemble
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(systems, 'random_ensemble', coarse_ensemble)
        patch.setattr(systems, 'mixed_cells', lambda n=16: systems.small_cells(8, n=n))
        patch.setattr('multiprocessing.get_context', lambda _: SimpleNamespace(Pool=LocalPool))
        patch.setattr(child, 'run', run_here)
        patch.setattr(md, 'SYSTEMS', dict.fromkeys(md.SYSTEMS, lambda: tiny_cells))
        patch.setattr(md, '_effort', lambda _: BRIEF)
        patch.setattr(memory, 'SIZES', {True: (32, 108)})
        patch.setattr(memory, 'NAMED', 100)
        patch.setattr(memory, 'TORCHANI_ATOMS', 32)
        patch.setattr(accuracy, 'MAX_STEPS', {'EMT': 4, 'ANI-Al': 4})
        patch.delenv('ANIAL_PUBLISHED_MODEL', raising=False)
        return {
            'md': md.measure(OPTIONS),
            'processes': processes.compare(OPTIONS, n_cells=1, **BRIEF),
            'training': training.compare(tiny_data, ensemble, OPTIONS, n_epochs=2, members=1, batches=1),
            'memory': memory.measure(OPTIONS),
            'startup': startup.measure(OPTIONS),
            'accuracy': accuracy.compare(tiny_data.cells, coarse_model, OPTIONS),
        }
