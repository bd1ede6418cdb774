"""Subjects with analytic curves."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.quantity import PropertyResult

DISTANCES = np.linspace(0.0, 5.0, 101)


@pytest.fixture
def make_subject():
    """Return a function that makes a subject with all data in figures, scaled by ``scale``."""

    def make(name: str, kind: str = 'ensemble', *, scale: float = 1.0, spread: float = 0.0) -> Subject:
        return Subject(name, kind, _paths(scale, spread) | _crystals(scale, spread) | _others(scale, spread))

    return make


def _paths(scale, spread):
    c_over_a = np.linspace(0.85, 1.6, 16)
    stretch = np.linspace(0.2, 1.3, 23)
    results = {
        'bain': PropertyResult(
            {'bcc_minus_fcc': Quantity(100.0 * scale, 'meV/atom', spread or None)},
            _curve('c_over_a', c_over_a, 0.1 * scale * np.sin(4 * c_over_a), 'ev_per_atom', spread),
        ),
        'trigonal': PropertyResult({}, _curve('stretch_ratio', stretch, scale * stretch, 'ev_per_atom', spread)),
    }
    for start, name in enumerate(('slip', 'twin')):
        x = start + np.linspace(0.0, 1.0, 11)
        energies = 200 * scale * np.sin(np.pi * x) ** 2
        results[name] = PropertyResult({}, _curve('displacement', x, energies, 'mj_per_m2', 1e3 * spread))
    return results


def _curve(coordinate, x, energies, unit, spread):
    return {coordinate: x, f'energy_{unit}': energies, f'disagreement_{unit}': np.full(len(x), spread)}


def _crystals(scale, spread):
    quantities, curves = {}, {}
    for index, crystal in enumerate(('fcc', 'bcc', 'diamond')):
        volumes = np.linspace(14.0, 20.0, 9) + scale
        energies = 0.1 * index + 0.01 * (volumes - 17.0) ** 2
        prefixed = _curve('volume_angstrom3_per_atom', volumes, energies, 'ev_per_atom', spread)
        curves |= {f'{crystal}_{key}': values for key, values in prefixed.items()}
        if index:
            quantities[f'{crystal}_minus_fcc'] = Quantity(100.0 * index * scale, 'meV/atom', spread or None)
    quantities['fcc_rank'] = Quantity(1.0, '1')
    return {'cold_curves': PropertyResult(quantities, curves, ('The curve of sc has no fit: no minimum.',))}


def _others(scale, spread):
    strains = np.array([-0.01, -0.002, 0.002, 0.01])
    uncertainty = spread or None
    frequencies = scale * np.abs(np.sin(np.pi * DISTANCES / 5))[:, None] * np.array([3.0, 5.0, 9.0])
    lattice_constants = np.linspace(3.9, 4.2, 13)
    lattice = _curve('lattice_constant_angstrom', lattice_constants, (lattice_constants - 4.05) ** 2, 'ev_per_atom', 0)
    return {
        'lattice': PropertyResult({'a0': Quantity(4.05, 'angstrom')}, lattice),
        'elastic': PropertyResult(
            {key: Quantity(value * scale, 'GPa', uncertainty) for key, value in (('c11', 114.0), ('c12', 62.0))},
            {
                'strain': strains,
                'stress_xx_gpa': 114 * strains,
                'stress_yy_gpa': 62 * strains,
                'shear_strain': strains,
                'stress_yz_gpa': 31 * strains,
            },
        ),
        'pressure': PropertyResult(
            {},
            {'relative_volume': np.linspace(0.7, 1.1, 9), 'pressure_gpa': np.linspace(60.0, -7.0, 9)},
        ),
        'vacancy': PropertyResult(
            {'formation_energy_infinite': Quantity(660.0 * scale, 'meV', uncertainty)},
            {
                'n_sites': np.array([32.0, 108.0]),
                'formation_energy_mev': np.array([672.0, 665.0]) * scale,
                'disagreement_mev': np.full(2, 1e3 * spread),
            },
        ),
        'surfaces': PropertyResult(
            {f'energy_{face}': Quantity(900.0 * scale, 'mJ/m2', uncertainty) for face in ('100', '110', '111')}
            | {'d12_111': Quantity(1.0, '%')}
        ),
        'phonons': PropertyResult(
            {'x_longitudinal': Quantity(9.0 * scale, 'THz')},
            {
                'distance_per_angstrom': DISTANCES,
                'frequencies_thz': frequencies,
                'tick_distances_per_angstrom': np.array([0.0, 1.5, 2.0, 3.7, 5.0]),
                'dos_frequency_thz': np.linspace(0.0, 10.0, 21),
                'dos_per_thz': np.linspace(0.0, 1.0, 21),
            },
        ),
    }
