"""A profile on PostgreSQL and RabbitMQ is created, checked and used, or refused in one sentence; no secret leaks."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from aiida_anial.cli.credentials import read_servers
from aiida_anial.cli.rabbitmq import broker_config, broker_facts
from aiida_anial.cli.root import main
from aiida_anial.cli.server_checks import broker_checks, database_checks

pytestmark = pytest.mark.services

PROFILE = 'production'


@pytest.fixture
def write(services, tmp_path):
    """Return a function that writes the credentials of the servers, with changes by section."""

    def write(**changes):
        content = {name: {**part, **changes.get(name, {})} for name, part in services.credentials.items()}
        path = tmp_path / 'credentials.yaml'
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_the_servers_listen_on_this_machine_only(services):
    ports = json.loads((services.folder / 'services.json').read_text())['ports']
    addresses = set()
    for table in ('tcp', 'tcp6'):
        for line in Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
            address, port = line.split()[1].split(':')
            if line.split()[3] == '0A' and int(port, 16) in ports.values():
                addresses.add((int(port, 16), address))
    assert {port for port, _ in addresses} == set(ports.values())
    assert {address for _, address in addresses} <= {'0100007F', '00000000000000000000000001000000'}


def test_a_file_with_a_password_is_its_owners(services):
    checked = 0
    for path in services.folder.rglob('*'):
        if path.is_file() and 'data' not in path.parts and 'mnesia' not in path.parts:
            content = path.read_text(errors='replace')
            if any(secret in content for secret in services.secrets):
                checked += 1
                assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert checked == 4


def test_servers_that_run_are_left_running(services):
    before = {name: services.pid(name) for name in ('postgresql', 'rabbitmq', 'epmd')}
    printed = services.run('start').stdout
    assert printed.count('is running') == 2
    assert {name: services.pid(name) for name in before} == before


def test_the_profile_is_on_the_servers_and_open_to_its_owner_only(shell, services):
    profile, server = shell.config['profiles'][PROFILE], services.credentials
    assert profile['storage']['backend'] == 'anial.psql_dos'
    assert profile['storage']['config']['database_port'] == server['postgres']['port']
    assert profile['process_control']['backend'] == 'anial.rabbitmq'
    assert profile['process_control']['config']['broker_port'] == server['rabbitmq']['port']
    text = json.dumps(shell.config)
    assert server['postgres']['password'] in text
    assert server['postgres']['admin_password'] not in text
    assert all(not path.stat().st_mode & 0o077 for path in (shell.home / '.aiida').glob('config.json*'))


def test_the_database_is_of_its_own_role_and_in_utf8(shell, ask):
    facts = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'anial'"
    assert ask(facts) == [('anial', 'UTF8')]
    assert ask("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'anial'") == [(False,) * 3]


def test_setting_up_again_needs_no_password_and_changes_nothing(shell):
    before = shell.config
    assert f'profile {PROFILE}: exists already' in shell.run('aiida-anial', 'setup', '-p', PROFILE).stdout
    assert shell.config == before


def test_a_killed_postgresql_starts_again_with_what_it_held(shell, services, ask):
    question = 'SELECT label FROM db_dbcomputer'
    before = ask(question, 'anial')
    services.kill('postgresql')
    services.run('start')
    assert ask(question, 'anial') == before == [('localhost',)]


def test_the_doctor_finds_all_well(shell, daemon):
    printed = shell.run('aiida-anial', 'doctor', '-p', PROFILE).stdout
    assert 'missing' not in printed
    assert 'unknown' not in printed
    for name in (
        'PostgreSQL: 1',
        'encoding: UTF8',
        'RabbitMQ: ',
        'recovery: daemon workers survive',
        'processes: every active process has a daemon worker',
        'consumer timeout: none',
        'workers: 1 on',
        'open files',
    ):
        assert f'ok       {name}' in printed


def test_a_label_is_made_by_the_daemon(daemon, make_label):
    make_label()


WRONG = {
    'password of the role': (
        {'postgres': {'user': 'taken', 'database': 'new'}},
        "CREATE ROLE taken LOGIN PASSWORD 'another'",
        r'postgres: taken cannot log in .*password authentication failed',
    ),
    'password of the administrator': (
        {'postgres': {'user': 'new', 'admin_password': 'wrong'}},
        None,
        r'postgres: postgres cannot log in .*password authentication failed',
    ),
    'no administrator': (
        {'postgres': {'user': 'new', 'admin_user': ''}},
        None,
        r'postgres: new cannot log in .*password authentication failed',
    ),
    'role that may make no database': (
        {'postgres': {'database': 'new', 'admin_user': ''}},
        None,
        r'postgres\.database: there is no new .*may not create it; .*--postgres-admin-user',
    ),
    'no PostgreSQL': ({'postgres': {'port': 9}}, None, r'postgres: .*127\.0\.0\.1:9: .*refused'),
    'no RabbitMQ': ({'rabbitmq': {'port': 9}}, None, r'rabbitmq: .*127\.0\.0\.1:9: .*111'),
    'password of RabbitMQ': (
        {'rabbitmq': {'password': 'wrong'}},
        None,
        r'rabbitmq: anial cannot log in .*ACCESS_REFUSED',
    ),
    'virtual host': ({'rabbitmq': {'virtual_host': 'nowhere'}}, None, r'rabbitmq: .*vhost.*nowhere'),
    'encoding': (
        {'postgres': {'database': 'latin'}},
        "CREATE DATABASE latin OWNER anial TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        r'postgres\.database: latin .*encoding LATIN1, but UTF8 is needed',
    ),
    'database of another profile': (
        {'postgres': {'database': 'anial'}},
        None,
        r'postgres\.database: anial .*tables of another profile',
    ),
    'database of another role': (
        {'postgres': {'database': 'foreign'}},
        'CREATE DATABASE "foreign"',
        r'postgres\.database: foreign .*does not let anial create tables',
    ),
}


def refused(path, *arguments):
    """Set up a profile in this process, and return the sentence with which that is refused."""
    result = CliRunner().invoke(main, ['setup', '-p', 'other', '--credentials', str(path), *arguments])
    assert result.exit_code == 1, result.output
    assert len(result.output.splitlines()) == 1
    return result.output


@pytest.fixture
def leaves_nothing(services, there, aiida_config):
    """Check that a command has left no role, database, profile or file behind, and has printed no secret."""
    before, repository = there(), Path(aiida_config.dirpath) / 'repository'
    printed: list[str] = []
    yield printed.append
    assert there() == before
    assert 'other' not in json.loads(Path(aiida_config.filepath).read_text())['profiles']
    assert not (repository / 'other').exists()
    assert printed
    assert not [secret for secret in services.secrets if secret in printed[0]]


@pytest.fixture
def prepare(ask):
    """Return a function that creates a role or database; at the end, both are dropped."""
    made = []

    def prepare(statement):
        kind, name = re.match(r'CREATE (\w+) ("?\w+"?)', statement).groups()
        ask(statement)
        made.append(f'DROP {kind} {name}')

    yield prepare
    for statement in made:
        ask(statement)


@pytest.mark.parametrize('wrong', WRONG)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(wrong, shell, write, prepare, request):
    changes, statement, sentence = WRONG[wrong]
    if statement is not None:
        prepare(statement)
    check = request.getfixturevalue('leaves_nothing')
    printed = refused(write(**changes))
    check(printed)
    assert re.search(sentence, printed)


def test_a_failure_halfway_takes_back_role_and_database(services, write, leaves_nothing):
    path = write(postgres={'user': 'new', 'database': 'new'})
    printed = refused(path, '--repository', '/proc/anial')
    leaves_nothing(printed)
    assert 'initialisation failed' in printed


def test_a_failure_halfway_leaves_a_database_empty_that_was_there(ask, write, prepare, request):
    prepare('CREATE DATABASE empty OWNER anial')
    check = request.getfixturevalue('leaves_nothing')
    check(refused(write(postgres={'database': 'empty'}), '--repository', '/proc/anial'))
    assert ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", 'empty') == [(0,)]


def test_a_credentials_file_that_others_can_read_is_refused(write, leaves_nothing):
    path = write(postgres={'user': 'new', 'database': 'new'})
    path.chmod(0o640)
    printed = refused(path)
    leaves_nothing(printed)
    assert 'chmod 600' in printed


AWKWARD = 'p@ss/w:rd%41+#"\'é'


def test_passwords_from_the_environment_may_hold_anything_but_blanks_and_may_change(shell, services, ask):
    subprocess.run(
        [services.folder / 'rabbitmqctl', 'add_user', 'awkward'], input=AWKWARD, text=True, check=True, stdout=-3
    )
    services.control('add_vhost', 'second')
    services.control('set_permissions', '-p', 'second', 'awkward', '.*', '.*', '.*')
    postgres, rabbitmq = services.credentials['postgres'], services.credentials['rabbitmq']
    options = ['--postgres-port', postgres['port'], '--postgres-admin-user', postgres['admin_user']]
    options += ['--postgres-user', 'awkward', '--postgres-database', 'awkward', '--rabbitmq-port', rabbitmq['port']]
    options += ['--rabbitmq-user', 'awkward', '--rabbitmq-virtual-host', 'second']
    passwords = {'ANIAL_POSTGRES_PASSWORD': AWKWARD, 'ANIAL_RABBITMQ_PASSWORD': AWKWARD}
    setup = ('aiida-anial', 'setup', '-p', 'second', *options)
    made = shell.run(*setup, **passwords, ANIAL_POSTGRES_ADMIN_PASSWORD=postgres['admin_password'])
    assert 'profile second: created' in made.stdout

    ask("ALTER ROLE awkward PASSWORD 'changed'")
    doctor = shell.run('aiida-anial', 'doctor', '-p', 'second', check=False)
    assert doctor.returncode == 1
    assert re.search(r'missing  PostgreSQL: .*authentication failed.*\n +fix: ', doctor.stdout)
    passwords['ANIAL_POSTGRES_PASSWORD'] = 'changed'
    assert 'profile second: changed' in shell.run(*setup, **passwords).stdout
    shell.run('verdi', '-p', 'second', 'storage', 'info')


def test_the_doctor_sees_servers_that_do_not_serve(services, write):
    servers = read_servers(write(postgres={'port': 9}, rabbitmq={'port': 9}), {})
    config = {'database_hostname': '127.0.0.1', 'database_port': 9, 'database_name': 'anial'}
    config |= {'database_username': 'anial', 'database_password': servers.postgres.password}
    (database,) = database_checks(config, 1)
    (broker,) = broker_checks(broker_config(servers.rabbitmq))
    for check in (database, broker):
        assert check.passed is False
        assert servers.postgres.password not in check.finding
        assert 'start the server' in check.remedy


def test_the_doctor_sees_a_database_with_too_few_connections(shell):
    config = shell.config['profiles'][PROFILE]['storage']['config']
    found = {check.name: check.passed for check in database_checks(config, 100)}
    assert found == {'PostgreSQL': True, 'encoding': True, 'connections': False}


def test_the_doctor_sees_consumer_timeout_and_alarm(services, write):
    config = broker_config(read_servers(write(), {}).rabbitmq)
    change = 'application:set_env(rabbit, consumer_timeout, {}), vm_memory_monitor:set_vm_memory_high_watermark({}).'
    services.control('eval', change.format(1800000, '0.00001'))
    try:
        found = {check.name: check for check in broker_checks(config)}
    finally:
        services.control('eval', change.format('undefined', 0.4))
    assert found['RabbitMQ'].passed
    assert found['consumer timeout'].passed is False
    assert found['consumer timeout'].finding.startswith('30 minutes')
    assert 'advanced.config' in found['consumer timeout'].remedy
    assert found['RabbitMQ alarms'].passed is False


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'host': 'rabbit.example', 'control': ''}, 'on another machine'),
        ({'control': ''}, 'port mapper'),
        ({'control': '/nowhere/rabbitmqctl'}, 'there is no /nowhere/rabbitmqctl'),
        ({'control': '/bin/false'}, 'may not query it'),
        ({'port': 9}, 'belongs to another server'),
    ],
)
def test_what_cannot_be_checked_is_not_reported_as_ok(write, changes, reason, monkeypatch):
    monkeypatch.setenv('ERL_EPMD_PORT', '9')
    facts = broker_facts(read_servers(write(rabbitmq=changes), {}).rabbitmq)
    assert reason in facts.unseen


def test_no_secret_was_printed_or_on_a_command_line(shell, services, watch):
    secrets = [*services.secrets, AWKWARD]
    assert [secret for secret in secrets if any(secret in text for text in shell.printed)] == []
    assert [secret for secret in secrets if watch.saw(secret)] == []
    logs = [path for path in services.folder.rglob('*') if path.suffix == '.log']
    assert len(logs) >= 4
    assert [path for path in logs if any(secret in path.read_text() for secret in secrets)] == []
    # The watch would have seen a secret on a command line.
    with subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', secrets[0]]) as process:
        try:
            shell.wait(lambda: watch.saw(secrets[0]), limit_s=60)
        finally:
            process.kill()
