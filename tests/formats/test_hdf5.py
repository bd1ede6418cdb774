"""HDF5 as torchani and pyanitools read and write it, and malicious files."""

from __future__ import annotations

import tracemalloc
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from ase.units import Hartree

from aiida_anial.common.errors import FileFormatError
from aiida_anial.formats.datasets import read_dataset, write_dataset
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.potential.torchani_model import to_torchani

with warnings.catch_warnings():
    # On import, torchani warns that it was built without CUDA.
    warnings.simplefilter('ignore')
    from torchani.datasets import ANIDataset


@pytest.fixture
def path(tmp_path, dataset):
    write_dataset(tmp_path / 'data.h5', dataset, file_format='hdf5')
    return tmp_path / 'data.h5'


def _opened(path) -> ANIDataset:
    return ANIDataset(path, verbose=False)


def test_torchani_opens_it_as_it_is(path, dataset):
    opened = _opened(path)
    assert opened.grouping == 'by_num_atoms'
    assert opened.num_conformers == len(dataset)
    assert dict(opened.group_sizes) == {'004': 2, '008': 2, '012': 2}
    assert opened.znumbers == (13,)
    assert {'species', 'coordinates', 'energies', 'forces', 'cell', 'pbc'} <= set(opened.tensor_properties)


def test_torchanis_numbers_are_hartree_and_angstrom(path, dataset):
    labelled = dataset.labelled
    by_uuid = {uuid: index for index, uuid in enumerate(labelled.uuids)}
    seen = set()
    for name, group in _opened(path).numpy_items():
        for row, uuid in enumerate(group['_id']):
            index = by_uuid[str(uuid)]
            seen.add(index)
            positions, lattice = labelled.cells.one(index)
            assert name == f'{len(positions):03d}'
            np.testing.assert_array_equal(group['coordinates'][row], positions)
            np.testing.assert_array_equal(group['cell'][row], lattice)
            assert group['energies'][row] * Hartree == pytest.approx(labelled.energies[index], rel=1e-15)
            np.testing.assert_allclose(group['forces'][row] * Hartree, labelled.forces_of(index), rtol=1e-14)
            np.testing.assert_allclose(group['stresses'][row] * Hartree, labelled.stresses[index], rtol=1e-14)
            assert group['lot'][row] == dataset.levels[index]
    assert seen == set(range(len(dataset)))


def test_a_torchani_model_gives_the_labels_that_it_was_exported_with(tmp_path, dataset, make_ensemble):
    ensemble, cells = make_ensemble(), dataset.labelled.cells
    engine = make_engine(ensemble, EngineSettings(dtype='float64'))
    found = engine.evaluate(cells, stress=True)
    labelled = replace(dataset.labelled, energies=found.energies, forces=found.forces, stresses=found.stresses)
    write_dataset(tmp_path / 'data.h5', replace(dataset, labelled=labelled), file_format='hdf5')
    model = to_torchani(ensemble, dtype=torch.float64)
    for group in _opened(tmp_path / 'data.h5').values():
        for row in range(len(group['energies'])):
            coordinates = group['coordinates'][row : row + 1].requires_grad_()
            inputs = (group['species'][row : row + 1], coordinates)
            energy = model(inputs, group['cell'][row], group['pbc'][row]).energies
            (gradient,) = torch.autograd.grad(energy.sum(), coordinates)
            assert energy.item() == pytest.approx(group['energies'][row].item(), rel=1e-12)
            # torch.celu, in torchani, has an error of 7e-9.
            np.testing.assert_allclose(-gradient[0], group['forces'][row], atol=1e-7)


def test_columns_and_units_are_said_in_the_file(path, dataset):
    with h5py.File(path) as file:
        group = file['008']
        units = {name: array.attrs['units'] for name, array in group.items() if 'units' in array.attrs}
        assert units['energies'] == 'hartree'
        assert units['forces_ev_per_angstrom'] == 'eV/angstrom'
        codes = h5py.check_enum_dtype(group['origin'].dtype)
        for row, index in enumerate(group['index']):
            assert group['content_hash'][row].tobytes().hex() == dataset.hashes[index]
            assert group['split_block'][row] == int(dataset.hashes[index][:8], 16) % 16
            assert group['origin'][row] == codes[dataset.labelled.origins[index]]


