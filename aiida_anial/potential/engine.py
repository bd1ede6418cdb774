"""What every engine that evaluates an ensemble offers, and how to make one."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field

from aiida_anial.common.cells import Cells
from aiida_anial.common.settings import Settings
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.prediction import Prediction

__all__ = ('Engine', 'EngineSettings', 'make_engine')


class EngineSettings(Settings):
    """How an ensemble is evaluated; the results do not depend on it but for rounding.

    :param engine: the implementation.
    :param device: ``cpu``, ``cuda`` or ``cuda:1``.
    :param dtype: precision of descriptors and networks; sums over atoms are in float64 always.
    :param threads: CPU threads, set by the program for its whole process (``torch.set_num_threads``).
    """

    engine: Literal['torch'] = 'torch'
    device: Annotated[str, Field(pattern=r'^(cpu|cuda(:\d+)?)$')] = 'cpu'
    dtype: Literal['float32', 'float64'] = 'float32'
    threads: Annotated[int, Field(ge=1)] = 1


class Engine(Protocol):
    """Evaluates one ensemble on batches of cells."""

    def neighbours(self, cells: Cells, *, skin: float) -> NeighbourList:
        """Return the neighbours that ``evaluate`` needs until an atom has moved by half of ``skin`` (angstrom)."""
        ...

    def evaluate(
        self,
        cells: Cells,
        *,
        neighbours: NeighbourList | None = None,
        forces: bool = True,
        stress: bool = False,
        member_forces: bool = False,
    ) -> Prediction:
        """Return energies and what else is asked for.

        :param cells: the batch.
        :param neighbours: of a batch with the same atoms and lattices; made from ``cells`` when left out.
        :param forces: whether to compute the forces.
        :param stress: whether to compute the stresses.
        :param member_forces: whether to compute the forces of every member, which costs about twice as much.
        """
        ...


def make_engine(ensemble: Ensemble, settings: EngineSettings) -> Engine:
    """Return the engine that ``settings`` describe for ``ensemble``.

    :raises SettingsError: if this machine does not have the device.
    """
    from aiida_anial.potential.torch_engine import TorchEngine

    return TorchEngine(ensemble, settings)
