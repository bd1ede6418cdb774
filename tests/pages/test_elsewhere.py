"""The table of commands that are not run here is complete, true, and no longer than it must be."""

from __future__ import annotations

import re

import pytest
from support.elsewhere import ELSEWHERE, REASONS
from support.pages import READ, ROOT, commands_of

COMMANDS = {command for page in READ for command in commands_of(page)}


@pytest.mark.parametrize('command', ELSEWHERE)
def test_the_command_is_in_the_pages_and_cannot_run_for_the_reason_given(command):
    assert command in COMMANDS
    assert re.match(REASONS[ELSEWHERE[command].reason], command)


@pytest.mark.parametrize('command', [command for command, entry in ELSEWHERE.items() if entry.file])
def test_the_file_that_runs_it_exists_and_names_it(command):
    entry = ELSEWHERE[command]
    assert entry.text in (ROOT / entry.file).read_text()
    # Programs have other names in the tests that run them, so one of the words is enough.
    words = set(re.findall(r'[a-z]{4,}|run', entry.text)) & set(re.findall(r'[a-z]{4,}|run', command))
    assert words or entry.text in {'step test', 'pytest'}


def test_every_command_of_the_package_in_it_runs_somewhere():
    own = [command for command in ELSEWHERE if command.startswith(('aiida-anial', 'anial-worker'))]
    assert [command for command in own if ELSEWHERE[command].file is None] == []


def test_no_reason_is_left_without_a_command():
    assert {entry.reason for entry in ELSEWHERE.values()} == set(REASONS)
