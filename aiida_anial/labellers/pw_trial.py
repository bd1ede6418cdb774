"""Labels by pw.x that are timed on the spot, of which nothing is stored."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm
from aiida.engine import run_get_node
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_anial.common.errors import AnialError

__all__ = ('Trial', 'timed_labels')

_LIMIT_S = 3600


@dataclass(frozen=True)
class Trial:
    """A label that was calculated to see what it costs.

    :param n_atoms: number of atoms.
    :param n_kpoints: number of k-points that pw.x calculates.
    :param seconds: wall time.
    :param memory_mib: memory that pw.x estimates.
    """

    n_atoms: int
    n_kpoints: int
    seconds: float
    memory_mib: float


def timed_labels(cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> list[Trial]:
    """Run pw.x on cells, on this machine and in a temporary folder, and return what each of them took.

    :param inputs: the namespace ``qe`` of ``LabelWorkChain``.
    :param side_by_side: how many run at once, as they will in the campaign.
    :raises AnialError: if pw.x fails.
    """
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(side_by_side) as pool:
        folders = [_written(cell, inputs, Path(scratch)) for cell in cells]
        return list(pool.map(_timed, cells, folders))


def _written(cell: orm.StructureData, inputs: Mapping[str, Any], scratch: Path) -> Path:
    """Write the files of a job as AiiDA would, and return their folder."""
    builder: Any = PwCalculation.get_builder()
    builder.structure = cell
    for name in ('code', 'pseudos', 'parameters', 'settings'):
        builder[name] = inputs['pw'][name]
    builder.kpoints = inputs['kpoints']
    builder.metadata = {'options': inputs['pw']['metadata']['options'], 'dry_run': True, 'store_provenance': False}
    with chdir(scratch):
        _, node = run_get_node(builder)
    return Path(node.dry_run_info['folder'])


def _timed(cell: orm.StructureData, folder: Path) -> Trial:
    begin = time.perf_counter()
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run(
        ['/bin/bash', '_aiidasubmit.sh'],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=_LIMIT_S,
    )
    seconds = time.perf_counter() - begin
    printed = (folder / PwCalculation._DEFAULT_OUTPUT_FILE).read_text(errors='replace')
    if 'JOB DONE' not in printed:
        raise AnialError(f'pw.x failed on a cell of {len(cell.sites)} atoms: {printed[-300:]}')
    return Trial(
        len(cell.sites),
        int(printed.split('number of k points=')[1].split()[0]),
        seconds,
        float(printed.split('Estimated total dynamical RAM >')[1].split()[0]),
    )
