"""The help of every command has examples, whose options exist."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from aiida_anial.cli.root import _COMMANDS, main


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something."""
    for name in _COMMANDS:
        command = main.get_command(click.Context(main), name)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.commands)
        else:
            yield (name,)


def examples_of(words: tuple[str, ...]) -> list[str]:
    result = CliRunner().invoke(main, [*words, '--help'])
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.output.splitlines() if line.startswith('  aiida-anial ')]


@pytest.mark.parametrize('words', list(commands()), ids=' '.join)
def test_every_command_has_examples_that_it_understands(words):
    examples = examples_of(words)
    assert examples
    command = main
    for word in words:
        command = command.get_command(click.Context(command), word)
    for example in examples:
        program, *rest = shlex.split(example)
        assert program == 'aiida-anial'
        assert tuple(rest[: len(words)]) == words
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        given = {part for part in rest[len(words) :] if part.startswith('--')}
        assert given <= known


def test_the_shell_can_complete_commands():
    environment = {'COMP_WORDS': 'aiida-anial re', 'COMP_CWORD': '1', '_AIIDA_ANIAL_COMPLETE': 'bash_complete'}
    result = CliRunner(env=environment).invoke(main, prog_name='aiida-anial')
    assert result.output.splitlines() == ['plain,reproduce', 'plain,release']
