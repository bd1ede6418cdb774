"""Labels by pw.x that are timed on the spot, of which nothing is stored."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.engine import run_get_node
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_anial.calcfunctions.make_meshes import mesh_for
from aiida_anial.common.errors import AnialError
from aiida_anial.labellers.pw_inputs import n_electrons, namelists_with_bands

__all__ = ('Trial', 'mean_trial')

_LIMIT_S: Final = 3600
# Quantiles of the expected cost at which cells are tried, so that all sizes are seen.
_QUANTILES: Final = (0.9, 0.65, 0.35, 0.1)


@dataclass(frozen=True)
class Trial:
    """What labels cost.

    :param seconds: wall time of pw.x for a cell of the mean cost.
    :param memory_mib: memory that pw.x estimates for the largest cell that was tried.
    :param n_cells: how many cells were tried.
    """

    seconds: float
    memory_mib: float
    n_cells: int


def mean_trial(cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> Trial:
    """Run pw.x on a few of the cells, on this machine and in a temporary folder, and return what all would take.

    The time of pw.x follows the number of k-points times the square of the number of atoms, to a power that the trials
    tell.

    :param inputs: the namespace ``qe`` of ``LabelWorkChain``.
    :param side_by_side: how many run at once, as they will in the campaign.
    :raises AnialError: if pw.x fails.
    """
    meshes = [_mesh(cell, inputs) for cell in cells]
    work = [math.prod(mesh) * len(cell.sites) ** 2 for cell, mesh in zip(cells, meshes, strict=True)]
    order = np.argsort(work)
    chosen = sorted({int(order[round(quantile * (len(cells) - 1))]) for quantile in _QUANTILES}, key=lambda i: -work[i])
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(side_by_side) as pool:
        folders = [_written(cells[i], meshes[i], inputs, Path(scratch)) for i in chosen]
        measured = list(pool.map(_timed, folders))
    seconds = [one for one, _ in measured]
    power = float(np.clip(np.polyfit(np.log([work[i] for i in chosen]), np.log(seconds), 1)[0], 0.3, 1.5))
    scale = math.exp(float(np.mean([math.log(t) - power * math.log(work[i]) for i, t in zip(chosen, seconds, strict=True)])))
    mean = float(np.mean(scale * np.array(work, dtype=float) ** power))
    return Trial(mean, max(memory for _, memory in measured), len(chosen))


def _mesh(cell: orm.StructureData, inputs: Mapping[str, Any]) -> list[int]:
    if 'kpoints' in inputs:
        mesh: list[int] = inputs['kpoints'].get_kpoints_mesh()[0]
        return mesh
    return mesh_for(
        cell, inputs.get('kpoints_distance'), inputs.get('kpoints_force_parity'), inputs.get('kpoints_density')
    )


def _written(cell: orm.StructureData, mesh: list[int], inputs: Mapping[str, Any], scratch: Path) -> Path:
    """Write the files of a job as AiiDA would, and return their folder."""
    pw = inputs['pw']
    builder: Any = PwCalculation.get_builder()
    builder.structure = cell
    builder.code = pw['code']
    builder.pseudos = pw['pseudos']
    electrons = n_electrons(cell, pw['pseudos'])
    # The calculation adds to the namelists of a node that is not stored.
    builder.parameters = orm.Dict(deepcopy(namelists_with_bands(pw['parameters'].get_dict(), electrons)))
    builder.settings = pw['settings']
    builder.kpoints = orm.KpointsData()
    builder.kpoints.set_kpoints_mesh(mesh)
    builder.metadata = {'options': pw['metadata']['options'], 'dry_run': True, 'store_provenance': False}
    with chdir(scratch):
        _, node = run_get_node(builder)
    return Path(node.dry_run_info['folder'])


def _timed(folder: Path) -> tuple[float, float]:
    """Run the script of a job, and return the seconds and the memory in MiB."""
    begin = time.perf_counter()
    subprocess.run(['/bin/bash', '_aiidasubmit.sh'], cwd=folder, capture_output=True, check=False, timeout=_LIMIT_S)
    seconds = time.perf_counter() - begin
    output = folder / PwCalculation._DEFAULT_OUTPUT_FILE
    printed = output.read_text(errors='replace') if output.exists() else ''
    if 'JOB DONE' not in printed:
        raise AnialError(f'label: pw.x failed when it was tried: {" ".join(printed.split()[-40:]) or "no output"}')
    memory, unit = printed.split('Estimated max dynamical RAM per process >')[1].split()[:2]
    return seconds, float(memory) * (1024 if unit == 'GB' else 1)
