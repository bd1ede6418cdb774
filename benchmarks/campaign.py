"""Run a campaign for a while, and write where its time went to ``benchmarks/results/campaign.json``.

A profile with SQLite, the ZeroMQ broker and one daemon worker is created in a temporary folder, as users of a laptop
have it. A campaign of the protocol ``laptop`` is planned, submitted, and stopped after a given time. The CPU time of
the daemon is that of its worker and of the processes that the worker starts, jobs not included. The table in
``docs/topics/load.md`` is updated from the file. Run it from the repository root, on an idle machine::

    python benchmarks/campaign.py              # forty minutes, as make bench-campaign does
    python benchmarks/campaign.py --minutes 10
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import common
import tables
from lab import Lab
from load_watch import cpu_s

PROFILE: Final = 'anial'
_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'plumpy', 'sqlalchemy')


def measured(protocol: str, seed: int, minutes: float) -> dict[str, Any]:
    """Run the campaign, and return its plan, its status and the CPU time of the daemon."""
    folder = Path(tempfile.mkdtemp(prefix='anial-bench-'))
    made = Lab(folder)
    options = ('--protocol', protocol, '--seed', str(seed))
    try:
        made.embedded_profile(PROFILE)
        plan = json.loads(made.run('aiida-anial', 'plan', *options, '--json'))
        with made.daemon(PROFILE, 1) as (worker,):
            pk = made.run('aiida-anial', 'submit', *options, '--pk-only').strip()
            found = _followed(made, pk, worker, minutes)
        again = json.loads(made.run('aiida-anial', 'plan', *options, '--json'))
    finally:
        shutil.rmtree(folder)
    return {'protocol': protocol, 'seed': seed, 'plan': plan, 'plan_from_history': again, **found}


def _followed(made: Lab, pk: str, worker: int, minutes: float) -> dict[str, Any]:
    """Return the status of the campaign after some minutes or at its end, and the CPU time of the worker."""
    begin, end = cpu_s(worker), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        common.progress(f'{(end - time.monotonic()) / 60:.0f} minutes left')
        time.sleep(min(60.0, max(end - time.monotonic(), 0.0)))
        status = json.loads(made.run('aiida-anial', 'status', pk, '--json'))
        if status['exit_status'] is not None:
            break
    spent = cpu_s(worker) - begin
    jobs = made.task(PROFILE, 'campaign_tasks', 'labels', pk=int(pk))
    return {**jobs, 'daemon_cpu_s': spent, 'pace': status['pace'], 'iterations': status['iterations']}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then write the file and the page; return the exit status, which is 1 if the measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=40, help='when to stop the campaign; default: 40')
    parser.add_argument('--protocol', default='laptop', help='default: laptop')
    parser.add_argument('--seed', type=int, default=20261128, help='default: 20261128')
    parser.add_argument('--json', type=Path, default=tables.CAMPAIGN.file, help='file to write')
    given = parser.parse_args(arguments)
    common.unwind_when_killed()
    try:
        results = measured(given.protocol, given.seed, given.minutes)
    except RuntimeError as exception:
        print(f'bench-campaign: {exception} Nothing was written.', file=sys.stderr)
        return 1
    tables.CAMPAIGN.publish({**results, 'date': common.now(), 'machine': common.machine(_PACKAGES)}, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
