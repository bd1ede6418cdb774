"""The melt of EMT's aluminium."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from ase.calculators.emt import EMT

from aiida_anial.common.errors import SettingsError
from aiida_anial.properties.dynamics_runner import DynamicsInterrupted, DynamicsRunner
from aiida_anial.properties.melt import Melt, MeltSettings
from aiida_anial.properties.quantity import PropertyResult

pytestmark = pytest.mark.slow

SETTINGS = MeltSettings(
    temperatures_k=(1500.0, 2500.0),
    repeats=3,
    melting_temperature_k=4000.0,
    melting_ps=0.4,
    settling_ps=0.2,
    density_ps=0.6,
    time_ps=2.0,
    structure_ps=1.0,
    time_step_fs=5.0,
    r_max_angstrom=6.0,
    bin_angstrom=0.1,
)


@pytest.fixture(scope='module')
def found() -> PropertyResult:
    return Melt(SETTINGS).measure({}, EMT(), DynamicsRunner())


def test_it_is_a_liquid_that_expands_and_diffuses_more_when_it_is_hotter(found):
    values = {name: quantity.value for name, quantity in found.quantities.items()}
    assert 1.3 < values['density_2500'] < values['density_1500'] < 2.4
    assert 1 < values['self_diffusion_1500'] < values['self_diffusion_2500'] < 60
    assert values['self_diffusion_1500'] > values['periodic_diffusion_1500']
    assert 1.5 < values['peak_height_2500'] < values['peak_height_1500'] < 4
    assert values['peak_distance_1500'] == pytest.approx(2.8, abs=0.2)
    assert 9 < values['coordination_1500'] < 14


def test_the_spectrum_at_zero_is_the_diffusion(found):
    """Of unit integral, S(0) = 4 m D / k T: Green and Kubo's relation."""
    frequencies, spectrum = found.curves['frequency_2500_thz'], found.curves['spectrum_2500_ps']
    low = spectrum[(frequencies > 0) & (frequencies < 2.5)].mean()
    d_angstrom2_per_ps = found.quantities['periodic_diffusion_2500'].value / 10
    kt_over_m = 8.617333e-5 * 2500 / (26.98154 * 1.036427e-4)  # angstrom^2/ps^2
    assert low == pytest.approx(4 * d_angstrom2_per_ps / kt_over_m, rel=0.4)


def test_the_distribution_holds_all_atoms(found):
    distances, rdf = found.curves['distance_angstrom'], found.curves['rdf_1500']
    assert rdf[distances < 1.8].max() == 0
    assert rdf[distances > 5].mean() == pytest.approx(1, abs=0.15)


def test_what_is_done_stays_done(tmp_path):
    path, number, lines = tmp_path / 'checkpoint.safetensors', count(), []
    settings = SETTINGS.model_copy(update={'temperatures_k': (2500.0,), 'time_ps': 2.0, 'structure_ps': 0.5})
    with pytest.raises(DynamicsInterrupted):
        Melt(settings).measure({}, EMT(), DynamicsRunner(checkpoint=path, interrupted=lambda: next(number) > 20))
    again = Melt(settings).measure({}, EMT(), DynamicsRunner(lines.append, path))
    assert not any('melting' in line for line in lines)
    assert any('structure' in line for line in lines)
    whole = Melt(settings).measure({}, EMT(), DynamicsRunner())
    assert again.quantities.keys() == whole.quantities.keys()
    np.testing.assert_allclose(again.quantities['density_2500'].value, whole.quantities['density_2500'].value, rtol=0.1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'temperatures_k': [1000.0, 1000.0]}, 'temperatures_k: one is there twice'),
        ({'time_ps': 1.0, 'structure_ps': 1.0}, 'time_ps: '),
        ({'structure_ps': 60.0}, 'structure_ps: it is a part of time_ps'),
        ({'repeats': 4}, 'r_max_angstrom: 4 repeats are too small'),
        ({'temperatures_k': []}, 'temperatures_k: '),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(SettingsError, match=message):
        MeltSettings.parse(change)
