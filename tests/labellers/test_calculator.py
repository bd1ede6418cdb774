"""Labels by a calculator of ASE that is named in the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.calculators.lj import LennardJones

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.common.errors import AnialError, SettingsError
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.potential.source import CalculatorSettings, make_calculator
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.workchains.label import LabelWorkChain

ARGUMENTS = {'epsilon': 0.1, 'sigma': 2.5, 'rc': 6.0, 'smooth': True}


def overrides(**changes: Any) -> dict[str, Any]:
    given = {'module': 'ase.calculators.lj', 'class': 'LennardJones', 'arguments': ARGUMENTS} | changes
    return {'label': {'labeller': 'calculator', 'calculator': given}}


@pytest.fixture(scope='module')
def chain(run_all, worker_code, make_structures) -> Any:
    label = campaign_inputs('demo', overrides()).label
    labeller = labeller_named(label.labeller)
    builder = LabelWorkChain.get_builder()
    builder.cells = make_structures(3)
    builder.limits = orm.Dict(LabelSettings(max_force_ev_per_angstrom=1000.0).to_dict())
    builder[labeller.namespace] = labeller.inputs(label, {}, {'code': worker_code})
    return run_all(builder)[0]


def test_labels_are_what_ase_says(chain):
    assert chain.is_finished_ok
    labelled = chain.outputs.dataset.labelled
    for row, name in enumerate(sorted(chain.inputs.cells)):
        atoms = chain.inputs.cells[name].get_ase()
        atoms.calc = LennardJones(**ARGUMENTS)
        assert labelled.energies[row] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        assert labelled.forces_of(row) == pytest.approx(atoms.get_forces(), abs=1e-9)
        assert labelled.stresses[row] == pytest.approx(atoms.get_stress(voigt=False), abs=1e-9)
        assert np.abs(labelled.forces_of(row)).max() > 1e-3


def test_the_level_of_theory_names_the_calculator_and_its_arguments(chain):
    theory = chain.outputs.dataset.level_of_theory
    planned = labeller_named('calculator').level_of_theory
    assert theory.code == 'ase.calculators.lj.LennardJones'
    assert planned(campaign_inputs('demo', overrides()).label, {}) == theory
    assert planned(campaign_inputs('demo', overrides(arguments={'epsilon': 0.2})).label, {}) != theory


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'module': 'os; true'}, r'^label\.calculator\.module: '),
        ({'clas': 'X'}, r"^label\.calculator\.clas: unknown key 'clas'; did you mean 'class'\?"),
        ({'arguments': 3}, r'^label\.calculator\.arguments: '),
    ],
)
def test_settings_are_checked_before_anything_is_stored(changes, expected):
    with pytest.raises(SettingsError, match=expected):
        campaign_inputs('demo', overrides(**changes))


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ({'module': 'os', 'class': 'system', 'arguments': {'command': 'touch canary'}}, 'not a calculator of ASE'),
        ({'module': 'no.such', 'class': 'X'}, 'No module named'),
        ({'module': 'ase.calculators.lj', 'class': 'Lenard'}, 'no attribute'),
        ({'module': 'ase.calculators.espresso', 'class': 'Espresso'}, 'runs a command'),
        ({'module': 'ase.calculators.vasp', 'class': 'Vasp', 'arguments': {'command': 'x'}}, 'no command is run'),
        ({'module': 'ase.calculators.singlepoint', 'class': 'SinglePointCalculator'}, 'refuses them'),
    ],
)
def test_what_is_no_calculator_is_refused_by_the_job_and_not_run(values, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnialError, match=expected):
        make_calculator(CalculatorSettings.parse(values))
    assert not list(tmp_path.iterdir())
