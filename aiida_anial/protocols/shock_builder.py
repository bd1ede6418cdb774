"""From settings to the builder of shock waves."""

from __future__ import annotations

from typing import Any, Final, cast

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_anial.active_learning.label_settings import LabelSettings, QeSettings
from aiida_anial.labellers.pw_inputs import pw_inputs
from aiida_anial.shock.settings import ShockSettings
from aiida_anial.workchains.shock import ShockWorkChain

__all__ = ('SURROUNDINGS', 'shock_builder')

SURROUNDINGS: Final = QeSettings(kpoints_mesh=(1, 1, 1), degauss_ry=0.05, conv_thr_ry=1e-6)
"""Settings of pw.x for clusters in vacuum."""


def shock_builder(
    settings: ShockSettings,
    *,
    seed: int,
    plugin: orm.FolderData,
    lmp_code: orm.AbstractCode,
    ranks: int,
    max_concurrent: int = 1,
    max_wallclock_seconds: int | None = None,
    pw_code: orm.AbstractCode | None = None,
    pseudo: UpfData | None = None,
    qe: QeSettings = SURROUNDINGS,
) -> ProcessBuilder:
    """Return a builder of ``ShockWorkChain``; nothing is stored.

    :param plugin: sources of an ensemble for LAMMPS.
    :param ranks: MPI ranks of a wave.
    :param max_wallclock_seconds: time limit of a job of LAMMPS; a wave goes on in the next one.
    :param max_concurrent: waves, or calculations of pw.x, that may run at once.
    :param pw_code: code of ``pw.x``; None for no DFT.
    :param pseudo: pseudopotential for DFT.
    :param qe: settings of DFT, with cutoffs.
    """
    builder: Any = ShockWorkChain.get_builder()
    builder.settings = orm.Dict(settings.to_dict(), label='shock', description='shock')
    builder.seed = orm.Int(seed)
    builder.max_concurrent = orm.Int(max_concurrent)
    options: dict[str, Any] = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': ranks}}
    if max_wallclock_seconds is not None:
        options['max_wallclock_seconds'] = max_wallclock_seconds
    builder.lammps = {'code': lmp_code, 'potential': plugin, 'metadata': {'options': options}}
    if pw_code is not None:
        # Some clusters of a hot wave may not converge; the others still tell.
        limits = LabelSettings(max_concurrent=max_concurrent, max_failed_fraction=0.5)
        builder.label = {'limits': orm.Dict(limits.to_dict()), 'qe': pw_inputs(qe, pw_code, pseudo)}
    return cast(ProcessBuilder, builder)
