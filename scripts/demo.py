"""Run a small campaign on this machine, from an empty profile to a trained potential, and print the results.

All data are stored in ``.aiida`` at the root of the checkout. Run it with the Python of the environment in which
``aiida-anial`` is installed, as ``make demo`` does.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PROFILE = 'demo'
PROTOCOL = 'demo'
CAMPAIGN = 'ActiveLearningWorkChain'


class DemoError(Exception):
    """A step of the demo failed, after printing its own message."""


def main() -> int:
    """Run the demo and return its exit status."""
    started = time.monotonic()
    # Treat SIGTERM like Ctrl-C, so that no daemon is left behind.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        run('aiida-anial', 'setup', '--profile', PROFILE)
        with daemon():
            run('aiida-anial', 'doctor', '-p', PROFILE)
            pk = unfinished() or submit()
            finished = follow(pk)
    except DemoError as exception:
        say(f'demo: {exception}')
        return 1
    except KeyboardInterrupt:
        say('demo: interrupted. The campaign is kept; `make demo` or `verdi daemon start` resumes it.')
        say_environment()
        return 130
    say_more(pk)
    say(f'demo: {"done" if finished else "the campaign failed"} after {elapsed(time.monotonic() - started)}')
    return 0 if finished else 1


def follow(pk: str) -> bool:
    """Print the progress of the campaign until it ends, then its table; return whether it succeeded."""
    finished = succeeds('aiida-anial', 'watch', '--lines', '-p', PROFILE, pk)
    run('aiida-anial', 'status', '-p', PROFILE, pk)
    return finished


def submit() -> str:
    """Submit a campaign and return its pk."""
    return output(
        'aiida-anial', 'submit', '-p', PROFILE, '--protocol', PROTOCOL, '--label', 'demo', '--pk-only'
    ).strip()


def unfinished() -> str | None:
    """Return the pk of the campaign of an interrupted demo, or None."""
    rows = output('verdi', '-p', PROFILE, 'process', 'list', '--raw', '--project', 'pk', 'process_label')
    pks = [row.split()[0] for row in rows.splitlines() if row.split()[1:] == [CAMPAIGN]]
    if pks:
        say(f'demo: continuing campaign {pks[-1]}, which has not finished')
    return pks[-1] if pks else None


@contextmanager
def daemon() -> Iterator[None]:
    """Run the block with a daemon, and stop it at the end if it was not running before."""
    if succeeds('verdi', '-p', PROFILE, 'daemon', 'status', quiet=True):
        say('demo: the daemon is running already')
        yield
        return
    try:
        run('verdi', '-p', PROFILE, 'daemon', 'start')
        yield
    finally:
        say('demo: stopping the daemon')
        succeeds('verdi', '-p', PROFILE, 'daemon', 'stop', quiet=True)


def run(*arguments: str) -> None:
    """Run a command of the environment and show its output.

    :raises DemoError: if it fails.
    """
    say(f'$ {shlex.join(arguments)}')
    if not succeeds(*arguments):
        raise DemoError(f'`{shlex.join(arguments)}` failed.')


def output(*arguments: str) -> str:
    """Run a command of the environment and return its output.

    :raises DemoError: if it fails.
    """
    result = subprocess.run(  # noqa: S603 - a list, no shell
        command(arguments), env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode != 0:
        raise DemoError(f'`{shlex.join(arguments)}` failed.')
    return result.stdout


def succeeds(*arguments: str, quiet: bool = False) -> bool:
    """Run a command of the environment and return whether its exit status is 0.

    :param quiet: hide the output, and do not let Ctrl-C end the command.
    """
    target = subprocess.DEVNULL if quiet else None
    result = subprocess.run(  # noqa: S603 - a list, no shell
        command(arguments), env=environment(), stdout=target, stderr=target, start_new_session=quiet, check=False
    )
    return result.returncode == 0


def command(arguments: tuple[str, ...]) -> list[str]:
    """Return the arguments with the path of the executable in this environment."""
    return [str(BIN / arguments[0]), *arguments[1:]]


def environment() -> dict[str, str]:
    """Return the environment variables, with AiiDA's data in the checkout and this environment's commands first."""
    path = os.pathsep.join([str(BIN), os.environ.get('PATH', os.defpath)])
    return {**os.environ, 'AIIDA_PATH': str(ROOT), 'PATH': path, 'PYTHONUNBUFFERED': '1'}


def elapsed(seconds: float) -> str:
    """Format a time in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def say_more(pk: str) -> None:
    """Print commands to inspect the campaign."""
    say('\nTo inspect the campaign:')
    say_environment()
    say(f'  aiida-anial status -p {PROFILE} {pk}    # this table again')
    say(f'  verdi -p {PROFILE} process status {pk}  # every process of the campaign')
    say(f'  verdi -p {PROFILE} process show {pk}    # inputs and outputs, with the ensemble and the labels\n')


def say_environment() -> None:
    """Print how to access the commands and the data of the demo."""
    say(f'  . {shlex.quote(str(BIN / "activate"))}')
    say(f'  export AIIDA_PATH={shlex.quote(str(ROOT))}')


def say(text: str) -> None:
    """Print a line without buffering."""
    print(text, flush=True)  # noqa: T201 - a script talks to its user


def _interrupt(_signal_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == '__main__':
    sys.exit(main())
