"""Commands of the pages that no unit test can run: why, and what runs them instead."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ('ELSEWHERE', 'REASONS', 'Elsewhere')


class Elsewhere(NamedTuple):
    """Where a command is run.

    :param reason: a key of ``REASONS``.
    :param file: a test or script that runs it; None if there is none.
    :param text: what stands in that file.
    """

    reason: str
    file: str | None = None
    text: str = ''


# By reason: a pattern of the only commands that it excuses.
REASONS: Final = {
    'installs packages or programs': r'(make (demo|test|install-lammps)|pip install .*|services/install\.sh)$',
    'asks the network': r'(aiida-pseudo install pseudo-dojo|hf upload) ',
    'changes the shell of the reader': r'(\. |export \w+=|unset |read -rs )',
    'needs a daemon': r'verdi (-p production )?(daemon |process (repair|kill)( |$))|aiida-anial doctor$',
    'makes a profile': r'aiida-anial setup$',
    'archives a whole profile': r'verdi -p \w+ archive ',
    'needs labels by pw.x': r'aiida-anial (import calculations|release .* --isolated-atom) ',
    'needs servers of its own': r'(make services|\S+python services/services\.py |\S+ .*-p(rofile)? production|'
    r'\S+ setup --profile production )',
    'needs Slurm': r'(sinfo$|ssh |verdi computer (test|setup .* localhost|configure .* anial-slurm) |userdel |'
    r'aiida-anial \w+ .*@cluster)',
    'needs a plugin that is not installed': r'verdi (computer|code) .*cluster-hq',
    'needs LAMMPS or a compiler for minutes': r'(\S+/run\.sh |(aiida-anial|anial-worker) export (lammps|kim) |'
    r'kim-api|aiida-anial (setup --lmp|shock (Al-laptop|18)) )',
    'computes for minutes': r'(aiida-anial (plan mine|distil |reproduce .*--recursive)|anial-worker benchmark )',
    'is a test itself': r'python -m pytest ',
}

(
    _INSTALLS,
    _NETWORK,
    _SHELL,
    _DAEMON,
    _PROFILE,
    _ARCHIVES,
    _LABELS,
    _SERVERS,
    _SLURM,
    _PLUGIN,
    _LAMMPS,
    _MINUTES,
    _TEST,
) = REASONS

_SHELL_ONLY = Elsewhere(_SHELL)
_NO_HYPERQUEUE = Elsewhere(_PLUGIN)
_START = Elsewhere(_DAEMON, 'tests/daemon/conftest.py', "shell.verdi('daemon', 'start')")
_STOP = Elsewhere(_DAEMON, 'tests/daemon/conftest.py', "shell.verdi('daemon', 'stop')")
_SETUP = Elsewhere(_SERVERS, 'tests/production/conftest.py', "'setup', '--profile', PROFILE, '--credentials'")
_WORKER = Elsewhere(_MINUTES, 'tests/property_benchmark/test_command.py', "['benchmark', *map")
_RECURSIVE = Elsewhere(_MINUTES, 'tests/reproduction/test_command.py', "'--recursive'")
_LMP = Elsewhere(_INSTALLS, 'Makefile', 'test: install install-lammps')

ELSEWHERE: Final[dict[str, Elsewhere]] = {
    'make demo': Elsewhere(_INSTALLS, 'tests/packaging/test_demo.py', 'demo.main()'),
    'make test': Elsewhere(_INSTALLS, '.ci/run', 'step test'),
    'make install-lammps': _LMP,
    "pip install 'aiida-anial[metatomic]'": Elsewhere(
        _INSTALLS, 'tests/packaging/test_install_scripts.py', 'metatomic'
    ),
    "pip install 'aiida-anial[ovito]'": Elsewhere(_INSTALLS),
    'pip install aiida-hyperqueue==0.4.0': Elsewhere(_INSTALLS),
    'services/install.sh': Elsewhere(_INSTALLS, 'Makefile', '@services/install.sh'),
    'aiida-pseudo install pseudo-dojo --functional PBE --pseudo-format upf': Elsewhere(_NETWORK),
    'hf upload ORGANISATION/aluminium aluminium . --repo-type dataset': Elsewhere(_NETWORK),
    "hf upload ORGANISATION/aluminium-potential aluminium . --include 'ensemble*' --include CITATION.cff": Elsewhere(
        _NETWORK
    ),
    'hf upload ORGANISATION/aluminium-potential aluminium/MODEL.md README.md': Elsewhere(_NETWORK),
    '. .venv/bin/activate': _SHELL_ONLY,
    'export AIIDA_PATH=$PWD': _SHELL_ONLY,
    'unset AIIDA_PATH': _SHELL_ONLY,
    'export SLURM_CONF=/var/lib/anial-services/slurm/slurm.conf': _SHELL_ONLY,
    'read -rs ANIAL_POSTGRES_PASSWORD && export ANIAL_POSTGRES_PASSWORD': _SHELL_ONLY,
    'read -rs ANIAL_RABBITMQ_PASSWORD && export ANIAL_RABBITMQ_PASSWORD': _SHELL_ONLY,
    'verdi daemon start': _START,
    'verdi daemon stop': _STOP,
    'verdi process repair': Elsewhere(_DAEMON, 'tests/production/test_absence.py', "'process', 'repair'"),
    'verdi process kill PK': Elsewhere(_DAEMON, 'tests/daemon/test_many_campaigns.py', "'process', 'kill'"),
    'aiida-anial doctor': Elsewhere(_DAEMON, 'tests/daemon/test_daemon.py', "'doctor'"),
    'aiida-anial setup': Elsewhere(_PROFILE, 'tests/daemon/conftest.py', "'aiida-anial', 'setup'"),
    'aiida-anial import calculations 801 805 809': Elsewhere(
        _LABELS, 'tests/exchange/test_import.py', "'import', 'calculations'"
    ),
    "aiida-anial release 28 aluminium --author 'Curie, Marie' --isolated-atom 84001": Elsewhere(
        _LABELS, 'tests/release/test_isolated.py', "'--isolated-atom', node.uuid"
    ),
    'verdi -p anial archive create --all laptop.aiida': Elsewhere(_ARCHIVES),
    'verdi -p production archive import laptop.aiida': Elsewhere(
        _ARCHIVES, 'tests/release/conftest.py', "'archive', 'import'"
    ),
    'make services': Elsewhere(_SERVERS, 'tests/support/services.py', 'services.py'),
    'make services-stop': Elsewhere(_SERVERS, 'tests/support/services.py', "services.run('stop'"),
    'aiida-anial setup --profile production --credentials .services/credentials.yaml': _SETUP,
    'aiida-anial setup --profile production --credentials credentials.yaml': _SETUP,
    'aiida-anial setup --profile production --credentials credentials.yaml --repository /data/anial': _SETUP,
    'aiida-anial setup --profile production --postgres-host db.example --rabbitmq-host broker.example '
    '--rabbitmq-user anial': Elsewhere(_SERVERS, 'tests/production/test_production.py', "'--postgres-port'"),
    'verdi -p production daemon start 2': _START,
    'verdi -p production daemon start 4': _START,
    'verdi -p production daemon stop': _STOP,
    'verdi -p production daemon restart': Elsewhere(
        _DAEMON, 'tests/daemon/test_continue.py', "shell.verdi('daemon', 'restart')"
    ),
    'verdi -p production process repair': Elsewhere(_DAEMON, 'tests/production/test_absence.py', "'process', 'repair'"),
    'aiida-anial doctor -p production': Elsewhere(
        _SERVERS, 'tests/production/test_production.py', "'doctor', '-p', PROFILE"
    ),
    '.venv/bin/python services/services.py start slurm ssh --folder /var/lib/anial-services': Elsewhere(
        _SERVERS, 'tests/scheduler/test_services.py', "services.run('start', 'slurm', 'ssh')"
    ),
    '.venv/bin/python services/services.py stop --folder /var/lib/anial-services': Elsewhere(
        _SERVERS, 'tests/scheduler/test_services.py', "services.run('stop')"
    ),
    'sinfo': Elsewhere(_SLURM, 'services/slurm.py', 'sinfo'),
    'ssh -F /var/lib/anial-services/ssh/config anial-slurm squeue': Elsewhere(
        _SLURM, 'tests/support/slurm.py', 'squeue'
    ),
    'verdi computer test cluster': Elsewhere(_SLURM),
    'verdi computer setup -n -L cluster -H localhost -T core.ssh_async -S core.slurm '
    '-w /home/{username}/aiida -m srun --mpiprocs-per-machine 1': Elsewhere(
        _SLURM, 'tests/scheduler/conftest.py', 'computer setup'
    ),
    'verdi computer configure core.ssh_async cluster -n --host anial-slurm --safe-interval 0': Elsewhere(
        _SLURM, 'tests/scheduler/conftest.py', 'computer configure'
    ),
    'aiida-anial submit cluster.yaml --protocol paper --pw-code pw@cluster '
    '--worker-code anial-worker@cluster': Elsewhere(
        _SLURM, 'tests/scheduler/test_scheduler.py', "'--pw-code', 'pw@cluster'"
    ),
    'aiida-anial plan mine.yaml --protocol paper --pw-code pw@cluster --label-seconds 900': Elsewhere(
        _SLURM, 'tests/cli/test_plan.py', "'--label-seconds'"
    ),
    'verdi computer setup -n -L cluster-hq -H login.cluster.example -T core.ssh_async -S hyperqueue '
    "-w /scratch/{username}/aiida -m 'mpirun -np {tot_num_mpiprocs}' --mpiprocs-per-machine 1": _NO_HYPERQUEUE,
    'verdi computer configure core.ssh_async cluster-hq -n --host cluster --safe-interval 5': _NO_HYPERQUEUE,
    'verdi code create core.code.installed -n -L pw -Y cluster-hq -X /opt/qe/bin/pw.x -P quantumespresso.pw --with-mpi '
    "--prepend-text 'module load quantum-espresso'": _NO_HYPERQUEUE,
    'userdel --remove anial-jobs': Elsewhere(_SLURM),
    'kim-api-collections-management install user Al_laptop': Elsewhere(
        _LAMMPS, 'tests/interfaces/test_kim.py', "'kim-api-collections-management', 'install'"
    ),
    'aiida-anial export kim 715 Al_laptop': Elsewhere(_LAMMPS, 'tests/interfaces/test_kim.py', "'export', 'kim'"),
    'aiida-anial export lammps 715 aluminium --lmp .lammps/bin/lmp': Elsewhere(
        _LAMMPS, 'tests/interfaces/test_lammps.py', "'export', 'lammps'"
    ),
    'aluminium/run.sh aluminium/in.crystal 2': Elsewhere(_LAMMPS, 'tests/interfaces/test_lammps.py', 'run.sh'),
    'plugin/run.sh in.wave 512': Elsewhere(_LAMMPS, 'tests/shock/test_waves.py', 'run.sh'),
    'anial-worker export lammps Al-laptop plugin': Elsewhere(
        _LAMMPS, 'tests/interfaces/test_lammps.py', "'export', 'lammps'"
    ),
    'aiida-anial export lammps 4126 fast --distilled': Elsewhere(
        _LAMMPS, 'tests/workchains/test_distillation.py', '--distilled'
    ),
    'aiida-anial setup --lmp .lammps/bin/lmp': Elsewhere(_LAMMPS, 'tests/support/lammps.py', '``setup --lmp``'),
    'aiida-anial shock Al-laptop --ranks 2 --plots plots': Elsewhere(
        _LAMMPS, 'tests/workchains/test_shock.py', "['shock', str(chain.pk), *options]"
    ),
    'aiida-anial shock 18 --dislocations --plots plots': Elsewhere(
        _LAMMPS, 'tests/workchains/test_shock.py', "run('--dislocations', '--plots'"
    ),
    'aiida-anial distil 4126': Elsewhere(
        _MINUTES, 'tests/workchains/test_distillation.py', "['distil', str(chain.pk)]"
    ),
    'aiida-anial distil Al-laptop --campaign 30 --settings wide.yaml': Elsewhere(
        _MINUTES, 'tests/workchains/test_distillation.py', "['distil', str(chain.pk)]"
    ),
    'aiida-anial reproduce PK --recursive --budget 600': _RECURSIVE,
    'aiida-anial reproduce PK --recursive --kind dft --kind training --budget 3600': _RECURSIVE,
    'aiida-anial plan mine.yaml --protocol laptop': Elsewhere(_MINUTES, 'tests/cli/test_plan.py', "invoke('plan'"),
    'anial-worker benchmark Al-laptop --reference emt --quick': _WORKER,
    'anial-worker benchmark model-Al-75 --quick': _WORKER,
    'anial-worker benchmark aluminium.safetensors --reference Al_mm.eam.fs --plots figures --threads 2': _WORKER,
    'python -m pytest tests/potential/test_kinds.py tests/training/test_trainers.py': Elsewhere(
        _TEST, 'Makefile', 'pytest'
    ),
}
