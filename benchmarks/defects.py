"""Compute defects, surfaces and phonons by ``pw.x`` and potentials alike, in cells small enough for two cores.

The default profile of AiiDA runs them; its daemon must run. Each property is written as soon as it is there, and a
``pw.x`` calculation that has finished is never repeated, so the script can be stopped and called again::

    python benchmarks/defects.py Al-laptop model-Al-75
    python benchmarks/defects.py Al-laptop model-Al-75 --properties dumbbell,phonons
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import yaml
from defect_tables import DEFECTS

SETTINGS: Final = {
    'vacancy': {'supercells': [2]},
    'surfaces': {'n_layers': 7},
    'slip': {'n_layers': 6, 'n_points': 5},
    'twin': {'n_layers': 6, 'n_points': 5},
    'dumbbell': {'supercells': [2]},
    'phonons': {'supercell': 2},
}
"""Sizes of cells, by property; the cheapest comes first."""

_PACKAGES: Final = ('aiida-core', 'aiida-quantumespresso', 'torch')


def computed(name: str, potentials: Sequence[str]) -> dict[str, Any]:
    """Return the quantities of a property by subject, as ``aiida-anial benchmark`` prints them.

    :raises CalledProcessError: if the benchmark fails.
    """
    references = [word for one in ('qe', *potentials) for word in ('--reference', one)]
    with TemporaryDirectory() as folder:
        settings = Path(folder) / 'settings.yaml'
        settings.write_text(yaml.safe_dump({name: SETTINGS[name]}))
        program = Path(sys.executable).with_name('aiida-anial')
        command = [str(program), 'benchmark', *references, '--properties', name, '--settings', str(settings), '--json']
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return {subject: one.get(name, {}) for subject, one in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute properties one after another, and update the file and the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('potentials', nargs='+', help='potential of the package, file or folder')
    parser.add_argument('--properties', default=','.join(SETTINGS), help='default: %(default)s')
    parser.add_argument('--json', type=Path, default=DEFECTS.file, help='file to update; default: %(default)s')
    given = parser.parse_args(arguments)
    results = {'subjects': {}, 'hours': {}, **(json.loads(given.json.read_text()) if given.json.exists() else {})}
    for name in given.properties.split(','):
        start = time.monotonic()
        for subject, quantities in computed(name, given.potentials).items():
            results['subjects'].setdefault(subject, {})[name] = quantities
        results['hours'][name] = (time.monotonic() - start) / 3600
        results['machine'] = common.machine(_PACKAGES)
        DEFECTS.publish(results, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
