"""The command group ``aiida-anial``: lazy loading of commands, and errors reported in one sentence."""

from __future__ import annotations

import importlib
import os
import tempfile
import traceback
from typing import Any

import click
from aiida.cmdline.groups.verdi import VerdiContext
from aiida.common.exceptions import AiidaException
from click.shell_completion import CompletionItem

from aiida_anial import __version__
from aiida_anial.cli.parameters import INTERRUPTED
from aiida_anial.cli.profile import in_profile
from aiida_anial.common.errors import AnialError, one_line

__all__ = ('main',)


# The object that defines each command, as MODULE:NAME.
_COMMANDS = {
    'setup': 'aiida_anial.cli.setup:command',
    'doctor': 'aiida_anial.cli.setup:doctor',
    'plan': 'aiida_anial.cli.plan:command',
    'submit': 'aiida_anial.cli.submit:command',
    'status': 'aiida_anial.cli.status:command',
    'watch': 'aiida_anial.cli.watch:command',
    'limit': 'aiida_anial.cli.limit:command',
    'benchmark': 'aiida_anial.cli.benchmark:command',
    'shock': 'aiida_anial.cli.shock:command',
    'distil': 'aiida_anial.cli.distil:command',
    'reproduce': 'aiida_anial.cli.reproduce:command',
    'query': 'aiida_anial.cli.query:command',
    'export': 'aiida_anial.cli.export:command',
    'whence': 'aiida_anial.cli.export:whence',
    'report': 'aiida_anial.cli.report:command',
    'release': 'aiida_anial.cli.release:command',
    'import': 'aiida_anial.cli.imports:command',
    'import-model': 'aiida_anial.cli.imports:model',
    'completion': 'aiida_anial.cli.completion:command',
}


class _Group(click.Group):
    """Import each command when it is called, and report its errors in one sentence."""

    context_class = VerdiContext  # required by AiiDA's profile option

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(':')
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names of commands alone: their help would take seconds, as each command is imported for it."""
        if incomplete.startswith('-'):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name) for name in _COMMANDS if name.startswith(incomplete)]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exception:
            raise click.UsageError(f'{exception.message} Commands: {", ".join(_COMMANDS)}.', ctx) from exception

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo('Interrupted.', err=True)
            ctx.exit(INTERRUPTED)
        except (AnialError, AiidaException) as exception:
            raise click.ClickException(in_profile(one_line(exception))) from exception
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except UnicodeEncodeError as exception:
            raise click.ClickException(
                f'the terminal or file cannot show {exception.object[exception.start]!a}; set PYTHONIOENCODING=utf-8.'
            ) from exception
        except OSError as exception:
            where = f'{exception.filename}: ' if exception.filename else ''
            raise click.ClickException(one_line(f'{where}{exception.strerror or exception}.')) from exception
        except Exception as exception:
            raise click.ClickException(_unexpected(exception)) from exception


def _unexpected(exception: Exception) -> str:
    """Keep the traceback in a file, and return a sentence that names it."""
    text = traceback.format_exc()
    descriptor, name = tempfile.mkstemp(prefix='aiida-anial-', suffix='.log')
    with os.fdopen(descriptor, 'w', encoding='utf-8') as stream:
        stream.write(text)
    what = one_line(f'{type(exception).__name__}: {exception}'[:200])
    return f'unexpected {what}; please report it with what is in {name}.'


@click.group(cls=_Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Build interatomic potentials for aluminium by active learning, with every step stored in an AiiDA graph."""
    # Click asks only whether there is a terminal.
    if os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb':
        ctx.color = False
