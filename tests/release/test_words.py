"""Reasons, ranges and levels of theory as text, and modules that work without AiiDA."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.queries.rejections import reason_counts
from aiida_anial.report.ranges import label_counts, label_ranges
from aiida_anial.report.texts import theory_in_words

SCIENCE = ('cards', 'claims', 'croissant', 'description', 'parity', 'plots', 'ranges', 'texts')


def test_reasons_that_differ_in_numbers_alone_are_counted_together():
    force = 'unphysical: a force of {} eV/angstrom is above the limit of 50'
    reasons = [force.format(61.5), 'the scf did not converge', force.format('1e+03'), force.format(75)]
    assert reason_counts(reasons) == {
        'unphysical: a force of … eV/angstrom is above the limit of 50': 3,
        'the scf did not converge': 1,
    }


def test_a_reason_that_is_given_once_keeps_its_numbers():
    assert reason_counts(['a force of 61.5 eV/angstrom']) == {'a force of 61.5 eV/angstrom': 1}


def test_counts_and_ranges():
    keys = ('density_g_per_cm3', 'energy_per_atom_ev', 'max_force_ev_per_angstrom', 'pressure_gpa')
    labels = [
        {'iteration': 1, 'origin': 'active_learning', 'n_atoms': 7, **dict.fromkeys(keys, -2.0)},
        {'iteration': 0, 'origin': 'random', 'n_atoms': 4, **dict.fromkeys(keys, 3.0)},
        {'iteration': 0, 'origin': 'random', 'n_atoms': 5, **dict.fromkeys(keys, 1.0)},
    ]
    assert label_counts(labels) == [
        {'iteration': 0, 'origin': 'random', 'n_labels': 2, 'n_atoms': 9},
        {'iteration': 1, 'origin': 'active_learning', 'n_labels': 1, 'n_atoms': 7},
    ]
    assert [(row['low'], row['high']) for row in label_ranges(labels)] == [(4, 7)] + 4 * [(-2.0, 3.0)]


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'code': 'emt'}, "effective medium theory, as implemented in ASE's calculator EMT"),
        ({'code': 'vasp', 'functional': 'PBE'}, '`vasp`, functional PBE'),
        (
            {
                'code': 'pw.x',
                'version': '6.7',
                'functional': 'PBE',
                'ecutwfc_ry': 16.0,
                'ecutrho_ry': 64.0,
                'smearing': 'cold',
                'degauss_ry': 0.02,
                'kpoints_distance_per_angstrom': 0.25,
            },
            '`pw.x` of Quantum ESPRESSO 6.7, functional PBE, plane waves up to 16 Ry (charge density 64 Ry), '
            'cold smearing of 0.02 Ry, k-points at most 0.25 1/Å apart',
        ),
        ({'code': 'pw.x', 'kpoints_mesh': (3, 3, 3)}, '`pw.x` of Quantum ESPRESSO, k-points 3x3x3'),
    ],
)
def test_a_level_of_theory_in_words(values, words):
    assert theory_in_words(LevelOfTheory.parse(values).to_dict()) == words


def test_an_unknown_level_of_theory():
    assert theory_in_words(None) == 'an unknown level of theory'


def test_modules_that_draw_and_write_import_no_aiida():
    code = (
        'import importlib, sys\n'
        'class Blocker:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        if name.split('.')[0].startswith('aiida') and not name.startswith('aiida_anial'):\n"
        "            raise ImportError(name + ' is blocked')\n"
        'sys.meta_path.insert(0, Blocker())\n'
        f'for name in {SCIENCE!r}:\n'
        "    importlib.import_module('aiida_anial.report.' + name)\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
