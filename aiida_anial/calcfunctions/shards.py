"""The outputs of every process that makes a shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_anial.common.labels import Label, assemble
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.label import LabelData

__all__ = ('shard_outputs',)


def shard_outputs(
    labels: Mapping[str, Label],
    *,
    max_force: float,
    source: Mapping[str, Any],
    theory: LevelOfTheory | None,
    kpoints: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return ``dataset`` and ``labels`` where there is a sound label, and the faults of the others by name.

    :param labels: by name.
    :param max_force: largest force on an atom that is physical, in eV/angstrom.
    :param source: ``iteration`` and ``origin``.
    :param kpoints: mesh by name.
    """
    dataset, faults = assemble(labels, max_force=max_force, iteration=source['iteration'], origin=source['origin'])
    if dataset is None:
        return {}, faults
    names = [name for name in sorted(labels) if name not in faults]
    nodes = LabelData.of_shard(dataset, theory, [kpoints.get(name) for name in names] if kpoints else None)
    return {'dataset': DatasetData(dataset, theory), 'labels': dict(zip(names, nodes, strict=True))}, faults
