"""Crystal structures and dislocations in a frame, by OVITO (the extra ``ovito``)."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError, one_line

__all__ = ('STRUCTURES', 'Dislocations', 'check_ovito', 'find_dislocations')

STRUCTURES: Final = ('other', 'FCC', 'HCP', 'BCC')
"""Structures that common-neighbour analysis tells apart, in the order of OVITO's numbers."""


@dataclass(frozen=True, eq=False)
class Dislocations:
    """What common-neighbour analysis and DXA find in a frame of n atoms.

    :param step: time step after the impact.
    :param positions: ``[n, 3]`` angstrom.
    :param structures: ``[n]`` index of the structure of each atom in ``STRUCTURES``.
    :param lines: points ``[k, 3]`` of each dislocation line, angstrom.
    :param lengths: total length in angstrom by Burgers vector, such as ``1/6<112>``.
    """

    step: int
    positions: NDArray[np.float64]
    structures: NDArray[np.int64]
    lines: tuple[NDArray[np.float64], ...]
    lengths: dict[str, float]

    def summary(self) -> dict[str, Any]:
        """Return plain values: the step, the share of each structure, and the lengths."""
        shares = np.bincount(self.structures, minlength=len(STRUCTURES))[: len(STRUCTURES)] / len(self.structures)
        return {
            'step': self.step,
            'share_by_structure': dict(zip(STRUCTURES, shares.tolist(), strict=True)),
            'length_angstrom_by_burgers_vector': self.lengths,
        }


def check_ovito() -> None:
    """Refuse to go on without OVITO.

    :raises AnialError: if it is not installed.
    """
    if importlib.util.find_spec('ovito') is None:
        raise AnialError("--dislocations: OVITO is not installed; `pip install 'aiida-anial[ovito]'` installs it.")


def find_dislocations(file: Path) -> Dislocations:
    """Analyse the last frame of a dump of LAMMPS, which may be compressed.

    DXA: Stukowski, Bulatov and Arsenlis, Modelling Simul. Mater. Sci. Eng. 20, 085007 (2012),
    doi:10.1088/0965-0393/20/8/085007.

    :raises AnialError: if OVITO is not installed, or cannot analyse the file.
    """
    check_ovito()
    # Without a screen, Qt needs this before it is loaded.
    os.environ.setdefault('QT_QPA_PLATFORM', 'offscreen')
    from ovito.io import import_file
    from ovito.modifiers import DislocationAnalysisModifier

    pipeline: Any = import_file(str(file))
    pipeline.modifiers.append(DislocationAnalysisModifier())
    try:
        data: Any = pipeline.compute(pipeline.source.num_frames - 1)
    except RuntimeError as exception:
        raise AnialError(one_line(f'{file.name}: OVITO cannot analyse it ({exception}).')) from exception
    prefix = 'DislocationAnalysis.length.'
    return Dislocations(
        step=int(data.attributes['Timestep']),
        positions=np.array(data.particles.positions),
        structures=np.array(data.particles['Structure Type'], dtype=np.int64),
        lines=tuple(np.array(line.points) for line in data.dislocations.lines),
        lengths={
            name.removeprefix(prefix): float(value)
            for name, value in data.attributes.items()
            if name.startswith(prefix) and value > 0
        },
    )
