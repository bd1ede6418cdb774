"""Long output on a terminal goes through a pager; pipes, short output and broken pagers get the text itself."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import click
import pytest

from aiida_anial.cli.pager import paged
from aiida_anial.cli.tables import new_console

LONG = ''.join(f'line {number} ångström\n' for number in range(100))


class Terminal(io.StringIO):
    encoding = 'utf-8'

    def isatty(self):
        return True


@pytest.fixture
def printed(monkeypatch, tmp_path):
    """Return a function that prints a text on a terminal of 24 lines, and returns what it and the pager got."""
    for name in ('AIIDA_ANIAL_PAGER', 'PAGER', 'LESS', 'NO_COLOR', 'COLUMNS', 'LINES'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    # pytest asks for the size, too.
    monkeypatch.setattr(shutil, 'get_terminal_size', lambda *_, **__: os.terminal_size((80, 24)))

    def run(text, *, stream=None, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stream = Terminal() if stream is None else stream
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'stdout', stream)
            with paged():
                click.echo(text, nl=False)
        got = tmp_path / 'got'
        return stream.getvalue(), got.read_text(encoding='utf-8') if got.exists() else None

    return run


@pytest.fixture
def script(tmp_path):
    """Return a function that makes a program of a line of shell."""

    def make(line) -> str:
        path = tmp_path / 'pager.sh'
        path.write_text(f'#!/bin/sh\n{line}\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def keeping(script, tmp_path) -> str:
    return script(f'echo "LESS=$LESS" > {tmp_path}/got; cat >> {tmp_path}/got')


def test_long_output_goes_to_the_pager_with_its_colours(printed, keeping):
    text = click.style(LONG, fg='red')
    shown, got = printed(text, PAGER=keeping)
    assert shown == ''
    assert got == f'LESS=FRX\n{text}'


def test_the_own_variable_comes_first_and_settings_of_less_are_kept(printed, keeping):
    shown, got = printed(LONG, AIIDA_ANIAL_PAGER=keeping, PAGER='no-such-program', LESS='S')
    assert (shown, got) == ('', f'LESS=S\n{LONG}')


@pytest.mark.parametrize('lines', [22, 23])
def test_output_that_fits_the_screen_with_a_prompt_stays_on_it(printed, keeping, lines):
    text = 'x\n' * lines
    assert printed(text, PAGER=keeping) == (text, None)


def test_wrapped_lines_count(printed, keeping):
    shown, got = printed('x' * 80 * 24, PAGER=keeping)
    assert shown == ''
    assert got is not None


@pytest.mark.parametrize('pager', ['', 'cat', 'no-such-program -x', 'an "open quote'])
def test_without_a_pager_the_text_is_printed(printed, pager):
    assert printed(LONG, AIIDA_ANIAL_PAGER=pager) == (LONG, None)


def test_a_dumb_terminal_has_no_pager(printed, keeping):
    assert printed(LONG, PAGER=keeping, TERM='dumb') == (LONG, None)


def test_a_pipe_has_no_pager_and_no_colours(printed, keeping):
    shown, got = printed(click.style(LONG, fg='red'), stream=io.StringIO(), PAGER=keeping)
    assert (shown, got) == (LONG, None)


def test_a_pager_that_ends_early_is_no_error(printed, script):
    assert printed(LONG * 10_000, PAGER=script('head -n 1 > /dev/null')) == ('', None)


def test_what_was_printed_before_an_error_is_shown(printed, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, 'stdout', stream)

    def fail():
        with paged():
            click.echo('half')
            raise ValueError('half of it')

    with pytest.raises(ValueError, match='half of it'):
        fail()
    assert stream.getvalue() == 'half\n'


@pytest.mark.parametrize(
    ('environment', 'has_codes'), [({}, True), ({'NO_COLOR': '1'}, False), ({'TERM': 'dumb'}, False)]
)
def test_tables_have_codes_only_where_they_are_wanted(monkeypatch, environment, has_codes):
    for name in ('NO_COLOR', 'FORCE_COLOR'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    monkeypatch.setattr(sys, 'stdout', stream)
    new_console().print('[bold red]loud')
    assert ('\x1b' in stream.getvalue()) == has_codes


def test_no_shell_reads_the_pager(printed, tmp_path):
    printed(LONG, PAGER=f'cat; touch {tmp_path}/touched')
    assert not Path(tmp_path, 'touched').exists()
