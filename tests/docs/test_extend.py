"""The labeller and the file format that the documentation adds as examples work as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import aiida_anial

PAGE = Path(__file__).parents[2] / 'docs' / 'howto' / 'extend.md'
REGISTRY = 'aiida_anial/formats/datasets.py'


@pytest.fixture(scope='module')
def extended(tmp_path_factory) -> Path:
    """A copy of the package into which the page was typed."""
    folder = tmp_path_factory.mktemp('extended')
    package = Path(aiida_anial.__file__).parent
    shutil.copytree(package, folder / 'aiida_anial', ignore=shutil.ignore_patterns('__pycache__'))
    typed = re.findall(r'^```\{code-block\} python\n:caption: (\S+)\n\n(.*?)^```', PAGE.read_text(), re.M | re.S)
    assert [path for path, _ in typed].count(REGISTRY) == 1
    for path, text in typed:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(target.read_text() + text if path == REGISTRY else text)
    return folder


@pytest.mark.parametrize(('test', 'passed'), [('labellers/test_morse.py', 2), ('formats/test_json_lines.py', 2)])
def test_their_tests_pass(extended, test, passed):
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', f'tests/{test}'],
        cwd=extended,
        env={**os.environ, 'PYTHONPATH': str(extended), 'AIIDA_PATH': str(extended)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert f'{passed} passed' in done.stdout, done.stdout + done.stderr
