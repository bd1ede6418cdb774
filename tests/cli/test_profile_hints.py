"""Commands in messages name the profile that they are for."""

from __future__ import annotations

import pytest

from aiida_anial.cli import profile
from aiida_anial.cli.profile import in_profile

TEXT = 'start it with `verdi daemon start`, then run `aiida-anial watch 3`, or `aiida-anial setup -p other`'


class Named:
    """A profile, or a configuration, of which only a name matters here."""

    def __init__(self, name):
        self.name = self.default_profile_name = name


@pytest.fixture
def loaded(monkeypatch):
    """Return a function that pretends that a profile is loaded, and which one is the default."""

    def pretend(name, default):
        manager = type('Manager', (), {'get_profile': lambda _: Named(name) if name else None})()
        monkeypatch.setattr(profile, 'get_manager', lambda: manager)
        monkeypatch.setattr(profile, 'get_config', lambda: Named(default))

    return pretend


@pytest.mark.parametrize('name', [None, 'anial'])
def test_the_default_profile_is_not_named(loaded, name):
    loaded(name, 'anial')
    assert in_profile(TEXT) == TEXT


def test_another_profile_is_named_where_each_program_takes_it(loaded):
    loaded('second', 'anial')
    assert in_profile(TEXT) == (
        'start it with `verdi -p second daemon start`, then run `aiida-anial watch 3 -p second`, '
        'or `aiida-anial setup -p other`'
    )
