"""What every engine that evaluates an ensemble offers, and how to make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from aiida_anial.common.cells import Cells
from aiida_anial.common.settings import Settings
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.neighbours import NeighbourList
from aiida_anial.potential.prediction import Prediction

__all__ = ('Engine', 'EngineSettings', 'make_engine')


class EngineSettings(Settings):
    """How an ensemble is evaluated; the results do not depend on it but for rounding.

    :param engine: ``numba``, compiled kernels for the CPU; ``torch``, which runs on any device and is the reference;
        ``auto``, the faster one for the device.
    :param device: ``cpu``, ``cuda`` or ``cuda:1``.
    :param dtype: precision of descriptors and networks; sums over atoms are in float64 always.
    :param threads: CPU threads of numba's kernels, and of torch in the programs that set them for their whole process.
    """

    engine: Literal['auto', 'numba', 'torch'] = 'auto'
    device: Annotated[str, Field(pattern=r'^(cpu|cuda(:\d+)?)$')] = 'cpu'
    dtype: Literal['float32', 'float64'] = 'float32'
    threads: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode='after')
    def _check_device(self) -> Self:
        if self.engine == 'numba' and self.device != 'cpu':
            raise ValueError(f'engine: numba computes on the CPU alone, and not on device {self.device!r}')
        return self


class Engine(Protocol):
    """Evaluates one ensemble on batches of cells."""

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


def make_engine(ensemble: Ensemble, settings: EngineSettings) -> Engine:
    """Return the engine that ``settings`` describe for ``ensemble``.

    :raises SettingsError: if this machine does not have the device.
    """
    if settings.engine == 'torch' or settings.device != 'cpu':
        from aiida_anial.potential.torch_engine import TorchEngine

        return TorchEngine(ensemble, settings)
    from aiida_anial.potential.numba_engine import NumbaEngine

    return NumbaEngine(ensemble, settings)
