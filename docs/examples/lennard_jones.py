"""A second kind of potential: an ensemble of Lennard-Jones pair potentials, cut off and shifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.common.settings import Positive
from aiida_anial.common.tensors import TensorFile
from aiida_anial.potential.engine import Prediction, mean_over_members
from aiida_anial.potential.neighbours import NeighbourList, joined, neighbour_lists
from aiida_anial.potential.potential import FILE_KIND, SCHEMA_VERSION
from aiida_anial.potential.settings import EngineSettings, PotentialSettings

_UNITS = {'length': 'angstrom', 'energy': 'eV'}


class LennardJonesSettings(PotentialSettings):
    """The architecture: what ``model`` holds in a campaign."""

    kind: Literal['lennard_jones'] = 'lennard_jones'
    pair_cutoff_angstrom: Positive = 6.0

    @property
    def cutoff_angstrom(self) -> float:
        return self.pair_cutoff_angstrom


@dataclass(frozen=True, eq=False)
class LennardJones:
    """The numbers: depth (eV) and diameter (angstrom) of each of M members, ``[M, 2]``."""

    SETTINGS: ClassVar[type[PotentialSettings]] = LennardJonesSettings
    ENGINES: ClassVar[Mapping[str, str]] = {'numpy': f'{__name__}:LennardJonesEngine'}

    model: LennardJonesSettings
    parameters: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.parameters.shape != (self.model.n_members, 2) or not np.isfinite(self.parameters).all():
            raise AnialError('lennard_jones: two finite numbers for each member are needed.')

    def member(self, index: int) -> Self:
        if not 0 <= index < self.model.n_members:
            raise AnialError(f'lennard_jones: there is no member {index} among {self.model.n_members}.')
        return type(self)(self.model.model_copy(update={'n_members': 1}), self.parameters[index : index + 1])

    def to_file(self) -> TensorFile:
        metadata = {'model': self.model.to_dict(), 'units': _UNITS}
        return TensorFile(FILE_KIND, SCHEMA_VERSION, metadata, {'parameters': self.parameters})

    @classmethod
    def from_file(cls, content: TensorFile) -> Self:
        return cls(LennardJonesSettings.parse(content.metadata['model']), content.arrays['parameters'])


class LennardJonesEngine:
    """Evaluates it with NumPy, in float64."""

    def __init__(self, potential: LennardJones, _: EngineSettings) -> None:
        self._parameters, self._cutoff = potential.parameters, potential.model.cutoff_angstrom

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        return neighbour_lists(cells, cutoff=self._cutoff + skin)

    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: Sequence[NeighbourList] | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        pairs = joined(self.neighbours(cells, skin=0.0) if neighbours is None else neighbours)
        vectors = pairs.vectors(cells.positions)
        r = np.linalg.norm(vectors, axis=1)
        inside, cell = r < self._cutoff, cells.cell_of_atom[pairs.centre]
        depth, diameter = self._parameters.T[:, :, None]
        six, at_cutoff = (diameter / r) ** 6, (diameter / self._cutoff) ** 6
        # Each pair is listed from both of its atoms.
        energies = np.where(inside, 2 * depth * (six**2 - six - at_cutoff**2 + at_cutoff), 0.0)
        # Twice the derivative of that by r, over r: along the vector, it pulls the centre towards the neighbour.
        along = np.where(inside, 24 * depth * (six - 2 * six**2) / r**2, 0.0)
        by_member = np.zeros((len(depth), len(cells)))
        np.add.at(by_member, (slice(None), cell), energies)
        of_atoms = np.zeros((len(depth), *cells.positions.shape))
        np.add.at(of_atoms, (slice(None), pairs.centre), along[..., None] * vectors)
        virials = np.zeros((len(cells), 3, 3))
        np.add.at(virials, cell, along.mean(axis=0)[:, None, None] / 2 * vectors[:, :, None] * vectors[:, None])
        return Prediction(
            n_atoms=cells.n_atoms,
            energies=mean_over_members(by_member),
            member_energies=by_member,
            forces=of_atoms.mean(axis=0) if forces else None,
            stresses=virials / cells.volumes[:, None, None] if stress else None,
            member_forces=of_atoms if member_forces else None,
        )
