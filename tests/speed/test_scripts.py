"""Every script measures what it says it does, and the file has the figures that were promised."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import asdict

import child
import common
import md
import numpy as np
import pytest
import rivals
import run
import systems
import tables
from training import Epochs

from aiida_anial.potential.engine import make_engine

PROMISED = {
    'md_108_atom_steps_per_s',
    'md_108_ratio_torchani',
    'md_batch16_atom_steps_per_s',
    'train_epoch_ratio_torchani',
    'memory_100k_atoms_gib',
}


@pytest.fixture(scope='module')
def contents(found):
    """What the file holds of each measurement."""
    machine = {**common.machine(['torchani']), 'threads': 1}
    took = {'short': True, 'engine': 'torch', 'date': common.now(), 'took_s': 1.0}
    return {name: {**asdict(result), **took, 'machine': machine} for name, result in found.items()}


@pytest.fixture(scope='module')
def merged(contents):
    """The content of ``engine.json``, once through JSON."""
    return json.loads(json.dumps(run.merged({}, contents)))


def test_every_measurement_is_made(found):
    assert list(found) == list(run.SCRIPTS)


@pytest.mark.parametrize('name', run.SCRIPTS)
def test_rows_and_figures(found, name):
    result = found[name]
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
    names = {name for _, *names, _ in tables.ENGINE_LINES for name in names if name}
    assert sorted(names - set(merged)) == []


def test_torchani_does_the_same_work(coarse_model, tiny_cells, options):
    ensemble = systems.random_ensemble(coarse_model)
    engine = make_engine(ensemble, options.settings())
    energies, _ = rivals.energies_and_forces(ensemble, tiny_cells)
    np.testing.assert_allclose(energies, engine.evaluate(tiny_cells).member_energies, rtol=1e-5)
    md.check_agreement(engine, ensemble, tiny_cells)


def test_torchani_with_other_weights_is_refused(coarse_model, tiny_cells, options):
    engine = make_engine(systems.random_ensemble(coarse_model), options.settings())
    with pytest.raises(RuntimeError, match='different forces'):
        md.check_agreement(engine, systems.random_ensemble(coarse_model, seed=2), tiny_cells)


def test_the_loss_of_torchani_is_that_of_energies_and_forces(coarse_model, tiny_data):
    ensemble = systems.random_ensemble(coarse_model)
    member, cells = ensemble.member(0), tiny_data.cells.select(range(5, 10))
    energies, forces = rivals.energies_and_forces(member, cells)
    off = (forces - np.concatenate([tiny_data.forces_of(index) for index in range(5, 10)])) ** 2
    expected = (((energies[0] - tiny_data.energies[5:10]) ** 2).sum() + 0.25 * off.sum()) / 5
    loop = rivals.TorchaniTraining(ensemble, tiny_data, batch_size=5, force_weight=0.25)
    before = loop.loss(0, 1).item()
    assert before == pytest.approx(expected, rel=1e-4)
    loop.step(0, 1)
    assert loop.loss(0, 1).item() < before


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


def test_a_function_in_another_process(monkeypatch):
    found = child.run('common', 'machine', environment={'LD_PRELOAD': ''}, packages=['numpy'])
    assert found['malloc'] == {'LD_PRELOAD': ''}
    assert found['versions']['numpy'] == np.__version__


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
    monkeypatch.setattr(child, 'run', lambda *_, name, **__: contents[name])
    path = tmp_path / 'engine.json'
    assert run.main(['--json', str(path)]) == 0
    assert list(json.loads(path.read_text())['scripts']) == [name for name in run.SCRIPTS if name not in run.LONG_ONLY]
    assert 'MD, 108 atoms' in capsys.readouterr().out


def test_a_measurement_that_fails_makes_the_run_fail(monkeypatch, tmp_path, capsys):
    def fail(command, **_):
        return subprocess.CompletedProcess(command, returncode=3)

    monkeypatch.setattr('subprocess.run', fail)
    assert run.main(['md', '--json', str(tmp_path / 'engine.json')]) == 1
    assert 'md failed' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_measurement_is_named(capsys):
    with pytest.raises(SystemExit):
        run.main(['mdd'])
    assert "there is no measurement 'mdd'" in capsys.readouterr().err
