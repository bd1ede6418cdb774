"""The potentials that come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from click.testing import CliRunner

from aiida_anial.common.errors import AnialError
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.packaged import find, path_of
from aiida_anial.potentials import load, names
from aiida_anial.properties.registry import benchmark_set, run_properties
from aiida_anial.worker.main import main as worker

ARCHIVE = 'campaign.aiida'


@pytest.fixture(params=names())
def name(request) -> str:
    return request.param


def test_there_is_the_one_of_the_protocol_laptop():
    assert 'Al-laptop' in names()


def test_the_files_are_those_of_the_release_all_but_the_archive(name):
    folder = path_of(name).parent
    sums = dict(line.split('  ', 1)[::-1] for line in (folder / 'SHA256SUMS').read_text().splitlines())
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file() and path.name != 'SHA256SUMS'
    }
    assert {file: digest for file, digest in sums.items() if file != ARCHIVE} == found
    assert sum(path.stat().st_size for path in folder.rglob('*')) < 20e6


def test_it_reproduces_its_labels(name):
    calculator = load(name)
    labelled = read_dataset(path_of(name).parent / 'dataset.extxyz').labelled
    energies, forces = [], []
    for positions, lattice, species in labelled.cells.configurations():
        atoms = ase.Atoms(species, positions=positions, cell=lattice, pbc=True, calculator=calculator)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    per_atom = 1000 * (np.array(energies) - labelled.energies) / labelled.cells.n_atoms
    assert np.sqrt(np.mean(per_atom**2)) < 10
    assert np.sqrt(np.mean((np.concatenate(forces) - labelled.forces) ** 2)) < 0.1


def test_fcc_is_its_ground_state_with_the_lattice_constant_of_pbe(name):
    settings = benchmark_set(quick=True)[1]
    found = run_properties(['lattice', 'cold_curves'], settings, load(name))
    assert found['cold_curves'].quantities['fcc_rank'].value == 1
    assert found['lattice'].quantities['a0'].value == pytest.approx(4.040, rel=0.005)


def test_a_name_that_there_is_not_comes_with_those_that_there_are():
    with pytest.raises(AnialError, match=r"^name: there is no potential 'Al-desktop'; the package has .*Al-laptop"):
        load('Al-desktop')


def test_a_file_comes_before_a_potential_of_its_name(tmp_path, monkeypatch, make_ensemble):
    monkeypatch.chdir(tmp_path)
    assert find('Al-laptop') == path_of('Al-laptop')
    assert find('gone') is None
    assert find('') is None
    (tmp_path / 'Al-laptop').write_text('x')
    assert find('Al-laptop') == Path('Al-laptop')


def test_the_worker_knows_it_by_its_name():
    result = CliRunner().invoke(worker, ['benchmark', 'Al-laptop', '--properties', 'lattice', '--quick'])
    assert result.exit_code == 0, result.output
    atoms = bulk('Al', 'fcc', a=4.0)
    atoms.calc = load('Al-laptop')
    assert isinstance(atoms.calc, AnialCalculator)
    (heading, *_) = result.stdout.splitlines()
    assert heading.split()[:2] == ['lattice', 'Al-laptop']