def test_what_torchani_wrote_is_read(tmp_path, atoms, label):
    labelled = label(atoms)
    store = ANIDataset(tmp_path / 'torchani.h5', grouping='by_num_atoms', verbose=False)
    for index, (positions, lattice) in enumerate(labelled.cells):
        conformer = {
            'species': np.full((1, len(positions)), 13),
            'coordinates': positions[None],
            'cell': lattice[None],
            'energies': labelled.energies[index : index + 1] / Hartree,
            'forces': labelled.forces_of(index)[None] / Hartree,
            'stresses': labelled.stresses[index : index + 1] / Hartree,
        }
        store.append_conformers(f'{len(positions):03d}', conformer)
    found = read_dataset(tmp_path / 'torchani.h5').labelled
    order = np.argsort(labelled.cells.n_atoms, kind='stable')
    np.testing.assert_allclose(found.energies, labelled.energies[order], rtol=1e-14)
    for index, original in enumerate(order):
        np.testing.assert_allclose(found.forces_of(index), labelled.forces_of(original), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(found.stresses[index], labelled.stresses[original], rtol=1e-13, atol=1e-16)


def _pyanitools(path, labelled, *, unit=Hartree, skip=(), **changes) -> None:
    """Write the layout of the published ANI-Al: a nested group for each configuration, symbols, gzip."""
    with h5py.File(path, 'w') as file:
        for index, (positions, lattice) in enumerate(labelled.cells):
            group = file.create_group(f'data/Al-{index:03d}')
            arrays = {
                'species': np.array([b'Al'] * len(positions)),
                'coordinates': positions[None],
                'cell': lattice[None],
                'energy': labelled.energies[index : index + 1] / unit,
                'force': labelled.forces_of(index)[None] / unit,
                'stress': labelled.stresses[index : index + 1] / unit,
            } | {name: make(positions) for name, make in changes.items()}
            for name, array in arrays.items():
                if name not in skip:
                    group.create_dataset(name, data=array, compression='gzip', compression_opts=6)


def test_the_layout_of_pyanitools_is_read(tmp_path, atoms, label):
    labelled = label(atoms)
    _pyanitools(tmp_path / 'old.h5', labelled)
    found = read_dataset(tmp_path / 'old.h5')
    np.testing.assert_allclose(found.labelled.energies, labelled.energies, rtol=1e-14)
    np.testing.assert_allclose(found.labelled.forces, labelled.forces, rtol=1e-13, atol=1e-15)
    assert found.hashes == tuple(labelled.hashes())


def test_another_unit_of_energy_can_be_given(tmp_path, atoms, label):
    labelled = label(atoms)
    _pyanitools(tmp_path / 'ev.h5', labelled, unit=1.0)
    np.testing.assert_array_equal(read_dataset(tmp_path / 'ev.h5', energy_unit='eV').labelled.forces, labelled.forces)
    with pytest.raises(FileFormatError, match='forces: looks like eV/angstrom'):
        read_dataset(tmp_path / 'ev.h5')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'skip': ('stress',)}, 'group /data/Al-000: has no stress; a label needs energy, forces and stress'),
        ({'skip': ('force',)}, 'group /data/Al-000: has no forces'),
        ({'skip': ('species',)}, 'group /data/Al-000: has no species'),
        ({'skip': ('cell',)}, 'group /data/Al-000: has no cell'),
        ({'skip': ('coordinates',)}, 'holds no configuration'),
        ({'species': lambda p: np.array([b'Cu'] * len(p))}, 'row 0: species: has Cu where only Al is known'),
        ({'species': lambda p: np.array([b'?'] * len(p))}, 'row 0: species: has atomic number 0 where'),
        ({'species': lambda p: np.full(len(p), -1)}, 'row 0: species: has atomic number -1 where'),
        ({'species': lambda p: np.full(len(p) + 1, 13)}, r'species: has shape \(9,\) where \(1, 8\) is needed'),
        ({'pbc': lambda _: np.array([True, True, False])}, 'row 0: pbc: is not periodic'),
        ({'force': lambda p: np.zeros((1, len(p), 2))}, r'forces: has shape \(1, 8, 2\) where \(1, 8, 3\) is needed'),
        ({'force': lambda p: np.full((1, len(p), 3), np.nan)}, 'row 0: forces: a value is not finite'),
        ({'energy': lambda _: np.array([b'much'])}, r'energy: holds \|S4 where numbers are needed'),
        ({'energy': lambda _: np.array([1 + 1j])}, 'energy: holds complex128 where numbers are needed'),
        ({'coordinates': lambda p: p}, r'coordinates: has shape \(8, 3\) where'),
        ({'cell': lambda _: np.zeros((1, 3, 3))}, 'row 0: lattice: the cell has no volume'),
        ({'coordinates': lambda p: 0 * p[None]}, r'row 0: positions: two atoms are 0\.00 angstrom apart'),
    ],
)
def test_a_fault_is_named_in_one_sentence(tmp_path, atoms, label, changes, message):
    _pyanitools(tmp_path / 'bad.h5', label(atoms), **changes)
    with pytest.raises(FileFormatError, match=message) as error:
        read_dataset(tmp_path / 'bad.h5', trust_units=True, elements=('Al',))
    assert str(error.value).startswith(f'{tmp_path / "bad.h5"}: ')
    assert '\n' not in str(error.value)


