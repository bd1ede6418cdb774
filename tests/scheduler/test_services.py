"""The private Slurm and SSH are closed to others, restart after being killed, and leave nothing when stopped."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from support.services import temporary_services
from support.slurm import Slurm

pytestmark = pytest.mark.scheduler

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'ssh')


def login(services, *arguments):
    """Log in with ``ssh``, and run a command there."""
    command = ['ssh', '-F', services.folder / 'ssh' / 'config', '-o', 'BatchMode=yes', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def working_for(services):
    """Return the command lines of the processes that use the folder of the services."""
    found = []
    for path in Path('/proc').glob('[0-9]*'):
        try:
            line, where = (path / 'cmdline').read_bytes().decode(errors='replace'), (path / 'cwd').readlink()
        except OSError:
            continue
        if str(services.folder) in f'{line} {where}':
            found.append(line)
    return found


def test_they_listen_on_this_machine_only(services):
    ports = json.loads((services.folder / 'services.json').read_text())['ports']
    wanted = {ports[name] for name in ('slurmctld', 'slurmd', 'ssh')}
    addresses = set()
    for table in ('tcp', 'tcp6'):
        for line in Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
            address, port = line.split()[1].split(':')
            if line.split()[3] == '0A' and int(port, 16) in wanted:
                addresses.add((int(port, 16), address))
    assert addresses == {(port, '0100007F') for port in wanted}


def test_only_the_key_opens_a_login_and_only_for_one_user(services, user):
    assert login(services, 'anial-slurm', 'id -un; pwd').stdout.split() == [user.pw_name, user.pw_dir]
    offered = login(services, '-v', '-o', 'PubkeyAuthentication=no', 'anial-slurm', 'true')
    assert offered.returncode == 255
    assert 'Authentications that can continue: publickey\n' in offered.stderr.replace('\r', '')
    assert login(services, '-l', 'daemon', 'anial-slurm', 'true').returncode == 255


def test_only_the_owner_can_read_the_keys(services):
    for name in ('munge/key', 'ssh/key', 'ssh/host_key'):
        assert not (services.folder / name).stat().st_mode & 0o077


def test_a_login_finds_its_scheduler_and_runs_jobs_side_by_side(services, slurm, work):
    script = 'for i in 1 2; do sbatch -o /dev/null --mem=10 --wrap "sleep 30"; done'
    assert login(services, 'anial-slurm', f'cd {work}; {script}').stdout.count('Submitted') == 2
    end = time.monotonic() + 30
    while [job.state for job in slurm.jobs()] != ['RUNNING'] * min(2, os.cpu_count()):
        assert time.monotonic() < end, slurm.jobs()
        time.sleep(0.2)
    slurm.run('scancel', *(job.id for job in slurm.jobs()))


def test_a_job_that_no_machine_can_run_is_refused(services):
    refused = login(services, 'anial-slurm', 'sbatch -n 4096 --wrap true')
    assert refused.returncode == 1
    assert 'Batch job submission failed' in refused.stderr


def test_status_shows_them_and_they_start_without_the_servers_of_a_profile(services):
    printed = services.run('status').stdout
    for name in ('slurm', 'ssh'):
        assert f'services: {name}: 127.0.0.1:' in printed
    for name in ('postgresql', 'rabbitmq'):
        assert f'services: {name}: not running' in printed
    assert not (services.folder / 'credentials.yaml').exists()


@pytest.mark.slow
def test_a_killed_server_starts_again_and_stopping_leaves_no_process(user):
    with temporary_services('slurm', 'ssh') as services:
        ports = json.loads((services.folder / 'services.json').read_text())['ports']
        slurm = Slurm(services.folder / 'slurm')
        before = {name: services.pid(name) for name in PROGRAMS}
        for name in ('slurmctld', 'slurmd', 'munged'):
            services.kill(name)
        services.run('start', 'slurm', 'ssh')
        after = {name: services.pid(name) for name in PROGRAMS}
        assert [name for name in PROGRAMS if after[name] == before[name]] == ['ssh']
        assert json.loads((services.folder / 'services.json').read_text())['ports'] == ports
        # A job and a session are running when the servers stop.
        login(services, 'anial-slurm', 'sbatch -o /dev/null --wrap "sleep 100"')
        session = subprocess.Popen(['ssh', '-F', services.folder / 'ssh' / 'config', 'anial-slurm', 'sleep 102'])
        end = time.monotonic() + 30
        while [job.state for job in slurm.jobs()] != ['RUNNING']:
            assert time.monotonic() < end, slurm.jobs()
            time.sleep(0.1)
        assert working_for(services)
        services.run('stop')
        assert session.wait(timeout=10) != 0
        assert working_for(services) == []


def test_a_folder_of_an_earlier_version_gets_the_missing_ports(tmp_path):
    with temporary_services('ssh') as services:
        services.run('stop')
        path = services.folder / 'services.json'
        content = json.loads(path.read_text())
        del content['ports']['ssh']
        path.write_text(json.dumps(content))
        services.run('start', 'ssh')
        kept = json.loads(path.read_text())
        assert kept['ports'].pop('ssh') not in content['ports'].values()
        assert kept == content
