"""Settings of the servers: options precede the environment, which precedes the file; a wrong file leaks no secret."""

from __future__ import annotations

import os

import pytest
import yaml
from click.testing import CliRunner

from aiida_anial.cli.credentials import read_servers, settings, variable
from aiida_anial.cli.root import main
from aiida_anial.common.errors import AnialError

SECRET = 'hunter2'
CONTENT = {'postgres': {'password': SECRET, 'port': 5433}, 'rabbitmq': {'password': SECRET}}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for section, key, *_ in settings():
        monkeypatch.delenv(variable(section, key), raising=False)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a credentials file: a mapping as YAML, text unchanged."""

    def write(content, mode=0o600):
        path = tmp_path / 'credentials.yaml'
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        path.chmod(mode)
        return path

    return write


def test_what_is_not_said_has_a_default(write):
    servers = read_servers(write(CONTENT), {})
    assert (servers.postgres.host, servers.postgres.port, servers.postgres.database) == ('127.0.0.1', 5433, 'anial')
    assert (servers.rabbitmq.protocol, servers.rabbitmq.port, servers.rabbitmq.virtual_host) == ('amqp', 5672, '')


def test_an_option_comes_before_the_environment_and_that_before_the_file(write, monkeypatch):
    path = write(CONTENT)
    monkeypatch.setenv('ANIAL_POSTGRES_PORT', '5434')
    assert read_servers(path, {}).postgres.port == 5434
    assert read_servers(path, {'postgres': {'port': 5435}}).postgres.port == 5435


def test_passwords_come_from_the_environment_without_a_file(monkeypatch):
    monkeypatch.setenv('ANIAL_POSTGRES_PASSWORD', 'one')
    monkeypatch.setenv('ANIAL_RABBITMQ_PASSWORD', 'two')
    servers = read_servers(None, {})
    assert (servers.postgres.password, servers.rabbitmq.password) == ('one', 'two')


def test_a_secret_is_not_in_what_is_printed_of_the_servers(write):
    assert SECRET not in repr(read_servers(write(CONTENT), {}))


def test_no_option_takes_a_password():
    printed = CliRunner().invoke(main, ['setup', '--help'], terminal_width=200).output
    assert '--postgres-admin-user' in printed
    assert 'password' not in [word for word in printed.split() if word.startswith('--')]
    assert '--postgres-password' not in printed
    assert '--rabbitmq-password' not in printed


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_is_open_to_others_is_refused(write, mode):
    with pytest.raises(AnialError, match=rf'mode {mode:04o}\); run: chmod 600'):
        read_servers(write(CONTENT, mode), {})


def test_a_link_is_as_open_as_what_it_leads_to(write, tmp_path):
    link = tmp_path / 'link'
    link.symlink_to(write(CONTENT, 0o644))
    with pytest.raises(AnialError, match='chmod 600'):
        read_servers(link, {})


@pytest.mark.skipif(os.getuid() != 0, reason='only root can give a file away')
def test_a_file_of_someone_else_is_refused(write, monkeypatch):
    path = write(CONTENT)
    os.chown(path, 65534, 65534)
    with pytest.raises(AnialError, match='belongs to another user'):
        read_servers(path, {})


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (f'postgres:\n  password: "{SECRET}\n', 'not valid YAML; see line'),
        (f'postgres:\n password: {SECRET}\n  port: 1\n', 'not valid YAML; see line'),
        (f'postgres: !!python/object/apply:os.system ["{SECRET}"]', 'not valid YAML; see line 1'),
        (f'{SECRET}: {SECRET}', 'must contain the sections postgres and rabbitmq'),
        (f'{SECRET}: {{}}', 'unknown section; the sections are postgres, rabbitmq'),
        (SECRET, 'must contain the sections'),
        ('[' * 5000, 'not valid YAML'),
        ('#' * 70000, 'too large'),
        ('postgres: \x00', 'not valid YAML'),
        ('é'.encode('latin-1'), 'not valid YAML'),
        ({'postgres': {SECRET: 1}}, 'postgres has an unknown key; the keys are host, port'),
        ({'postgres': SECRET}, 'must contain the sections'),
        ({'postgres': {'port': 5432}}, r'postgres\.password: it is missing; .*ANIAL_POSTGRES_PASSWORD'),
        ({'postgres': {'password': 12345}}, r'postgres\.password: a password must be text without blanks; quote it'),
        ({'postgres': {'password': f'{SECRET} x'}}, r'postgres\.password: .*without blanks'),
        ({'postgres': {'password': f'{SECRET}\n'}}, r'postgres\.password: .*without blanks'),
        ({'postgres': {'password': [SECRET]}}, r'postgres\.password: a password must be text'),
        ({'postgres': {'password': 'x', 'port': 0}}, r'postgres\.port: 0 is not allowed'),
        ({'postgres': {'password': 'x', 'port': 'http'}}, r"postgres\.port: 'http' is not allowed"),
        ({'postgres': {'password': 'x', 'port': True}}, r'postgres\.port: True is not allowed'),
        ({'postgres': {'password': 'x', 'host': 'a@b'}}, r"postgres\.host: 'a@b' is not allowed"),
        ({'postgres': {'password': 'x', 'host': ''}}, r'postgres\.host: it is empty'),
        ({'postgres': {'password': 'x', 'database': 'a; DROP'}}, r'postgres\.database: .* is not allowed'),
        ({'postgres': {'password': 'x', 'user': 3}}, r'postgres\.user: 3 is not allowed: it must be text'),
        ({'postgres': {'password': 'x'}}, r'rabbitmq\.password: it is missing; .*ANIAL_RABBITMQ_PASSWORD'),
        (
            {'postgres': {'password': 'x'}, 'rabbitmq': {'password': 'x', 'protocol': 'http'}},
            r"rabbitmq\.protocol: 'http' is not allowed: it must be one of amqp, amqps",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence_without_a_secret(write, content, sentence):
    with pytest.raises(AnialError, match=sentence) as caught:
        read_servers(write(content), {})
    assert SECRET not in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(AnialError, match=r'nowhere\.yaml: it cannot be read: No such file'):
        read_servers(tmp_path / 'nowhere.yaml', {})


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    path = tmp_path / 'pipe'
    os.mkfifo(path, 0o600)
    with pytest.raises(AnialError, match='it is not a regular file'):
        read_servers(path, {})


def setup(*arguments):
    return CliRunner().invoke(main, ['setup', *map(str, arguments)])


def test_servers_make_no_embedded_profile(aiida_config, write):
    result = setup('-p', 'new', '--embedded', '--credentials', write(CONTENT))
    assert result.exit_code == 1
    assert result.output.startswith('Error: --embedded: ')


@pytest.mark.parametrize('arguments', [('-p', 'production'), ('-p', 'new', '--production'), ('--rabbitmq-host', 'a')])
def test_a_profile_is_one_for_production_by_its_name_or_by_an_option(aiida_config, arguments):
    result = setup(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith('Error: postgres.password: it is missing')


def test_an_embedded_profile_does_not_become_one_for_production(aiida_profile, write):
    result = setup('-p', aiida_profile.name, '--credentials', write(CONTENT))
    assert result.exit_code == 1
    assert 'exists already, with core.' in result.output
