"""Generalised stacking faults: slip of FCC along <112> on {111}, and twinning.

Both are parts of one path, in units of the partial Burgers vector b_p = a/sqrt(6). From 0 to 1, all layers above a
plane glide until they form the intrinsic fault; from 1 to 2, the layers above the next plane follow, which leaves a
twin of two layers (the extrinsic fault). See Kibey et al., Acta Mater. 55, 6843 (2007),
doi:10.1016/j.actamat.2007.08.042.

Each cell is periodic and contains one fault: the lattice vector out of the plane glides along. There is no vacuum, and
the height of the cell is that of the crystal, so a fault that tends to expand compresses the layers between it and its
images; this effect decreases with the number of layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.settings import Settings
from aiida_anial.properties.crystals import MJ_PER_M2, Layers
from aiida_anial.properties.evaluation import Evaluation, Relaxation, Task
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, relative_energies, unconverged_notes

__all__ = ('SlipPath', 'StackingFaultSettings', 'TwinPath')

_PERFECT = 'displaced_0000'


class StackingFaultSettings(Settings):
    """Cells of the faults.

    :param n_layers: number of close-packed layers from one fault to the next.
    :param n_points: number of displacements along the path, odd.
    """

    n_layers: Annotated[int, Field(ge=6)] = 12
    n_points: Annotated[int, Field(ge=5, le=101)] = 11

    @model_validator(mode='after')
    def _check_middle(self) -> Self:
        if self.n_points % 2 == 0:
            raise ValueError(f'n_points: {self.n_points} is even, and the middle of the path would be missing')
        return self


def _panel(name: str, literature: Mapping[float, str]) -> Curve:
    return Curve(
        figure='paths',
        title=f'{name} path',
        x='displacement',
        y='energy_mj_per_m2',
        x_label='displacement along ⟨112⟩ (a/√6)',
        y_label='energy (mJ/m²)',
        disagreement='disagreement_mj_per_m2',
        literature=literature,
        rmse='rmse',
    )


_DEVIATION = Column(quantity='rmse', unit='mJ/m2', help='Deviation of the path from that of the reference')


class _FaultPath(Property[StackingFaultSettings]):
    """One half of the path: slip or twinning."""

    start: ClassVar[int]
    fault: ClassVar[str]

    defaults = StackingFaultSettings()
    requires = ('lattice',)
    curves = (
        ('displacement', 'in units of the partial Burgers vector a/√6, from 0 to 1 for `slip` and to 2 for `twin`'),
        ('energy_mj_per_m2', 'energy above the perfect crystal'),
        ('disagreement_mj_per_m2', 'disagreement of the members on that energy'),
    )

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return the perfect crystal and the points of the path, named by displacement in thousandths of b_p."""
        layers = Layers.fcc('111', requirements['lattice_constant'])
        n_layers = self.settings.n_layers
        return {
            _task_name(displacement): Task(
                layers.crystal(n_layers, _glides(displacement, n_layers)), Relaxation.NORMAL, group='layers'
            )
            for displacement in dict.fromkeys((0.0, *self._displacements()))
        }

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return the energies of the fault and of the barrier before it, above the perfect crystal.

        The barrier is the maximum of a cubic spline, whose slope is zero at both ends of the path, sites of threefold
        symmetry.
        """
        displacements = self._displacements()
        perfect = evaluations[_PERFECT]
        points = [evaluations[_task_name(displacement)] for displacement in displacements]
        unit = MJ_PER_M2 * Layers.fcc('111', requirements['lattice_constant']).area

        def stable(energies: NDArray[np.float64]) -> float:
            return float((energies[-1] - energies[0]) / unit)

        def unstable(energies: NDArray[np.float64]) -> float:
            return _barrier(displacements, (energies[1:] - energies[0]) / unit)

        quantities = {f'stable_{self.fault}': from_energies([perfect, points[-1]], stable, 'mJ/m2')}
        notes = unconverged_notes(evaluations)
        try:
            quantities[f'unstable_{self.fault}'] = from_energies([perfect, *points], unstable, 'mJ/m2')
        except ValueError:
            notes += (f'There is no barrier before the {self.fault}, and unstable_{self.fault} is left out.',)
        per_area = self.settings.n_layers / unit
        energies, disagreement = relative_energies(points, perfect)
        curves = {
            'displacement': displacements,
            'energy_mj_per_m2': energies * per_area,
            'disagreement_mj_per_m2': disagreement * per_area,
        }
        return PropertyResult(quantities, curves, notes)

    def _displacements(self) -> NDArray[np.float64]:
        """Return the displacements of the points, in units of b_p."""
        last = self.settings.n_points - 1
        return self.start + np.arange(last + 1) / last


class SlipPath(_FaultPath):
    """From the crystal to the intrinsic stacking fault."""

    name = 'slip'
    columns = (
        Column(
            quantity='stable_fault',
            unit='mJ/m2',
            help='Energy of the intrinsic stacking fault',
            key='stable_fault_mj_per_m2',
        ),
        Column(quantity='unstable_fault', unit='mJ/m2', help='Barrier before the intrinsic fault'),
        _DEVIATION,
    )
    panels = (_panel('slip', {1.0: 'stable_fault'}),)
    start = 0
    fault = 'fault'


class TwinPath(_FaultPath):
    """From the intrinsic stacking fault to a twin of two layers, which is the extrinsic one."""

    name = 'twin'
    columns = (
        Column(quantity='stable_twin', unit='mJ/m2', help='Energy of the twin of two layers'),
        Column(quantity='unstable_twin', unit='mJ/m2', help='Barrier before the twin'),
        _DEVIATION,
    )
    panels = (_panel('twin', {}),)
    start = 1
    fault = 'twin'


def _glides(displacement: float, n_layers: int) -> NDArray[np.float64]:
    """Return the displacements of the layers 0 to ``n_layers``, in units of b_p.

    The first fault is between the last layer and the image of the first one, the second between the first two layers.
    """
    second = max(displacement - 1.0, 0.0)
    glides = np.full(n_layers + 1, second)
    glides[0] = 0.0
    glides[-1] += min(displacement, 1.0)
    return glides


def _task_name(displacement: float) -> str:
    return f'displaced_{round(1000 * displacement):04d}'


def _barrier(displacements: NDArray[np.float64], energies: NDArray[np.float64]) -> float:
    """Return the maximum of a spline between the ends of the path.

    :raises ValueError: if there is no maximum above the ends.
    """
    from scipy.interpolate import CubicSpline  # a second to import

    spline = CubicSpline(displacements, energies, bc_type='clamped')
    highest = float(np.max(spline(spline.derivative().roots(extrapolate=False)), initial=-np.inf))
    # The ends are stationary points, too; rounding may put them slightly above their energies.
    if not highest > max(energies[0], energies[-1]) + 1e-6:
        raise ValueError('no barrier')
    return highest
