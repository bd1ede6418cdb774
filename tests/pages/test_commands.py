"""Every command of README, tutorials and how-tos that is not run elsewhere is typed as it stands there."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from support.elsewhere import ELSEWHERE
from support.pages import READ, ROOT, commands_of

from tests.pages.reader import Reader

pytestmark = pytest.mark.slow

TYPED = {page: [command for command in commands_of(page) if command not in ELSEWHERE] for page in READ}


@pytest.mark.usefixtures('nothing_runs', 'folder', 'installed')
@pytest.mark.parametrize('page', [page for page in READ if TYPED[page]], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run_one_after_the_other(page, words):
    _write_settings(page)
    reader = Reader(words)
    failures = [failure for command in TYPED[page] if (failure := reader.type(command))]
    assert not failures, '\n'.join(failures)


def _write_settings(page: Path) -> None:
    """Write the YAML of a page under the names in its commands; where it has none, the settings are as they are."""
    names = dict.fromkeys(re.findall(r'[\w-]+\.yaml', ' '.join(TYPED[page])))
    blocks = re.findall(r'^```yaml\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)
    for name, block in itertools.zip_longest([name for name in names if not Path(name).exists()], blocks):
        if name is not None:
            Path(name).write_text(block or '')
