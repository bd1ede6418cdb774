"""The pinned versions are complete and satisfy the requirements of the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def _pins() -> dict[str, Version]:
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pairs = [line.split('==') for line in lines if line and not line.startswith('#')]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    return [*project['dependencies'], *(line for extra in project['optional-dependencies'].values() for line in extra)]


@pytest.mark.parametrize('line', _requirements())
def test_every_requirement_is_pinned_within_its_range(line):
    requirement = Requirement(line)
    pins = _pins()
    name = canonicalize_name(requirement.name)
    assert name in pins
    assert pins[name] in requirement.specifier


def test_no_pin_is_of_one_machine_or_of_cuda():
    pins = _pins()
    assert [str(version) for version in pins.values() if version.local] == []
    assert [name for name in pins if name.startswith(('nvidia', 'triton', 'cuda'))] == []
