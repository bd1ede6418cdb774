"""What evaluates a potential: one interface, and the choice among the engines of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import SettingsError
from aiida_anial.potential.kinds import loaded
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.prediction import Prediction
from aiida_anial.potential.settings import EngineSettings

__all__ = ('Engine', 'make_engine')


class Engine(Protocol):
    """Evaluates one potential on batches of cells."""

    def neighbours(self, cells: Cells, *, skin: float) -> tuple[NeighbourList, ...]:
        """Return, for each cell, what ``evaluate`` needs until an atom has moved by half of ``skin`` (angstrom)."""
        ...

    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: Sequence[NeighbourList] | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        """Return energies and what else is asked for.

        :param cells: the batch.
        :param neighbours: for each cell, of the same atoms and lattice; made from ``cells`` when left out.
        :param forces: whether to compute the forces.
        :param stress: whether to compute the stresses.
        :param member_forces: whether to compute the forces of every member, which costs about twice as much.
        """
        ...


def make_engine(potential: Potential, settings: EngineSettings) -> Engine:
    """Return the engine that ``settings`` describe for ``potential``.

    :raises SettingsError: if potentials of its kind have no such engine, or this machine does not have the device.
    """
    engines = potential.ENGINES
    name: str = settings.engine
    if name == 'auto':
        # The first one is the fastest on the CPU; only torch computes elsewhere.
        name = next(iter(engines)) if settings.device == 'cpu' else 'torch'
    if name not in engines:
        raise SettingsError(
            f'engine.engine: potentials of kind {potential.model.kind!r} are evaluated by {", ".join(engines)}, '
            f'not by {name}.'
        )
    engine: Engine = loaded(engines[name])(potential, settings)
    return engine
