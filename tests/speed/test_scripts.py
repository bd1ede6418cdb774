"""Every script measures what it says it does, and the file has the figures that were promised."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys

import common
import floor
import md
import numpy as np
import pytest
import rivals
import run
import scaling
import systems
import table
import torch
from remote import Remote
from torch.utils.flop_counter import FlopCounterMode
from training import Epochs

from aiida_anial.common.cells import Cells
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.networks import atomic_energies
from aiida_anial.potential.settings import ModelSettings

PROMISED = {
    'md_108_atom_steps_per_s',
    'md_108_ratio_torchani',
    'md_batch16_atom_steps_per_s',
    'train_epoch_ratio_torchani',
    'memory_100k_atoms_gib',
}


@pytest.fixture(scope='module')
def contents(found, options):
    """What the file of each script holds."""
    machine = common.machine(options)
    return {name: common.content(result, options, machine=machine, took=1.0) for name, result in found.items()}


@pytest.fixture(scope='module')
def merged(contents):
    """The content of ``engine.json``, once through JSON."""
    return json.loads(json.dumps(run.merged({}, contents)))


def test_every_script_is_run(found):
    assert list(found) == list(run.SCRIPTS)
    assert all((run.HERE / f'{name}.py').exists() for name in run.SCRIPTS)


@pytest.mark.parametrize('name', run.SCRIPTS)
def test_rows_and_figures(found, name):
    result = found[name]
    assert result.question.endswith('?')
    assert result.rows
    # An untrained network of four steps is not right to 3 meV/atom, so there is no time to that.
    numbers = [value for value in result.figures.values() if not isinstance(value, str) and value is not None]
    assert numbers
    assert all(math.isfinite(value) and value >= 0 for value in numbers)


def test_the_promised_figures_are_there(merged):
    assert {name for name in PROMISED if merged[name] is not None} == PROMISED
    assert set(merged['machine']) >= {'cpu', 'cores', 'threads', 'versions', 'malloc', 'load_average_at_start'}
    assert all(content['machine']['versions']['torchani'] for content in merged['scripts'].values())


def test_every_figure_of_the_table_is_measured(merged):
    names = {name for line in table.LINES for name in (line.own, line.rival, line.ratio) if name}
    assert sorted(names - set(merged)) == []


def test_torchani_does_the_same_work(coarse_model, tiny_cells, options):
    ensemble = systems.random_ensemble(coarse_model)
    engine, rival = make_engine(ensemble, options.settings('torch')), rivals.TorchaniEngine(ensemble)
    own, other = engine.evaluate(tiny_cells), rival.evaluate(tiny_cells)
    np.testing.assert_allclose(other.member_energies, own.member_energies, rtol=1e-5)
    md.check_agreement(engine, rival, tiny_cells)


def test_torchani_with_other_weights_is_refused(coarse_model, tiny_cells, options):
    engine = make_engine(systems.random_ensemble(coarse_model), options.settings('torch'))
    rival = rivals.TorchaniEngine(systems.random_ensemble(coarse_model, seed=2))
    with pytest.raises(RuntimeError, match='different forces'):
        md.check_agreement(engine, rival, tiny_cells)


def test_both_loops_of_torchani_take_the_same_step(coarse_model, tiny_data):
    ensemble = systems.random_ensemble(coarse_model)
    weights = []
    for batched in (False, True):
        loop = rivals.TorchaniTraining(ensemble, tiny_data, batch_size=5, force_weight=0.25, batched=batched)
        loop.step(0, 1)
        weights.append(torch.cat([parameter.detach().flatten() for parameter in loop.members[0].parameters()]))
    start = torch.cat([one.detach().flatten() for one in rivals.torchani_model(ensemble.member(0)).parameters()])
    assert not torch.allclose(weights[0], start, atol=1e-6)
    # A step of Adam is as long as the rate, whatever the gradient: signs of gradients near zero may differ.
    assert ((weights[0] - weights[1]).abs() < 1e-6).float().mean() > 0.98


def test_a_crystal_has_the_atoms_asked_for():
    assert [len(systems.crystal(n).positions) for n in (4, 108, 256, 2048)] == [4, 108, 256, 2048]


def test_ratios_are_paired():
    first, second = common.Measured((2.0, 20.0, 200.0)), common.Measured((1.0, 10.0))
    assert common.ratio(first, second) == 2.0


def test_blocks_take_turns():
    order = []

    def block(name: str, duration: float):
        return lambda: (order.append(name), (1.0, duration))[1]

    measured = common.interleave({'a': block('a', 1.0), 'b': block('b', 9.0)}, turns=4, limit_s=5.0)
    assert order == ['a', 'b', 'b', 'a', 'a', 'a']
    assert measured['a'].rate == 1.0
    assert len(measured['b'].rates) == 2


def test_blocks_are_as_long_as_wished():
    asked = []

    def work(steps: int) -> tuple[float, float]:
        asked.append(steps)
        return float(steps), 0.01 * steps

    assert common.calibrated(work, budget_s=1.0, least=10, multiple=10)()[0] == 100
    assert asked == [10, 10, 100]


def test_what_happens_between_epochs_does_not_count(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr('time.perf_counter', lambda: float(next(now)))
    epochs = Epochs(2, between=lambda: [next(now) for _ in range(10)])
    epochs.prepared()
    for _ in range(6):
        epochs.before_a_step()
    assert len(epochs.steps) == 5
    assert set(epochs.steps) == {1.0}
    assert epochs.epochs == [2.0, 2.0]


def test_operations_of_the_networks_are_those_of_torch():
    ensemble = systems.random_ensemble()
    weights, biases = ([torch.tensor(array) for array in arrays] for arrays in (ensemble.weights, ensemble.biases))
    features = torch.rand(5, 96, dtype=weights[0].dtype, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        atomic_energies(weights, biases, features, 0.1).sum().backward()
    model = ensemble.model
    activations = model.n_members * sum(model.hidden_layers) * (floor.EXP + 6)
    assert floor.network_operations(model) - activations == counter.get_total_flops() / 5


def test_pairs_and_triples_of_a_crystal():
    cells = systems.crystal(108)
    exact = Cells(np.rint(cells.positions / 2.025) * 2.025, cells.lattices, cells.offsets, cells.species)
    numbers = {row['part']: row['of_an_atom'] for row in floor.operations(exact, ModelSettings())}
    # Shells of 12, 6, 24 within 5 angstrom, and 12, 24 more within 7.
    assert [numbers[part] for part in ('radial pairs', 'angular pairs', 'triples')] == [78, 42, 42 * 41 / 2]


def test_steps_in_another_process():
    # 7 divided by the number of steps, in whole numbers and with what is left, stands for amount and seconds.
    with Remote(functools.partial, divmod, 7, threads=1) as remote:
        assert remote.run(2) == (3.0, 1.0)
        remote.start(4)
        assert remote.finish() == (1.0, 3.0)


def test_members_forces_are_asked_for(coarse_model, tiny_cells, options):
    engine = make_engine(systems.random_ensemble(coarse_model), options.settings('torch'))
    for wanted in scaling.WANTED.values():
        assert scaling.evaluation(engine, tiny_cells, **wanted)(2)[0] == 2 * 16


def test_figures_of_another_machine_are_left_out(contents):
    other = {
        name: {**content, 'machine': {**content['machine'], 'cpu': 'another'}} for name, content in contents.items()
    }
    content = run.merged({'scripts': other}, {'md': contents['md']})
    assert list(content['scripts']) == ['md']
    assert 'train_epoch_s' not in content


def test_figures_of_this_machine_stay(contents):
    content = run.merged({'scripts': contents}, {'md': contents['md']})
    assert list(content['scripts']) == list(run.SCRIPTS)


def test_run_writes_the_file(contents, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, 'run_script', lambda name, **_: contents[name])
    path = tmp_path / 'engine.json'
    assert run.main(['--json', str(path)]) == 0
    assert list(json.loads(path.read_text())['scripts']) == [name for name in run.SCRIPTS if name not in run.LONG_ONLY]
    assert 'MD, 108 atoms' in capsys.readouterr().out


def test_a_script_that_fails_makes_the_run_fail(monkeypatch, tmp_path, capsys):
    def fail(command, **_):
        return subprocess.CompletedProcess(command, returncode=3)

    monkeypatch.setattr('subprocess.run', fail)
    assert run.main(['md', '--json', str(tmp_path / 'engine.json')]) == 1
    assert 'md.py ended with status 3' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_script_is_named(capsys):
    with pytest.raises(SystemExit):
        run.main(['mdd'])
    assert "there is no script 'mdd'" in capsys.readouterr().err


def test_a_script_writes_json(found, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr('torch.set_num_threads', lambda _: None)
    path = tmp_path / 'floor.json'

    def measure(options: common.Options) -> common.Result:
        assert (options.short, options.engines, options.threads) == (True, ('numba',), 3)
        return found['floor']

    measure.__module__ = floor.__name__
    assert common.run_script(measure, ['--short', '--engine', 'numba', '--threads', '3', '--json', str(path)]) == 0
    assert json.loads(path.read_text())['figures'].keys() == found['floor'].figures.keys()
    assert found['floor'].question in capsys.readouterr().out


@pytest.mark.parametrize('name', run.SCRIPTS)
def test_help_says_what_is_measured(name, capsys):
    with pytest.raises(SystemExit):
        common.run_script(sys.modules[name].measure, ['--help'])
    assert f'python benchmarks/{name}.py' in capsys.readouterr().out
