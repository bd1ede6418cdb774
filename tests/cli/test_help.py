"""The help of every command has examples, whose options exist, and its results can be had as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from aiida_anial.cli.root import main
from aiida_anial.worker.main import main as worker

# They stream, print the lines of an installation, or print a script.
NOT_AS_JSON = {('watch',), ('setup',), ('completion',)}


def commands(group: click.Group) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.commands)
        else:
            yield (name,)


PROGRAMS = {'aiida-anial': main, 'anial-worker': worker}
COMMANDS = [(program, words) for program, group in PROGRAMS.items() for words in commands(group)]


def examples_of(program: str, words: tuple[str, ...]) -> list[str]:
    result = CliRunner().invoke(PROGRAMS[program], [*words, '-h'])
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.output.splitlines() if line.startswith(f'  {program} ')]


def command_of(program: str, words: tuple[str, ...]) -> click.Command:
    command = PROGRAMS[program]
    for word in words:
        command = command.get_command(click.Context(command), word)
    return command


@pytest.mark.parametrize(('program', 'words'), COMMANDS)
def test_every_command_has_examples_that_it_understands(program, words):
    examples = examples_of(program, words)
    assert examples
    command = command_of(program, words)
    for example in examples:
        named, *rest = shlex.split(example)
        assert named == program
        assert tuple(rest[: len(words)]) == words
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        given = {part for part in rest[len(words) :] if part.startswith('--')}
        assert given <= known


def test_the_shell_can_complete_commands():
    environment = {'COMP_WORDS': 'aiida-anial re', 'COMP_CWORD': '1', '_AIIDA_ANIAL_COMPLETE': 'bash_complete'}
    result = CliRunner(env=environment).invoke(main, prog_name='aiida-anial')
    assert result.output.splitlines() == ['plain,reproduce', 'plain,report', 'plain,release']


@pytest.mark.parametrize('words', sorted(set(commands(main)) - NOT_AS_JSON), ids=' '.join)
def test_every_command_has_its_results_as_json(words):
    options = {option for parameter in command_of('aiida-anial', words).params for option in parameter.opts}
    assert '--json' in options