def _declare(group, name, shape, **options):
    del group[name]
    group.create_dataset(name, shape=shape, dtype=np.float64, **options)


def _peak_of_refusal(path, message) -> int:
    """Return the peak memory, in bytes, until the file was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=message):
            read_dataset(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize('options', [{'chunks': (1, 100, 3)}, {}])
def test_sizes_that_the_file_cannot_hold_take_no_memory(path, options):
    n_cells, n_atoms = 10**8, 1000
    with h5py.File(path, 'r+') as file:
        group = file['008']
        for name in group:
            shape = {'coordinates': (n_cells, n_atoms, 3), 'species': (n_atoms,)}.get(name, (n_cells,))
            _declare(group, name, shape, **(options if name == 'coordinates' else {}))
        for name in ('forces', 'forces_ev_per_angstrom'):
            _declare(group, name, (n_cells, n_atoms, 3))
        for name in ('cell', 'stresses', 'stresses_ev_per_angstrom3'):
            _declare(group, name, (n_cells, 3, 3))
        for name in ('_id', 'lot', 'index', 'iteration', 'origin', 'content_hash', 'pbc'):
            del group[name]
    assert _peak_of_refusal(path, 'declares arrays of .* bytes in a file of .*, which cannot be') < 2**24


def test_zeros_that_were_compressed_to_nothing_take_no_memory(tmp_path, atoms, label):
    labelled = label(atoms[:1])
    _pyanitools(tmp_path / 'bomb.h5', labelled)
    with h5py.File(tmp_path / 'bomb.h5', 'r+') as file:
        group = file['data/Al-000']
        n_cells = 40000
        shapes = {'coordinates': (n_cells, 1000, 3), 'force': (n_cells, 1000, 3), 'energy': (n_cells,)}
        shapes |= {'species': (1000,), 'cell': (3, 3), 'stress': (n_cells, 3, 3)}
        for name, shape in shapes.items():
            del group[name]
            chunks = (100, *shape[1:]) if len(shape) == 3 and shape[0] == n_cells else None
            group.create_dataset(name, shape=shape, dtype='f8', chunks=chunks, compression='gzip' if chunks else None)
        group['coordinates'][:100] = 0.0
    assert _peak_of_refusal(tmp_path / 'bomb.h5', 'declares arrays of') < 2**24


def test_nothing_is_read_from_other_files(tmp_path, path):
    secret = tmp_path / 'secret'
    secret.write_bytes(np.zeros(2).tobytes())
    with h5py.File(path, 'r+') as file:
        del file['008']['energies_ev']
        file['008'].create_dataset('energies_ev', (2,), 'f8', external=[(str(secret), 0, 16)])
    with pytest.raises(FileFormatError, match='group /008: energy: is not an array within this file'):
        read_dataset(path)


def test_links_to_other_files_are_not_followed(tmp_path, path, dataset):
    write_dataset(tmp_path / 'other.h5', dataset, file_format='hdf5')
    with h5py.File(path, 'r+') as file:
        file['100'] = h5py.ExternalLink('other.h5', '/008')
        file['101'] = h5py.SoftLink('/008')
        file['102'] = h5py.SoftLink('/nowhere')
        file['004']['loop'] = file['/']
        del file['008']['cell']
        file['008']['cell'] = h5py.ExternalLink('other.h5', '/008/cell')
    with pytest.raises(FileFormatError, match='group /008: has no cell'):
        read_dataset(path)


def test_a_virtual_array_is_refused(tmp_path, path, dataset):
    write_dataset(tmp_path / 'other.h5', dataset, file_format='hdf5')
    layout = h5py.VirtualLayout((2,), 'f8')
    layout[:] = h5py.VirtualSource('other.h5', '008/energies_ev', (2,))
    with h5py.File(path, 'r+') as file:
        del file['008']['energies_ev']
        file['008'].create_virtual_dataset('energies_ev', layout)
    with pytest.raises(FileFormatError, match='group /008: energy: is not an array within this file'):
        read_dataset(path)


def test_references_and_text_are_no_numbers(path):
    with h5py.File(path, 'r+') as file:
        reference = file['008'].ref
        del file['008']['energies_ev']
        file['008'].create_dataset('energies_ev', data=[reference, reference], dtype=h5py.ref_dtype)
    with pytest.raises(FileFormatError, match='group /008: energy: holds object where numbers are needed'):
        read_dataset(path)


def test_the_order_is_that_of_the_dataset_and_not_of_the_groups(path, dataset):
    assert isinstance(read_dataset(path), ExportedDataset)
    assert read_dataset(path).labelled.uuids == dataset.labelled.uuids
    assert list(dataset.labelled.cells.n_atoms) != sorted(dataset.labelled.cells.n_atoms)
