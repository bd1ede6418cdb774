"""Surroundings of atoms in a wave, cut out into vacuum, and the error of the force on the atom in their middle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.shock.settings import CutSettings
from aiida_anial.shock.wave_output import Frame

__all__ = ('CutOut', 'Surrounding', 'cut_out', 'drawn', 'errors_by_radius')

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surrounding:
    """What is cut out around an atom.

    :param atom: number of the atom in the frames of LAMMPS, from 1.
    :param step: time step after the impact.
    :param radius_angstrom: radius of what is cut out.
    :param height_angstrom: coordinate of the atom along the wave.
    :param force: force on the atom in the whole crystal by the potential, eV/angstrom.
    :param disagreement: disagreement of that force, eV/angstrom.
    """

    atom: int
    step: int
    radius_angstrom: float
    height_angstrom: float
    force: tuple[float, float, float]
    disagreement: float

    @property
    def name(self) -> str:
        """A name that is valid in link labels."""
        return f'atom{self.atom}_step{self.step}_radius{round(100 * self.radius_angstrom)}'

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), 'force': list(self.force)}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return the surrounding of which ``to_dict`` gave ``values``."""
        return cls(**{**values, 'force': tuple(values['force'])})


class CutOut(NamedTuple):
    """What is cut out around an atom, as a cell.

    :param surrounding: which atom, when, and what the potential says.
    :param positions: ``[n, 3]`` of the atoms within the radius, that in the middle first, angstrom.
    :param lattice: ``[3, 3]`` of a cube, angstrom.
    """

    surrounding: Surrounding
    positions: Array
    lattice: Array


def drawn(frames: Iterable[Frame], settings: CutSettings, *, seed: int) -> list[CutOut]:
    """Draw atoms, and cut out what is around each in each frame.

    The atoms move, and are farther from piston and free surface than the largest radius in the first frame.

    :raises AnialError: if the crystal has too few such atoms, or there are no frames.
    """
    source = Generator(PCG64(seed))
    atoms: list[int] = []
    found = []
    for frame in frames:
        atoms = atoms or _atoms(frame, settings, source)
        found += [
            CutOut(_surrounding(frame, atom, radius), *cut_out(frame, atom, radius, settings.vacuum_angstrom))
            for atom in atoms
            for radius in settings.radii_angstrom
        ]
    if not found:
        raise AnialError('the wave left no frames.')
    kept = np.sort(source.permutation(len(found))[: settings.max_labels])
    return [found[index] for index in kept]


def _atoms(frame: Frame, settings: CutSettings, source: Generator) -> list[int]:
    """Draw the atoms, counted from 0."""
    heights, margin = frame.positions[:, 1], max(settings.radii_angstrom)
    low, high = heights[~frame.moving].max() + margin, heights.max() - margin
    possible = np.flatnonzero(frame.moving & (heights > low) & (heights < high))
    if len(possible) < settings.atoms:
        raise AnialError(
            f'cut.radii_angstrom: only {len(possible)} atoms are {margin:g} angstrom from both ends of the crystal.'
        )
    atoms: list[int] = source.choice(possible, settings.atoms, replace=False).tolist()
    return atoms


def _surrounding(frame: Frame, atom: int, radius: float) -> Surrounding:
    x, y, z = (float(value) for value in frame.forces[atom])
    return Surrounding(
        atom=atom + 1,
        step=frame.step,
        radius_angstrom=radius,
        height_angstrom=float(frame.positions[atom, 1]),
        force=(x, y, z),
        disagreement=float(frame.disagreements[atom]),
    )


def cut_out(frame: Frame, atom: int, radius: float, vacuum: float) -> tuple[Array, Array]:
    """Return the positions ``[n, 3]`` of the atoms within the radius, that in the middle first, and the cube around.

    :param atom: counted from 0.
    :param radius: in angstrom.
    :param vacuum: least distance between these atoms and their images, angstrom.
    :return: positions and lattice vectors ``[3, 3]``, angstrom.
    """
    edges = frame.box[:, 1] - frame.box[:, 0]
    vectors = frame.positions - frame.positions[atom]
    periodic = np.array([0, 2])
    vectors[:, periodic] -= edges[periodic] * np.round(vectors[:, periodic] / edges[periodic])
    # From the nearest image on, at most half an edge away; a wide crystal needs no other.
    images = [range(-n, n + 1) for n in np.floor(radius / edges[periodic] + 0.5).astype(int)]
    shifts = np.array([(i * edges[0], 0.0, j * edges[2]) for i in images[0] for j in images[1]])
    everywhere = (vectors[None] + shifts[:, None]).reshape(-1, 3)
    distances = np.linalg.norm(everywhere, axis=1)
    inside = np.flatnonzero(distances < radius)
    ordered = everywhere[inside[np.argsort(distances[inside], kind='stable')]]
    edge = 2 * radius + vacuum
    return ordered + edge / 2, np.eye(3) * edge


def errors_by_radius(surroundings: Sequence[Surrounding], labels: Mapping[str, Array]) -> list[dict[str, Any]]:
    """Return, for each radius, the errors of forces by the potential in the crystal against DFT on what was cut out.

    :param labels: force by DFT on the atom in the middle, eV/angstrom, by the name of the surrounding.
    """
    rows = []
    for radius in sorted({one.radius_angstrom for one in surroundings}):
        some = [one for one in surroundings if one.radius_angstrom == radius and one.name in labels]
        if not some:
            continue
        true = np.array([labels[one.name] for one in some])
        errors = np.array([one.force for one in some]) - true
        rows.append(
            {
                'radius_angstrom': radius,
                'n_labels': len(some),
                'mae_ev_per_angstrom': float(np.abs(errors).mean()),
                'rmse_ev_per_angstrom': float(np.sqrt((errors**2).mean())),
                'mean_force_ev_per_angstrom': float(np.linalg.norm(true, axis=1).mean()),
            }
        )
    return rows
