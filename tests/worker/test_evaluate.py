"""``anial-worker evaluate`` against ASE, closed forms and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError, SettingsError
from aiida_anial.common.tensors import read_tensors
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.worker import evaluate
from aiida_anial.worker.job import Job, JobInterrupted

CUTOFF = 5.0


def labels(directory):
    """Run the command, and return the summary and the arrays of the labels."""
    summary = evaluate.run(Job.read(directory))
    return summary, read_tensors(directory / 'labels.safetensors', kind='labels', schema_version=1).arrays


def pair(r):
    return 0.8 * np.exp(-1.5 * (r - 2.5)) * np.where(r < CUTOFF, (1 - r / CUTOFF), 0) ** 3


def density(r):
    return np.exp(-0.9 * (r - 2.5)) * np.where(r < CUTOFF, (1 - r / CUTOFF), 0) ** 3


def embedding(rho):
    return -2.0 * np.sqrt(rho + 0.1)


def electron_density(positions, lattice) -> np.ndarray:
    first, r = pairs(positions, lattice)
    return np.bincount(first, density(r), minlength=len(positions))


def energy(positions, lattice) -> float:
    """Return the energy from the functions above, of which the file contains only tables."""
    return float(embedding(electron_density(positions, lattice)).sum() + pair(pairs(positions, lattice)[1]).sum() / 2)


def pairs(positions, lattice) -> tuple[np.ndarray, np.ndarray]:
    return neighbor_list('id', Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True), CUTOFF)


def write_eam(path, *, element='Al', rho_max=6.0):
    """Write the functions as a LAMMPS setfl file; for one element, the styles fs and alloy have the same layout."""
    n = 2000
    r, rho = np.arange(n) * CUTOFF / (n - 1), np.arange(n) * rho_max / (n - 1)
    values = np.concatenate([embedding(rho), density(r), r * pair(r)])
    lines = ['one', 'two', 'three', f'1 {element}', f'{n} {rho[1]:.15e} {n} {r[1]:.15e} {CUTOFF}', '13 26.982 4.05 fcc']
    path.write_text('\n'.join(lines + [f'{value:.16e}' for value in values]) + '\n')


def test_emt(make_job, cells):
    summary, arrays = labels(make_job(labeller={'kind': 'emt'}))
    assert summary == {'rejected': {}}
    assert arrays['accepted'].tolist() == [1, 1, 1]
    for index, (positions, lattice) in enumerate(cells):
        atoms = Atoms(f'Al{len(positions)}', positions=positions, cell=lattice, pbc=True, calculator=EMT())
        assert arrays['energies'][index] == atoms.get_potential_energy()
        rows = slice(cells.offsets[index], cells.offsets[index + 1])
        np.testing.assert_array_equal(arrays['forces'][rows], atoms.get_forces())
        np.testing.assert_array_equal(arrays['stresses'][index], atoms.get_stress(voigt=False))


@pytest.mark.parametrize('style', ['alloy', 'fs'])
def test_eam(make_job, cells, style):
    directory = make_job(labeller={'kind': 'eam'})
    write_eam(directory / f'potential.eam.{style}')
    summary, arrays = labels(directory)
    assert summary == {'rejected': {}}
    h = 1e-4
    for index, (positions, lattice) in enumerate(cells):
        assert arrays['energies'][index] == pytest.approx(energy(positions, lattice), rel=1e-6)
        moved = np.zeros_like(positions)
        moved[1, 2] = h
        slope = (energy(positions + moved, lattice) - energy(positions - moved, lattice)) / (2 * h)
        assert arrays['forces'][cells.offsets[index] + 1, 2] == pytest.approx(-slope, abs=1e-5)
        strained = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[0, 1] = strain[1, 0] = sign * h / 2
            strained.append(energy(positions @ strain, lattice @ strain))
        shear = (strained[0] - strained[1]) / (2 * h) / cells.volumes[index]
        assert arrays['stresses'][index, 0, 1] == pytest.approx(shear, abs=1e-6)


def test_eam_beyond_its_table(make_job, cells):
    """The splines would extrapolate beyond the table; instead, the cell is rejected and the others are kept."""
    directory = make_job(labeller={'kind': 'eam'})
    largest = [electron_density(*cell).max() for cell in cells]
    assert largest[0] > max(largest[1:])
    write_eam(directory / 'potential.eam.alloy', rho_max=max(largest[1:]) * 1.01)
    summary, arrays = labels(directory)
    assert 'beyond the table' in summary['rejected']['0']
    assert np.isnan(arrays['energies'][0])
    assert arrays['accepted'].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda path: path.unlink(), r'needs potential\.eam\.fs or potential\.eam\.alloy'),
        (lambda path: path.write_text('nonsense'), r'potential\.eam\.alloy: not a LAMMPS EAM file'),
        (lambda path: path.write_bytes(path.read_bytes()[:40000]), r'potential\.eam\.alloy: not a LAMMPS EAM file'),
        (lambda path: path.write_bytes(bytes(range(256))), r'potential\.eam\.alloy: not a LAMMPS EAM file'),
        (lambda path: write_eam(path, element='Cu'), r'has no aluminium, only Cu'),
    ],
)
def test_an_invalid_eam_file_is_refused(make_job, spoil, message):
    directory = make_job(labeller={'kind': 'eam'})
    write_eam(directory / 'potential.eam.alloy')
    spoil(directory / 'potential.eam.alloy')
    with pytest.raises(FileFormatError, match=message) as caught:
        labels(directory)
    assert '\n' not in str(caught.value)


def test_ensemble(make_job, ensemble, cells):
    _, arrays = labels(make_job(labeller={'kind': 'ensemble'}, engine={'dtype': 'float64'}))
    prediction = make_engine(ensemble, EngineSettings(dtype='float64')).evaluate(cells, stress=True)
    np.testing.assert_allclose(arrays['energies'], prediction.energies, rtol=1e-12)
    np.testing.assert_allclose(arrays['forces'], prediction.forces, atol=1e-12)
    np.testing.assert_allclose(arrays['stresses'], prediction.stresses, atol=1e-12)


def test_one_bad_cell_costs_one_label(make_job):
    directory = make_job(labeller={'kind': 'emt'}, max_force_ev_per_angstrom=20.0)
    fine = 4.1 * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    close, same = fine.copy(), fine.copy()
    close[1], same[1] = [0.9, 0.4, 0.2], [0, 0, 0]
    Cells.from_lists([close, fine, same], [4.1 * np.eye(3)] * 3, species=13).write(directory / 'cells.safetensors')
    summary, arrays = labels(directory)
    assert set(summary['rejected']) == {'0', '2'}
    assert 'above the limit of 20' in summary['rejected']['0']
    assert 'not finite' in summary['rejected']['2']
    assert arrays['accepted'].tolist() == [0, 1, 0]
    assert np.isnan(arrays['forces'][:4]).all()
    assert np.abs(arrays['forces'][4:8]).max() < 1e-10


def test_failing_evaluation_is_a_reason(make_job, monkeypatch):
    def fail(self, *arguments, **keywords):
        raise ArithmeticError('no way')

    monkeypatch.setattr(EMT, 'calculate', fail)
    summary, arrays = labels(make_job(labeller={'kind': 'emt'}))
    assert summary['rejected']['1'] == 'the evaluation failed with ArithmeticError: no way'
    assert arrays['accepted'].tolist() == [0, 0, 0]


def test_interrupted_keeps_nothing(make_job):
    directory = make_job(labeller={'kind': 'emt'})
    asked = iter(range(100))
    job = Job(directory, {'labeller': {'kind': 'emt'}}, 4, 0.0, lambda: next(asked))
    with pytest.raises(JobInterrupted, match='after 2 of 3 cells'):
        evaluate.run(job)
    assert not (directory / 'labels.safetensors').exists()


@pytest.mark.parametrize(
    'changes', [{'labeller': {'kind': 'dft'}}, {'labeller': {}}, {'max_force_ev_per_angstrom': -1}]
)
def test_impossible_inputs_are_named(make_job, changes):
    directory = make_job(**({'labeller': {'kind': 'emt'}} | changes))
    with pytest.raises(SettingsError, match=next(iter(changes))):
        labels(directory)


def test_emt_labels_an_alloy_by_the_species_of_each_atom(tmp_path):
    lattice, positions = 4.0 * np.eye(3), np.array([[0, 0, 0], [0, 2.1, 2], [2, 0, 2], [2, 2, 0.1]])
    species = [[13, 28, 13, 13], [28, 13, 13, 13]]
    Cells.from_lists([positions] * 2, [lattice] * 2, species=species).write(tmp_path / 'cells.safetensors')
    (tmp_path / 'input.json').write_text('{"labeller": {"kind": "emt"}}')
    _, arrays = labels(tmp_path)
    for index, numbers in enumerate(species):
        atoms = Atoms(numbers=numbers, positions=positions, cell=lattice, pbc=True, calculator=EMT())
        assert arrays['energies'][index] == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(arrays['forces'][4 * index : 4 * index + 4], atoms.get_forces(), atol=1e-12)
    assert abs(np.diff(arrays['energies'])[0]) > 1e-3


def test_cells_with_an_element_that_an_eam_file_does_not_tabulate_are_rejected(tmp_path):
    write_eam(tmp_path / 'potential.eam.alloy')
    Cells.from_lists([np.zeros((1, 3))] * 2, [4.0 * np.eye(3)] * 2, species=[[13], [28]]).write(
        tmp_path / 'cells.safetensors'
    )
    (tmp_path / 'input.json').write_text('{"labeller": {"kind": "eam"}}')
    summary, _ = labels(tmp_path)
    assert summary['rejected'].keys() == {'1'}
    assert 'they contain Ni, but the potential knows only Al' in summary['rejected']['1']
