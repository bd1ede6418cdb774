"""``anial-worker benchmark`` and ``aiida-anial benchmark``, as a user types them."""

from __future__ import annotations

import json

import pytest
from ase.calculators.emt import EMT
from click.testing import CliRunner

from aiida_anial.cli.root import main
from aiida_anial.potential.potential import write_potential
from aiida_anial.properties.comparison.results import read_subject
from aiida_anial.properties.registry import benchmark_set, run_properties
from aiida_anial.protocols.builder import BenchmarkSubjects, benchmark_builder
from aiida_anial.worker.main import main as worker_main


def worker(*arguments: object):
    return CliRunner().invoke(worker_main, ['benchmark', *map(str, arguments)])


@pytest.fixture
def invoke(aiida_profile):
    """Return a function that runs ``aiida-anial benchmark``."""
    return lambda *arguments: CliRunner().invoke(main, ['benchmark', *map(str, arguments)])


@pytest.fixture(scope='module')
def finished(run_all, worker_code, ensemble_node):
    """A benchmark that has ended."""
    builder = benchmark_builder(
        BenchmarkSubjects(ensemble_node), ('lattice', 'elastic'), benchmark_set(quick=True)[1], worker_code=worker_code
    )
    (node,) = run_all(builder)
    return node


def test_the_worker_prints_what_was_computed_beside_the_literature():
    result = worker('emt', '--quick', '--properties', 'lattice,elastic')
    assert result.exit_code == 0, result.output
    expected = run_properties(['elastic'], benchmark_set(quick=True)[1], EMT())['elastic'].quantities['c44'].value
    (line,) = (line for line in result.stdout.splitlines() if line.startswith('c44 '))
    assert f'{expected:.1f}' in line
    # Of the experiment and of ANI-Al in the paper.
    assert '31.6' in line
    assert '30.4' in line


def test_the_worker_writes_json_figures_and_results(tmp_path, sound_ensemble):
    path = tmp_path / 'ours.safetensors'
    write_potential(path, sound_ensemble)
    result = worker(
        *(path, '--reference', 'emt', '--quick', '--properties', 'bain', '--json'),
        *('--plots', tmp_path / 'figures', '--results', tmp_path / 'results'),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == {'ours', 'emt'}
    # The deviation from the reference is that of the curves.
    assert found['ours']['bain']['rmse']['unit'] == 'meV/atom'
    assert 'rmse' not in found['emt']['bain']
    assert {file.name for file in (tmp_path / 'figures').iterdir()} == {'paths.png', 'paths.svg'}
    subject = read_subject(tmp_path / 'results' / 'emt.json')
    assert subject.results['bain'].quantities['bcc_minus_fcc'].to_dict() == found['emt']['bain']['bcc_minus_fcc']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.safetensors'], 'there is no such file'),
        (['nowhere.eam.fs'], 'nowhere.eam.fs: there is no such file'),
        (['emd'], 'emd: not a potential: give'),
        (['emt', '--properties', 'elastik'], "there is no 'elastik'; known are lattice"),
        (['emt', '--reference', 'emt', '--properties', 'lattice'], 'two of the compared potentials have this name'),
    ],
)
def test_the_worker_refuses_in_one_sentence(arguments, message):
    result = worker(*arguments)
    assert result.exit_code == 1
    (line,) = (line for line in result.stderr.splitlines() if line.startswith('Error'))
    assert message in line


def test_a_finished_benchmark_is_printed_again(invoke, finished):
    result = invoke(finished.pk)
    assert result.exit_code == 0, result.output
    assert '114' in result.stdout
    as_json = json.loads(invoke(finished.pk, '--json').stdout)
    c11 = finished.outputs.table['ensemble']['elastic']['c11']
    assert as_json['ensemble']['elastic']['c11'] == c11


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'give an ensemble or a --reference'),
        (['999999'], "there is no node and no file '999999'"),
        (['{pk}', '--reference', 'nowhere.eam.fs'], "--reference: there is no file 'nowhere.eam.fs'"),
        (['{pk}', '--reference', '999999'], "--reference: there is no node '999999'"),
        (['{pk}', '--properties', 'c11'], "properties: there is no 'c11'"),
        (['{pk}', '--worker-code', 'anial-worker@moon'], '--worker-code: there is no code'),
        (['--reference', 'qe', '--pw-code', 'pw@moon'], '--pw-code: there is no code'),
        (['{dict}'], 'is a Dict, not an EnsembleData'),
    ],
)
def test_it_refuses_in_one_sentence_and_stores_nothing(
    arguments, message, invoke, ensemble_node, finished, count_nodes, installed
):
    names = {'{pk}': ensemble_node.pk, '{dict}': finished.outputs.table.pk}
    before = count_nodes()
    result = invoke(*(names.get(argument, argument) for argument in arguments))
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert count_nodes() == before


def test_settings_are_checked_by_their_keys(invoke, ensemble_node, tmp_path):
    path = tmp_path / 'settings.yaml'
    path.write_text('elastic: {windw: 0.01}\n')
    result = invoke(ensemble_node.pk, '--settings', path)
    assert result.exit_code == 1
    assert "elastic.windw: unknown key 'windw'; did you mean 'window'?" in result.stderr
