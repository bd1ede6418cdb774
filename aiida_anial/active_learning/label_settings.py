"""Settings of labels."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.common.settings import Positive, Settings, unknown_key
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = ('KPOINTS_RULES', 'LabelSettings', 'LabellerSettings', 'QeSettings')

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
MeshCount = Annotated[int, Field(ge=1, le=100)]

_NAMELISTS = ('CONTROL', 'SYSTEM', 'ELECTRONS')

# Keywords of pw.x that are set by other keys, or that AiiDA derives from the structure and the job.
_OURS = (
    *('calculation', 'tprnfor', 'tstress', 'occupations', 'smearing', 'degauss', 'ecutwfc', 'ecutrho', 'conv_thr'),
    *('pseudo_dir', 'outdir', 'prefix', 'ibrav', 'nat', 'ntyp', 'celldm', 'a', 'b', 'c', 'cosab', 'cosac', 'cosbc'),
)

# The keys that choose k-points, of which exactly one is needed.
KPOINTS_RULES: Final = ('kpoints_mesh', 'kpoints_distance_per_angstrom', 'kpoints_per_reciprocal_atom')
"""Keys of the rules for k-points, of which labels by pw.x need one."""


class LabelSettings(Settings):
    """Settings that all labellers share.

    :param max_concurrent: largest number of calculations of a campaign that are alive at the same time.
    :param max_failed_fraction: if a larger fraction of labels fails, the labelling ends with an exit code.
    :param max_force_ev_per_angstrom: a label with a larger force on an atom is rejected as unphysical.
    """

    max_concurrent: Count = 2
    max_failed_fraction: Fraction = 0.2
    max_force_ev_per_angstrom: Positive = 50.0


class QeSettings(Settings):
    """PBE with pw.x for metals: always with smearing, and always with forces and stress.

    :param pseudo_family: label of an installed aiida-pseudo family; the default one comes with the package.
    :param ecutwfc_ry: wavefunction cutoff in Ry; with ``null``, the family recommends both cutoffs.
    :param kpoints_mesh: Monkhorst-Pack mesh of all cells (paper: 3 x 3 x 3).
    :param kpoints_distance_per_angstrom: instead, the largest distance between k-points, for cells of different sizes.
    :param kpoints_per_reciprocal_atom: instead, the least product of the number of k-points and the number of atoms;
        cells of fewer than 20 atoms have more, in inverse proportion to their atoms.
    :param parameters: further entries of pw.x namelists, such as ``{'ELECTRONS': {'mixing_beta': 0.4}}``.
    """

    pseudo_family: str = PSEUDO_FAMILY
    ecutwfc_ry: Annotated[float, Field(ge=5, le=1000)] | None = None
    ecutrho_ry: Annotated[Positive, Field(le=20_000)] | None = None
    smearing: Literal['cold', 'gaussian', 'methfessel-paxton', 'fermi-dirac'] = 'cold'
    degauss_ry: Annotated[Positive, Field(le=0.5)] = 0.02
    conv_thr_ry: Annotated[Positive, Field(le=0.1)] = 1e-8
    kpoints_mesh: tuple[MeshCount, MeshCount, MeshCount] | None = None
    kpoints_distance_per_angstrom: Annotated[float, Field(ge=0.02, le=2)] | None = None
    kpoints_per_reciprocal_atom: Annotated[int, Field(ge=1, le=10**6)] | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    job: JobSettings = JobSettings()

    @model_validator(mode='after')
    def _check(self) -> Self:
        for namelist in self.parameters:
            if namelist not in _NAMELISTS:
                raise ValueError(f'parameters.{namelist}: no such namelist; known are {", ".join(_NAMELISTS)}')
        if sum(getattr(self, name) is not None for name in KPOINTS_RULES) != 1:
            raise ValueError(f'give one of {", ".join(KPOINTS_RULES)}')
        if (self.ecutwfc_ry is None) != (self.ecutrho_ry is None):
            raise ValueError('give both ecutwfc_ry and ecutrho_ry, or neither')
        # pw.x takes less than four times as much; for norm-conserving pseudopotentials it costs little accuracy.
        if self.ecutwfc_ry and self.ecutrho_ry and self.ecutrho_ry <= self.ecutwfc_ry:
            raise ValueError(f'ecutrho_ry: {self.ecutrho_ry:g} is not above ecutwfc_ry, {self.ecutwfc_ry:g}')
        for namelist, values in self.parameters.items():
            if taken := {key.lower() for key in values} & set(_OURS):
                raise ValueError(f'parameters.{namelist}.{min(taken)}: other keys or the cell determine this keyword')
        return self


class LabellerSettings(Settings):
    """The labeller and its settings.

    Labellers other than ``qe`` have their settings under their own name, next to these keys.

    :param labeller: ``qe`` is PBE with pw.x, one calculation for each cell. The others are potentials, which label all
        cells in one job, for tests and for studies of active learning itself: ``emt``, ``eam`` (a potential file),
        ``ensemble`` (a trained potential as teacher), ``calculator`` (an ASE calculator by name).
    """

    model_config = ConfigDict(**Settings.model_config | {'extra': 'allow'})

    labeller: str = 'qe'
    limits: LabelSettings = LabelSettings()
    qe: QeSettings = QeSettings(kpoints_mesh=(3, 3, 3))
    job: JobSettings = JobSettings()

    @model_validator(mode='after')
    def _check(self) -> Self:
        for key in self.__pydantic_extra__ or {}:
            if key != self.labeller:
                raise ValueError(unknown_key(key, [*type(self).model_fields, self.labeller]))
        return self

    @property
    def own(self) -> Any:
        """The settings under the name of the labeller, not yet validated."""
        return (self.__pydantic_extra__ or {}).get(self.labeller, {})
