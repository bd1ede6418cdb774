"""The page on conventions lists every stored array with the right type, and the settings table every key."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from aiida_anial.common.cells import Cells
from aiida_anial.common.labels import LabelledCells
from aiida_anial.common.tensors import parse_tensors
from aiida_anial.sampling.trajectory import SCALARS, StopReason, Trajectory
from aiida_anial.training.errors import ConfigurationErrors
from aiida_anial.training.trainers import CURVES

DOCS = Path(__file__).parents[2] / 'docs'
PAGE = (DOCS / 'topics' / 'conventions.md').read_text()


def _arrays() -> dict[str, dict[str, str]]:
    """Return the dtype of every array in the tables, by node and array."""
    arrays: dict[str, dict[str, str]] = {}
    node = ''
    for first, names, _, _, dtype in re.findall(
        r'^\| (.*?) ?\| (`.*?) \| (.*?) ?\| (.*?) \| (.*?) ?\|$', PAGE, re.MULTILINE
    ):
        node = first or node
        arrays.setdefault(node, {}).update(dict.fromkeys(re.findall(r'`(\w+)`', names), dtype))
    return arrays


def _node(start: str) -> dict[str, str]:
    (found,) = [arrays for node, arrays in _arrays().items() if node.startswith(start)]
    return found


def _labelled() -> LabelledCells:
    cells = Cells.from_lists([np.zeros((1, 3))], [4.0 * np.eye(3)], species=13)
    uuid = '00000000-0000-4000-8000-000000000000'
    return LabelledCells(
        cells, np.ones(1), np.zeros((1, 3)), np.zeros((1, 3, 3)), (uuid,), np.zeros(1, dtype=np.int64), ('random',)
    )


def test_dataset():
    content = parse_tensors(_labelled().to_bytes(), source='', kind='dataset', schema_version=2)
    documented = _node('`DatasetData`')
    assert documented.pop('origins') == 'text'
    assert documented == {name: str(array.dtype) for name, array in content.arrays.items()}


def test_trajectory():
    documented = _node('`TrajectoryData`')
    assert set(documented) == {'positions', 'cells', 'times', *SCALARS}


@pytest.mark.parametrize('reason', StopReason)
def test_stop_reasons(reason):
    assert f'`{reason}`' in PAGE


def test_trajectory_attributes():
    frames = 1
    scalars = {name: np.zeros(frames) for name in SCALARS}
    trajectory = Trajectory(
        index=0,
        species=np.array([13], dtype=np.int16),
        lattices=np.eye(3)[None],
        positions=np.zeros((frames, 1, 3)),
        velocities=np.zeros((frames, 1, 3), dtype=np.float32),
        stop_reason=StopReason.COMPLETED,
        stop_step=0,
        stop_time_ps=0.0,
        candidate_frame=0,
        max_temperature_k=0.0,
        closest_contact_angstrom=None,
        **scalars,
    )
    (row,) = re.findall(r'^\| `TrajectoryData` \| (.*) \|$', PAGE, re.MULTILINE)
    assert set(re.findall(r'`(\w+)`', row)) == set(trajectory.row())


def test_learning_curves():
    assert set(_node('`ArrayData` `learning_curves`')) == {'step', *CURVES}


def test_errors():
    documented = _node('`ArrayData` `errors`')
    assert set(documented) == {field.name for field in dataclasses.fields(ConfigurationErrors)}
    assert documented['roles'] == 'int8'


@pytest.fixture(scope='module')
def reference():
    """Return the Sphinx extension that generates the settings tables."""
    spec = importlib.util.spec_from_file_location('anial_reference', DOCS / '_ext' / 'anial_reference.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['anial_reference'] = module
    spec.loader.exec_module(module)
    return module


def test_every_setting_has_a_meaning(reference):
    assert [key.path for key in reference.settings_keys() if not key.meaning] == []


def test_no_meaning_is_left_over(reference):
    known = {key.path for key in reference.settings_keys()}
    names = known | {path.rpartition('.')[2] for path in known}
    assert sorted(set(reference.MEANINGS) - names) == []


def test_every_group_of_settings_is_on_the_page(reference):
    page = (DOCS / 'reference' / 'settings.md').read_text()
    shown = re.findall(r'^\.\. anial-settings:: (\w+)', page, re.MULTILINE)
    assert set(shown) == {key.path.partition('.')[0] for key in reference.settings_keys()}


@pytest.mark.parametrize(
    ('path', 'unit'),
    [
        ('schedules.t_max_ps', 'ps'),
        ('schedules.t_end_k', 'K'),
        ('thresholds.floor_ev_per_sqrt_atom', 'eV/√atom'),
        ('model.descriptor.radial_eta_per_angstrom2', '1/Å²'),
        ('cells.density_g_per_cm3', 'g/cm³'),
        ('sampling.job.max_wallclock_seconds', 's'),
        ('training.initial.max_steps', ''),
    ],
)
def test_units_follow_from_the_names(reference, path, unit):
    (key,) = [key for key in reference.settings_keys() if key.path == path]
    assert key.unit == unit
