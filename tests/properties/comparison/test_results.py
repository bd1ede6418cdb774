"""Files of results: round trips, and errors for damaged files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from aiida_anial.common.errors import FileFormatError
from aiida_anial.common.quantity import Quantity
from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.properties.comparison.results import CURVES_SUFFIX, Subject, read_subject, write_subject
from aiida_anial.properties.quantity import PropertyResult


@pytest.fixture
def written(tmp_path, make_subject):
    path = tmp_path / 'ours.json'
    write_subject(path, make_subject('ours', spread=0.01))
    return path


def test_everything_comes_back(written, make_subject):
    subject, back = make_subject('ours', spread=0.01), read_subject(written)
    assert (back.name, back.kind) == ('ours', 'ensemble')
    assert set(back.results) == set(subject.results)
    for name, result in subject.results.items():
        assert back.results[name].quantities == result.quantities
        assert back.results[name].notes == result.notes
        assert set(back.results[name].curves) == set(result.curves)
        for key, array in result.curves.items():
            np.testing.assert_array_equal(back.results[name].curves[key], array)


def test_the_same_results_give_the_same_bytes_whatever_their_order(written, tmp_path):
    other = tmp_path / 'other.json'
    back = read_subject(written)
    write_subject(other, Subject(back.name, back.kind, dict(reversed(back.results.items()))))
    assert other.read_bytes() == written.read_bytes()
    assert (
        other.with_name(f'other{CURVES_SUFFIX}').read_bytes() == written.with_name(f'ours{CURVES_SUFFIX}').read_bytes()
    )


def test_the_files_are_what_the_docs_say(written):
    content = json.loads(written.read_text())
    assert sorted(content) == ['format', 'kind', 'name', 'properties', 'schema_version']
    assert content['properties']['surfaces']['quantities']['energy_111'] == {
        'value': 900.0,
        'unit': 'mJ/m2',
        'uncertainty': 0.01,
    }


def test_without_curves_and_without_a_number(tmp_path):
    path = tmp_path / 'bare.json'
    write_subject(path, Subject('ä', 'eam', {'elastic': PropertyResult({'c11': Quantity(math.nan, 'GPa')})}))
    found = read_subject(path).results['elastic']
    assert math.isnan(found.quantities['c11'].value)
    assert found.curves == {}


def _change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _damage_json(path):
    path.write_text('{')


def _other_json(path):
    path.write_text('[]')


def _remove_curves(path):
    path.with_name(f'ours{CURVES_SUFFIX}').unlink()


def _foreign_curves(path):
    write_tensors(path.with_name(f'ours{CURVES_SUFFIX}'), TensorFile('benchmark', 1, {'name': 'theirs'}, {}))


def _stray_curve(path):
    arrays = {'cohesion.x': np.zeros(2)}
    write_tensors(path.with_name(f'ours{CURVES_SUFFIX}'), TensorFile('benchmark', 1, {'name': 'ours'}, arrays))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda path: path.unlink(), 'ours.json: cannot be read (No such file or directory).'),
        (_damage_json, 'ours.json: not JSON ('),
        (_other_json, 'ours.json: holds no results of a benchmark.'),
        (lambda path: _change(path, format='dataset'), 'ours.json: holds no results of a benchmark.'),
        (lambda path: _change(path, schema_version=2), 'ours.json: has schema version 2, newer than 1'),
        (lambda path: _change(path, schema_version='1'), "ours.json: the schema version is '1'"),
        (lambda path: _change(path, properties={'elastic': {}}), 'ours.json: the results are not complete (KeyError'),
        (lambda path: _change(path, properties=3), 'ours.json: the results are not complete (AttributeError'),
        (_remove_curves, f'ours{CURVES_SUFFIX}: there is no such file.'),
        (_foreign_curves, f"ours{CURVES_SUFFIX}: holds the curves of 'theirs', not of 'ours'."),
        (_stray_curve, f"ours{CURVES_SUFFIX}: the array 'cohesion.x' belongs to no property of the results."),
    ],
)
def test_what_is_damaged_is_named(written, damage, message):
    damage(written)
    with pytest.raises(FileFormatError) as caught:
        read_subject(written)
    assert str(caught.value).removeprefix(f'{written.parent}/').startswith(message)
