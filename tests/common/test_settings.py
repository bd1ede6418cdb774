"""Every mistake in settings gives one sentence that names the key."""

from __future__ import annotations

import json
import math

import pytest

from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.common.settings import NonNegative, Positive, Range, Settings


class Inner(Settings):
    """Nested settings."""

    edge_angstrom: Positive = 1.0
    band: Range = (0.0, 1.0)


class Outer(Settings):
    """Settings with nested ones."""

    number: int = 1
    flag: bool = False
    shift: NonNegative = 0.0
    parts: tuple[Inner, ...] = (Inner(),)
    one: Inner = Inner()
    maybe: Inner | None = None


class Needy(Settings):
    """Settings with a required key."""

    seed: int


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ({'nubmer': 2}, r"^nubmer: unknown key 'nubmer'; did you mean 'number'\?$"),
        ({'one': {'edge': 1.0}}, r"^one\.edge: unknown key 'edge'; did you mean 'edge_angstrom'\?$"),
        ({'parts': [{}, {'edgs_angstrom': 1.0}]}, r"^parts\.1\.edgs_angstrom: .*did you mean 'edge_angstrom'\?$"),
        ({'maybe': {'bnad': [0, 1]}}, r"^maybe\.bnad: .*did you mean 'band'\?$"),
        ({'zzzzzzzz': 1}, r'^zzzzzzzz: unknown key .*known keys are flag, maybe, number, one, parts, shift\.$'),
        ({'one': {'band': [2.0, 1.0]}}, r'^one\.band: .*reversed, 2 > 1\.$'),
        ({'one': {'band': [0.0, math.nan]}}, r'^one\.band\.1: .*finite'),
        ({'one': {'band': [0.0, 1.0, 2.0]}}, r'^one\.band'),
        ({'one': {'band': 3.0}}, r'^one\.band'),
        ({'one': {'edge_angstrom': math.inf}}, r'^one\.edge_angstrom: .*finite'),
        ({'one': {'edge_angstrom': 0}}, r'^one\.edge_angstrom: 0.*greater than 0'),
        ({'shift': -1e-9}, r'^shift: -1e-09 .*greater than or equal to 0'),
        ({'shift': '4.0'}, r"^shift: '4.0' is not allowed"),
        ({'shift': '250 ps'}, r"^shift: '250 ps' is not allowed"),
        ({'number': True}, r'^number: True is not allowed'),
        ({'number': 1.5}, r'^number: 1.5 is not allowed'),
        ({'number': None}, r'^number: None is not allowed'),
        ({'flag': 1}, r'^flag: 1 is not allowed'),
        ({'flag': 'yes'}, r"^flag: 'yes' is not allowed"),
        ({'one': 3}, r'^one: 3 is not a mapping'),
        ({'one': None}, r'^one: None is not a mapping'),
        ({'parts': {'edge_angstrom': 1.0}}, r'^parts: '),
        ({'parts': [3]}, r'^parts\.0: 3 is not a mapping'),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence_that_begins_with_its_key(values, expected):
    with pytest.raises(SettingsError, match=expected) as caught:
        Outer.parse(values)
    assert '\n' not in str(caught.value)


def test_the_place_of_the_values_stands_before_the_key():
    with pytest.raises(SettingsError, match=r'^label\.qe\.one\.band: '):
        Outer.parse({'one': {'band': [1, 0]}}, where='label.qe')


def test_a_missing_key_is_named():
    with pytest.raises(SettingsError, match=r'^schedule\.seed: this key is required\.$'):
        Needy.parse({}, where='schedule')


@pytest.mark.parametrize(
    'values', [{'one': {'edge_angstrom': object()}}, {'one': {'edge_angstrom': b'1'}}, {'one': {'band': {1, 2}}}]
)
def test_what_json_does_not_know_is_refused_with_its_key(values):
    key = next(iter(values['one']))
    with pytest.raises(SettingsError, match=rf'^one\.{key}: '):
        Outer.parse(values)


def test_values_that_contain_themselves_are_refused():
    values: dict = {}
    values['one'] = values
    with pytest.raises(SettingsError):
        Outer.parse(values)


def test_whole_numbers_serve_as_real_ones_and_lists_as_pairs():
    parsed = Outer.parse({'shift': 4, 'one': {'band': [0, 3]}})
    assert parsed.shift == 4.0
    assert isinstance(parsed.shift, float)
    assert parsed.one.band == (0.0, 3.0)


def test_settings_survive_json_and_cannot_be_changed():
    parsed = Outer.parse({'parts': [{'band': [0.1, 0.3]}, {}], 'maybe': {'edge_angstrom': 1 / 3}})
    assert Outer.parse(json.loads(json.dumps(parsed.to_dict()))) == parsed
    with pytest.raises(ValueError, match='frozen'):
        parsed.number = 2  # type: ignore[misc]


def test_the_caller_keeps_his_values():
    values = {'one': {'band': [0, 1]}}
    Outer.parse(values)
    assert values == {'one': {'band': [0, 1]}}


def test_a_settings_error_is_an_error_of_the_user_and_a_value_error():
    assert issubclass(SettingsError, AnialError)
    assert issubclass(SettingsError, ValueError)
