"""Surface energies of FCC aluminium, and the relaxation of the outermost layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.crystals import FACES, MJ_PER_M2, Layers
from aiida_anial.properties.evaluation import Evaluation, Relaxation, Task
from aiida_anial.properties.panels import Points
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult, from_energies, unconverged_notes

__all__ = ('SurfaceSettings', 'Surfaces')


class SurfaceSettings(Settings):
    """Cells of the slabs.

    :param n_layers: number of layers of each slab.
    :param vacuum_angstrom: distance from the outermost layer of a slab to that of its image.
    """

    n_layers: Annotated[int, Field(ge=6)] = 12
    vacuum_angstrom: Positive = 15.0


_SHOWN = ('111', '100', '110')


class Surfaces(Property[SurfaceSettings]):
    """Relaxed energies of (100), (110) and (111) in mJ/m2, and changes of their first two layer spacings in percent."""

    name = 'surfaces'
    defaults = SurfaceSettings()
    requires = ('lattice',)
    columns = (
        Column(quantity='energy_F', unit='mJ/m2', help='Energy of the relaxed surface F: 100, 110 or 111'),
        Column(quantity='d12_F', unit='%', help='Change of the spacing of its first two layers against the crystal'),
        Column(quantity='d23_F', unit='%', help='Change of the spacing of its second and third layer'),
        Column(quantity='energy_polycrystal', unit='mJ/m2', help='Mean over surfaces; literature only'),
    )
    panels = (
        Points(
            figure='surfaces',
            labels={f'energy_{face}': f'({face})' for face in _SHOWN},
            y_label='surface energy (mJ/m²)',
            width=3.2,
            levels={'energy_polycrystal': 'polycrystal'},
        ),
        Points(
            figure='surfaces',
            labels={f'{gap}_{face}': f'{gap}\n({face})' for face in _SHOWN for gap in ('d12', 'd23')},
            y_label='change of layer spacing (%)',
            width=4.8,
            zero=True,
        ),
    )

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return a slab and the crystal for each face.

        The crystal has the same number of layers and the same cell within a layer, so that errors of the k-point mesh
        cancel.
        """
        n_layers, vacuum = self.settings.n_layers, self.settings.vacuum_angstrom
        tasks = {}
        for face in FACES:
            layers = Layers.fcc(face, requirements['lattice_constant'])
            group = f'face_{face}'
            tasks[f'bulk_{face}'] = Task(layers.crystal(n_layers), group=group)
            tasks[f'slab_{face}'] = Task(layers.slab(n_layers, vacuum=vacuum), Relaxation.POSITIONS, group=group)
        return tasks

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:
        """Return surface energies (E(slab) - E(crystal)) / 2A, and changes of spacings relative to the crystal.

        Spacings are means over both sides of the slab, which are equivalent.
        """
        quantities = {}
        for face in FACES:
            layers = Layers.fcc(face, requirements['lattice_constant'])
            slab = evaluations[f'slab_{face}']
            quantities[f'energy_{face}'] = _energy(slab, evaluations[f'bulk_{face}'], layers)
            for name, change in zip(('d12', 'd23'), _spacing_changes(slab, layers), strict=False):
                quantities[f'{name}_{face}'] = Quantity(float(change), '%')
        return PropertyResult(quantities, notes=unconverged_notes(evaluations))


def _energy(slab: Evaluation, crystal: Evaluation, layers: Layers) -> Quantity:
    """Return the surface energy of one side of the slab."""
    unit = 2 * layers.area * MJ_PER_M2
    return from_energies([slab, crystal], lambda energies: (energies[0] - energies[1]) / unit, 'mJ/m2')


def _spacing_changes(slab: Evaluation, layers: Layers) -> NDArray[np.float64]:
    """Return the changes of the spacings in percent, from the surface inwards."""
    spacings = np.diff(slab.atoms.positions[:, 2])
    return np.asarray(100 * ((spacings + spacings[::-1]) / 2 / layers.spacing - 1), dtype=np.float64)
