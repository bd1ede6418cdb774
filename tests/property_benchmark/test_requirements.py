"""What a property starts from comes before it, is an input by its own name, and is missed where it failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessState, run_get_node
from ase import units
from ase.calculators.emt import EMT

from aiida_anial.calcfunctions.analyse_property import analyse_property
from aiida_anial.calcfunctions.make_tasks import make_tasks
from aiida_anial.common.quantity import Quantity
from aiida_anial.properties.evaluation import Evaluation, evaluate_all
from aiida_anial.properties.quantity import PropertyResult
from aiida_anial.properties.registry import (
    PROPERTIES,
    BenchmarkSettings,
    all_provided,
    benchmark_set,
    required,
    run_properties,
    with_requirements,
)
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.workchains.benchmark import BenchmarkWorkChain
from aiida_anial.workchains.dft_property import DftPropertyWorkChain

EDGE = 4.04


@pytest.mark.parametrize('name', PROPERTIES)
def test_a_property_comes_after_what_it_requires_and_that_provides_something(name):
    ordered = with_requirements([name])
    assert ordered[-1] == name
    assert set(PROPERTIES[name].requires) <= set(ordered[:-1])
    assert bool(required(name)) == bool(PROPERTIES[name].requires)


def test_the_order_of_what_requires_nothing_new_is_kept():
    assert with_requirements(['vacancy', 'lattice', 'bain', 'vacancy']) == ['lattice', 'vacancy', 'bain']


def test_a_property_sees_what_it_requires_and_nothing_else(monkeypatch):
    seen: dict[str, Any] = {}

    def measure(self, requirements, _calculator, _report):
        seen[self.name] = dict(requirements)
        return PropertyResult({'a0': Quantity(EDGE, 'angstrom')})

    for name in ('lattice', 'bain'):
        monkeypatch.setattr(PROPERTIES[name], 'measure', measure)
    results = run_properties(['bain'], BenchmarkSettings(), None)
    assert list(results) == ['bain']
    assert seen == {'lattice': {}, 'bain': {'lattice_constant': EDGE}}


def test_the_sets_of_finished_campaigns_are_known_again():
    assert benchmark_set(quick=True)[0] == ('lattice', 'cold_curves', 'elastic', 'vacancy')
    static = tuple(name for name, one in PROPERTIES.items() if not one.is_dynamic)
    assert benchmark_set(quick=False) == (static, BenchmarkSettings())


def test_dft_has_no_properties_from_dynamics():
    assert PROPERTIES['shock'].is_dynamic
    assert PROPERTIES['shock'](PROPERTIES['shock'].defaults).tasks({}) == {}
    inputs = {'properties': orm.List(['shock']), 'dft': {'code': 1}}
    fault = BenchmarkWorkChain.validate_subjects(inputs, {'ensemble': None})
    assert fault == 'properties: shock follows from dynamics, which DFT does not run; give a potential.'
    assert (
        BenchmarkWorkChain.validate_subjects({**inputs, 'properties': orm.List(['lattice'])}, {'ensemble': None})
        is None
    )


def test_dft_strains_further_and_changes_nothing_else():
    settings = BenchmarkSettings.parse({'vacancy': {'supercells': [2]}})
    changed = settings.for_dft().to_dict()
    assert changed.pop('elastic') == {'strains': [0.005, 0.01], 'window': 0.01}
    assert changed == {name: part for name, part in settings.to_dict().items() if name != 'elastic'}


def test_ports_are_those_of_finished_benchmarks():
    assert list(all_provided()) == ['lattice_constant']
    for ports in (DftPropertyWorkChain.spec().inputs, DftPropertyWorkChain.spec().outputs):
        assert ports['lattice_constant'].valid_type in (orm.Float, (orm.Float, type(None)))
    assert 'lattice_constant' not in BenchmarkWorkChain.spec().inputs['dft']


def test_a_property_without_what_it_starts_from_is_refused():
    check = DftPropertyWorkChain.validate_requirements
    assert check({'property': orm.Str('bain')}, None) == "lattice_constant: the property 'bain' starts from it."
    assert check({'property': orm.Str('bain'), 'lattice_constant': orm.Float(EDGE)}, None) is None
    assert check({'property': orm.Str('lattice')}, None) is None


@pytest.mark.parametrize('name', ['lattice', 'bain'])
def test_structures_have_their_stored_links_and_come_again(aiida_profile, name):
    inputs: dict[str, Any] = {'lattice_constant': orm.Float(EDGE)} if name != 'lattice' else {}
    settings = orm.Dict(BenchmarkSettings().part(name))
    _, node = run_get_node(
        make_tasks, property=orm.Str(name), settings=settings, kpoints_distance=orm.Float(0.5), **inputs
    )
    links = {link.link_label for link in node.base.links.get_incoming()}
    assert links == {'property', 'settings', 'kpoints_distance', *inputs}
    result = reproduce(node, Codes())
    assert result.verdict == Verdict.IDENTICAL, result.records


def calculated(evaluations: dict[str, Evaluation]) -> dict[str, dict[str, Any]]:
    """Return evaluations as pw.x leaves them."""
    found: dict[str, dict[str, Any]] = {'structures': {}, 'parameters': {}, 'trajectories': {}}
    for name, one in evaluations.items():
        structure = orm.StructureData(ase=one.atoms)
        trajectory = orm.TrajectoryData([structure])
        trajectory.set_array('forces', np.array([one.forces]))
        trajectory.set_array('stress', np.array([-one.stress / units.GPa]))
        found['structures'][name] = structure.store()
        found['parameters'][name] = orm.Dict({'energy': one.energy}).store()
        found['trajectories'][name] = trajectory.store()
    return found


@pytest.mark.parametrize(
    ('name', 'given', 'outputs'), [('lattice', {}, {'lattice_constant'}), ('bain', {'lattice_constant': EDGE}, set())]
)
def test_an_analysis_takes_its_stored_links_and_gives_what_others_start_from(aiida_profile, name, given, outputs):
    one = PROPERTIES[name](PROPERTIES[name].defaults)
    evaluations = evaluate_all(one.tasks(given), EMT())
    found, node = run_get_node(
        analyse_property,
        property=orm.Str(name),
        settings=orm.Dict(BenchmarkSettings().part(name)),
        **{key: orm.Float(value) for key, value in given.items()},
        **calculated(evaluations),
    )
    assert set(found) == {'quantities', 'curves', *outputs}
    for quantity, value in one.analyse(given, evaluations).quantities.items():
        assert found['quantities']['quantities'][quantity]['value'] == pytest.approx(value.value, rel=1e-6)
    if outputs:
        assert found['lattice_constant'].value == found['quantities']['quantities']['a0']['value']
    assert reproduce(node, Codes()).verdict == Verdict.IDENTICAL


class Chain:
    """What the steps of a benchmark see of their work chain."""

    _is_ready = BenchmarkWorkChain._is_ready
    _note = BenchmarkWorkChain._note
    alive: tuple[str, ...] = ()

    def __init__(self, *waiting: str) -> None:
        self.ctx = AttributeDict({'waiting': list(waiting), 'done': {}, 'failures': {}})
        self.reported: list[str] = []

    def report(self, text: str) -> None:
        self.reported.append(text)


def test_what_starts_from_a_property_by_dft_waits_for_it(fake_chain):
    chain = Chain('qe.bain', 'ensemble.bain')
    assert [chain._is_ready(key) for key in ('qe.lattice', 'qe.bain', 'ensemble.bain')] == [True, False, True]
    chain._note('qe.lattice', fake_chain('DftPropertyWorkChain', exit_status=0, state=ProcessState.FINISHED))
    assert chain._is_ready('qe.bain')
    assert chain.ctx.failures == {}


def test_what_starts_from_a_property_by_dft_that_failed_fails_too(fake_chain):
    chain = Chain('qe.bain', 'ensemble.bain', 'ensemble.lattice')
    failed = fake_chain('DftPropertyWorkChain', exit_status=500, exit_message='no minimum', state=ProcessState.FINISHED)
    chain._note('qe.lattice', failed)
    assert chain.ctx.waiting == ['ensemble.bain', 'ensemble.lattice']
    assert 'no minimum' in chain.ctx.failures['qe.lattice']
    assert chain.ctx.failures['qe.bain'] == 'qe.lattice, which it starts from, failed'


def test_the_failure_of_a_potential_stops_nothing_else(fake_chain):
    chain = Chain('qe.bain', 'ensemble.bain')
    failed = fake_chain('PropertyCalculation', exit_status=400, state=ProcessState.FINISHED)
    chain._note('ensemble.lattice', failed)
    assert chain.ctx.waiting == ['qe.bain', 'ensemble.bain']
