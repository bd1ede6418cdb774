"""Properties by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiida_anial.properties.cold_curves import ColdCurves
from aiida_anial.properties.elastic import ElasticConstants
from aiida_anial.properties.paths import BainPath, TrigonalPath
from aiida_anial.properties.phonons import Phonons
from aiida_anial.properties.point_defects import Dumbbell, Vacancy
from aiida_anial.properties.pressure import PressureVolume
from aiida_anial.properties.property import Property
from aiida_anial.properties.settings import BenchmarkSettings
from aiida_anial.properties.stacking_faults import SlipPath, TwinPath
from aiida_anial.properties.surfaces import Surfaces

__all__ = ('make_property',)

_CLASSES: dict[str, Callable[[Any], Property]] = {
    'cold_curves': ColdCurves,
    'pressure': PressureVolume,
    'elastic': ElasticConstants,
    'bain': BainPath,
    'trigonal': TrigonalPath,
    'slip': SlipPath,
    'twin': TwinPath,
    'vacancy': Vacancy,
    'dumbbell': Dumbbell,
    'surfaces': Surfaces,
    'phonons': Phonons,
}


def make_property(name: str, settings: BenchmarkSettings) -> Property:
    """Return the property ``name``; the lattice constant, which all of these start from, is none of them."""
    return _CLASSES[name](getattr(settings, name))
