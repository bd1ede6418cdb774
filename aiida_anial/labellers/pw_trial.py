"""Labels by pw.x that are timed on the spot."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida_quantumespresso.calculations.pw import PwCalculation
from numpy.typing import NDArray

from aiida_anial.calcfunctions.make_meshes import mesh_for
from aiida_anial.common.errors import AnialError
from aiida_anial.labellers.pw_inputs import n_electrons, namelists_with_bands
from aiida_anial.labellers.trial import TRIAL_LIMIT_S, Trial, dry_run, run_script

__all__ = ('mean_trial',)

# Quantiles of the expected cost at which cells are tried, so that all sizes are seen.
_QUANTILES: Final = (0.1, 0.35, 0.65, 0.9)
# CPU time of AiiDA for a label in a campaign, over that of a dry run of its calculation (docs/topics/load.md).
_DRY_RUNS: Final = 26


def mean_trial(cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> Trial:
    """Run pw.x on a few of the cells, and return what all would take.

    The time of pw.x is taken as proportional to k-points, volume and the number of bands to the power 1.5; in cells of
    4 to 28 atoms it differs from that by a sixth.

    :param inputs: the namespace ``qe`` of ``LabelWorkChain``.
    :param side_by_side: how many run at once, as they will in the campaign.
    :raises AnialError: if pw.x fails.
    """
    builders = [_builder(cell, inputs) for cell in cells]
    work = np.array([_work(builder) for builder in builders])
    order = np.argsort(work)
    chosen = list(dict.fromkeys(int(order[round(quantile * (len(cells) - 1))]) for quantile in _QUANTILES))
    tried: dict[int, tuple[float, float]] = {}
    engine_s = math.inf
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(side_by_side) as pool:
        for begin in range(0, len(chosen), side_by_side):
            # The next ones cost more: those that would take too long are left to the estimate.
            some = [i for i in chosen[begin : begin + side_by_side] if work[i] * _rate(work, tried) < TRIAL_LIMIT_S]
            prepared = [_prepared(builders[i], Path(scratch)) for i in some]
            # The first one loads modules.
            engine_s = min([engine_s, *(_DRY_RUNS * cpu_s for _, cpu_s in prepared)])
            tried.update(zip(some, pool.map(_timed, [folder for folder, _ in prepared]), strict=True))
    seconds = float(work.mean()) * _rate(work, tried)
    return Trial(seconds, max(memory for _, memory in tried.values()), len(tried), engine_s)


def _work(builder: Any) -> float:
    """Return what the time of pw.x on a cell is proportional to."""
    bands: int = builder.parameters['SYSTEM']['nbnd']
    volume: float = builder.structure.get_cell_volume()
    n_kpoints = math.prod(builder.kpoints.get_kpoints_mesh()[0])
    return float(n_kpoints * volume * bands**1.5)


def _rate(work: NDArray[np.float64], tried: Mapping[int, tuple[float, float]]) -> float:
    """Return seconds per unit of work in the cells that were tried; 0 without any."""
    return sum(seconds for seconds, _ in tried.values()) / float(work[list(tried)].sum()) if tried else 0.0


def _mesh(cell: orm.StructureData, inputs: Mapping[str, Any]) -> list[int]:
    if 'kpoints' in inputs:
        mesh: list[int] = inputs['kpoints'].get_kpoints_mesh()[0]
        return mesh
    rule = (inputs.get(name) for name in ('kpoints_distance', 'kpoints_force_parity', 'kpoints_density'))
    return mesh_for(cell, *rule)


def _builder(cell: orm.StructureData, inputs: Mapping[str, Any]) -> Any:
    """Return the inputs of the calculation of a cell."""
    pw = inputs['pw']
    builder: Any = PwCalculation.get_builder()
    builder.structure = cell
    builder.code = pw['code']
    builder.pseudos = pw['pseudos']
    # The calculation adds to the namelists of a node that is not stored.
    namelists = deepcopy(namelists_with_bands(pw['parameters'].get_dict(), n_electrons(cell, pw['pseudos'])))
    builder.parameters = orm.Dict(namelists)
    builder.settings = pw['settings']
    builder.kpoints = orm.KpointsData()
    builder.kpoints.set_kpoints_mesh(_mesh(cell, inputs))
    builder.metadata = {'options': pw['metadata']['options']}
    return builder


def _prepared(builder: Any, scratch: Path) -> tuple[Path, float]:
    """Write the files of a calculation, and return their folder and the CPU seconds that it took."""
    begin = time.process_time()
    folder = dry_run(builder, scratch)
    return folder, time.process_time() - begin


def _timed(folder: Path) -> tuple[float, float]:
    """Run pw.x in a folder, and return the seconds and the memory in MiB."""
    seconds = run_script(folder)
    output = folder / PwCalculation._DEFAULT_OUTPUT_FILE
    printed = output.read_text(errors='replace') if output.exists() else ''
    if 'JOB DONE' not in printed:
        raise AnialError(f'label: pw.x failed when it was tried: {" ".join(printed.split()[-40:]) or "no output"}')
    memory, unit = printed.split('Estimated max dynamical RAM per process >')[1].split()[:2]
    return seconds, float(memory) * (1024 if unit == 'GB' else 1)
