"""The promises of every labeller, checked for each one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from aiida import orm
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.common.errors import SettingsError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.labellers import pw_inputs
from aiida_anial.labellers.registry import known_labellers, labeller_named, labeller_of
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.workchains.label import LabelWorkChain

LENNARD_JONES = {'module': 'ase.calculators.lj', 'class': 'LennardJones', 'arguments': {'epsilon': 0.1, 'sigma': 2.5}}

# What `label` needs beside the name of the labeller.
SETTINGS: dict[str, dict[str, Any]] = {
    'qe': {'qe': {'ecutwfc_ry': 16, 'ecutrho_ry': 64}},
    'calculator': {'calculator': LENNARD_JONES},
}

NAMES = sorted(known_labellers())


def label_of(name: str) -> LabellerSettings:
    return campaign_inputs('laptop', {'label': {'labeller': name, **SETTINGS.get(name, {})}}).label


@pytest.fixture
def given(pw_code, pseudo, make_ensemble) -> dict[str, Any]:
    """Nodes for all labellers."""
    potential = orm.SinglefileData(io.BytesIO(b'x'), filename='a.eam.fs')
    return {'pw_code': pw_code, 'pseudo': pseudo, 'potential': potential, 'teacher': EnsembleData(make_ensemble())}


def test_the_labellers_of_the_documentation_are_there():
    assert {'calculator', 'eam', 'emt', 'ensemble', 'qe'} <= set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_inputs_choose_their_labeller_and_fit_the_work_chain(name, given, worker, make_structures):
    labeller = labeller_named(name)
    inputs = labeller.inputs(label_of(name), given, {'code': worker['code']})
    assert labeller_of({labeller.namespace: inputs}).namespace == labeller.namespace
    builder = LabelWorkChain.get_builder()
    builder.cells = make_structures(1)
    builder[labeller.namespace] = inputs
    assert LabelWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


@pytest.mark.parametrize('name', NAMES)
def test_settings_and_nodes_are_read_back_from_the_inputs(name, given, worker):
    labeller, label = labeller_named(name), label_of(name)
    inputs = labeller.inputs(label, given, {'code': worker['code']})
    inputs = {**inputs, **({'pw': dict(inputs['pw'])} if 'pw' in inputs else {})}
    read = LabellerSettings.parse({'labeller': name, **labeller.read_settings(inputs)})
    assert labeller.identity(read) == labeller.identity(label)
    nodes = labeller.read_nodes(inputs)
    assert all(given[key] is node for key, node in nodes.items())
    assert labeller.level_of_theory(read, nodes) == labeller.level_of_theory(label, given)


@pytest.mark.parametrize('name', NAMES)
def test_nothing_adopted_is_nothing_labelled(name):
    labeller = labeller_named(name)
    assert list(labeller.taken_over({}) or ()) == []
    assert not any(labeller.without({}, ()).values())


def test_levels_of_theory_tell_labellers_apart(given):
    levels = [labeller_named(name).level_of_theory(label_of(name), given) for name in NAMES]
    assert len({level.key for level in levels}) == len(NAMES)


def test_the_namespaces_of_the_work_chain_are_those_of_the_labellers():
    ports = set(LabelWorkChain.spec().inputs)
    assert {labeller.namespace for labeller in known_labellers().values()} <= ports


def test_an_unknown_labeller_is_refused_with_those_that_are_known():
    with pytest.raises(SettingsError, match=r"^label\.labeller: 'vasp' is not allowed: .*calculator.*qe\.$"):
        campaign_inputs('demo', {'label': {'labeller': 'vasp'}})


def test_an_older_file_may_call_it_engine():
    assert campaign_inputs('demo', {'label': {'engine': 'emt'}}).label.labeller == 'emt'


def test_the_wall_clock_is_shared_out_as_in_aiida_quantumespresso():
    assert PwBaseWorkChain.defaults.delta_factor_max_seconds == pw_inputs._MAX_SECONDS
