"""The settings of all properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import Settings
from aiida_anial.properties.cold_curves import ColdCurveSettings
from aiida_anial.properties.elastic import ElasticSettings
from aiida_anial.properties.lattice import LatticeSettings
from aiida_anial.properties.paths import BainSettings, TrigonalSettings
from aiida_anial.properties.phonons import PhononSettings
from aiida_anial.properties.point_defects import DumbbellSettings, VacancySettings
from aiida_anial.properties.pressure import PressureSettings
from aiida_anial.properties.stacking_faults import StackingFaultSettings
from aiida_anial.properties.surfaces import SurfaceSettings

__all__ = ('LATTICE', 'BenchmarkSettings', 'benchmark_set', 'check_properties', 'chosen_properties')

LATTICE = 'lattice'
"""The property that all others start from."""

_QUICK = (LATTICE, 'cold_curves', 'elastic', 'vacancy')


class BenchmarkSettings(Settings):
    """Settings by property; the defaults are those of the full benchmark.

    :param lattice: the FCC lattice constant.
    :param cold_curves: energy against volume, by crystal.
    :param pressure: pressure against volume.
    :param elastic: elastic constants.
    :param bain: path from FCC to BCC.
    :param trigonal: path from FCC through SC to BCC.
    :param slip: generalised stacking faults.
    :param twin: generalised twin faults.
    :param vacancy: formation energy.
    :param dumbbell: formation energy of the interstitial.
    :param surfaces: surface energies and relaxations.
    :param phonons: dispersion and density of states.
    """

    lattice: LatticeSettings = LatticeSettings()
    cold_curves: ColdCurveSettings = ColdCurveSettings()
    pressure: PressureSettings = PressureSettings()
    elastic: ElasticSettings = ElasticSettings()
    bain: BainSettings = BainSettings()
    trigonal: TrigonalSettings = TrigonalSettings()
    slip: StackingFaultSettings = StackingFaultSettings()
    twin: StackingFaultSettings = StackingFaultSettings()
    vacancy: VacancySettings = VacancySettings()
    dumbbell: DumbbellSettings = DumbbellSettings()
    surfaces: SurfaceSettings = SurfaceSettings()
    phonons: PhononSettings = PhononSettings()

    def for_dft(self) -> Self:
        """Return the settings for an engine whose stress carries noise: larger strains."""
        elastic = self.elastic.model_copy(update={'strains': (0.005, 0.01), 'window': 0.01})
        return self.model_copy(update={'elastic': elastic})

    def part(self, name: str) -> dict[str, Any]:
        """Return what of the settings decides the property ``name``, and nothing else: the cache looks at it."""
        return {key: getattr(self, key).to_dict() for key in dict.fromkeys((LATTICE, name))}


def benchmark_set(*, quick: bool) -> tuple[tuple[str, ...], BenchmarkSettings]:
    """Return the names of the properties of the full set, or of the quick one, and their settings.

    The quick set takes seconds, and watches over the active learning.
    """
    if not quick:
        return tuple(BenchmarkSettings.model_fields), BenchmarkSettings()
    return _QUICK, BenchmarkSettings(
        cold_curves=ColdCurveSettings(crystals=('fcc', 'hcp', 'bcc', 'sc', 'diamond'), n_points=7),
        vacancy=VacancySettings(supercells=(3,)),
    )


def chosen_properties(text: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return the properties that ``text`` names, with commas between them; ``names`` if it is None.

    :raises SettingsError: if one of them is none.
    """
    if text is None:
        return tuple(names)
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(',')))
    check_properties(chosen)
    return chosen


def check_properties(names: Sequence[str]) -> None:
    """Refuse a name that is no property.

    :raises SettingsError: one sentence that names it.
    """
    known = BenchmarkSettings.model_fields
    for name in names:
        if name not in known:
            raise SettingsError(f'properties: there is no {name!r}; known are {", ".join(known)}.')
