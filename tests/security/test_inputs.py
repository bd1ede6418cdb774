"""Wrong and malicious files and arguments are refused in one sentence, without any other effect."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from aiida_anial.common.errors import is_printable

# A case is a function that creates its files in a world and returns the arguments of the command, and the text that the
# error message must contain.
CASES: dict[str, Any] = {}
for _path in sorted((Path(__file__).parent / 'cases').glob('*.py')):
    _spec = importlib.util.spec_from_file_location(f'security_cases_{_path.stem}', _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    CASES |= {f'{_path.stem}: {name}': case for name, case in _module.CASES.items()}


def assert_one_sentence(result: Result, expected: str) -> None:
    """Check that a command failed with one line of printable text."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code != 0, result.output
    assert result.stdout == ''
    lines = result.stderr.splitlines()
    # Click prints the usage before its own errors.
    assert lines[-1].startswith('Error: '), result.stderr
    assert len(lines) == 1 or lines[0].startswith('Usage: '), result.stderr
    assert len(lines[-1]) < 1200
    assert expected in lines[-1]
    assert [line for line in lines if not is_printable(line)] == []


def tree(folder: Path) -> dict[str, Any]:
    """Return every path below a folder, with data that show whether a file has changed."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob('*')}


@pytest.mark.parametrize('case', sorted(CASES))
def test_bad_input_is_refused_in_one_sentence_and_leaves_nothing(case, world, invoke, installed, count_nodes, bounded):
    build, expected = CASES[case]
    arguments = build(world)
    before, files = count_nodes(), tree(world.folder)
    with bounded():
        result = invoke(*arguments)
    assert_one_sentence(result, expected)
    assert count_nodes() == before
    assert tree(world.folder) == files


def test_there_are_cases_of_every_kind():
    assert len(CASES) > 60
    assert len({case.partition(':')[0] for case in CASES}) == len(list((Path(__file__).parent / 'cases').glob('*.py')))
