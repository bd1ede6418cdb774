"""Tests of all formats of datasets."""

from __future__ import annotations

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError, FileFormatError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats import datasets
from aiida_anial.formats.datasets import DATASET_FORMATS, read_dataset, write_dataset
from aiida_anial.formats.exported import ExportedDataset

ASE_FORMATS = ('extxyz', 'ase_db')


def test_a_dataset_comes_back_to_the_last_bit(tmp_path, dataset, file_format):
    write_dataset(tmp_path / 'data', dataset, file_format=file_format)
    found = read_dataset(tmp_path / 'data')
    assert found.labelled.to_bytes() == dataset.labelled.to_bytes()
    assert found.levels == dataset.levels
    assert found.header == dataset.header
    assert found.hashes == dataset.hashes


def test_the_same_dataset_gives_the_same_bytes(tmp_path, dataset, file_format):
    other_order = dict(reversed(dataset.header.items()))
    again = ExportedDataset(LabelledCells.concatenate([dataset.labelled]), dataset.levels, other_order)
    (tmp_path / 'elsewhere').mkdir()
    write_dataset(tmp_path / 'one', dataset, file_format=file_format)
    write_dataset(tmp_path / 'elsewhere' / 'two', again, file_format=file_format)
    write_dataset(tmp_path / 'three', read_dataset(tmp_path / 'one'), file_format=file_format)
    content = (tmp_path / 'one').read_bytes()
    assert (tmp_path / 'elsewhere' / 'two').read_bytes() == content
    assert (tmp_path / 'three').read_bytes() == content
    assert str(tmp_path).encode() not in content
    assert {path.name for path in tmp_path.iterdir()} == {'one', 'elsewhere', 'three'}


@pytest.mark.parametrize('file_format', ASE_FORMATS)
def test_ase_finds_the_energy_forces_and_stress_of_the_potential_that_made_them(tmp_path, atoms, dataset, file_format):
    path = tmp_path / f'data{DATASET_FORMATS[file_format].suffix}'
    write_dataset(path, dataset, file_format=file_format)
    images = ase.io.read(path, index=':')
    assert len(images) == len(atoms) + 1
    for image, original in zip(images, atoms, strict=False):
        assert image.pbc.all()
        fresh = image.copy()
        fresh.calc = EMT()
        assert image.get_potential_energy() == pytest.approx(fresh.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(image.get_forces(), fresh.get_forces(), atol=1e-9)
        np.testing.assert_allclose(image.get_stress(), fresh.get_stress(), atol=1e-9)
        np.testing.assert_array_equal(image.positions, original.positions)
        np.testing.assert_array_equal(image.cell.array, original.cell.array)


def test_a_stress_that_is_not_symmetric_keeps_its_symmetric_part(tmp_path, dataset, file_format):
    stresses = dataset.labelled.stresses + 1e-6 * np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    uneven = replace(dataset, labelled=replace(dataset.labelled, stresses=stresses))
    write_dataset(tmp_path / 'data', uneven, file_format=file_format)
    found = read_dataset(tmp_path / 'data').labelled.stresses
    expected = stresses if file_format == 'hdf5' else (stresses + stresses.transpose(0, 2, 1)) / 2
    np.testing.assert_allclose(found, expected, atol=1e-16)


def test_a_single_configuration_and_an_empty_header_are_enough(tmp_path, atoms, label, file_format):
    one = ExportedDataset(label(atoms[:1]), ('emt',))
    write_dataset(tmp_path / 'data', one, file_format=file_format)
    assert read_dataset(tmp_path / 'data').header == {}


def test_a_header_of_megabytes_survives(tmp_path, dataset, file_format):
    large = replace(dataset, header={'uuids': ['x' * 36] * 30000})
    write_dataset(tmp_path / 'data', large, file_format=file_format)
    assert read_dataset(tmp_path / 'data').header == large.header


def test_a_newer_format_is_refused(tmp_path, dataset, file_format, monkeypatch):
    monkeypatch.setattr('aiida_anial.formats.exported.FORMAT_VERSION', 3)
    write_dataset(tmp_path / 'data', dataset, file_format=file_format)
    monkeypatch.undo()
    with pytest.raises(
        FileFormatError, match=r'data: header: has format_version 3, newer than 2; update aiida-anial\.$'
    ):
        read_dataset(tmp_path / 'data')


@pytest.mark.parametrize('fraction', [0.02, 0.3, 0.6, 0.97])
def test_a_file_that_is_cut_short_is_refused_by_its_name(tmp_path, dataset, file_format, fraction):
    path = tmp_path / 'data'
    write_dataset(path, dataset, file_format=file_format)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(FileFormatError, match=r'/data: [^\n]+\.$'):
        read_dataset(path, file_format=file_format)


def _complaint(path, file_format) -> str:
    """Return why the file is refused, or nothing."""
    try:
        read_dataset(path, file_format=file_format)
    except FileFormatError as exception:
        return str(exception)
    return ''


@pytest.mark.parametrize('seed', range(3))
def test_a_damaged_file_gives_a_dataset_or_one_sentence(tmp_path, dataset, file_format, seed):
    path = tmp_path / 'data'
    write_dataset(path, dataset, file_format=file_format)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    generator = np.random.default_rng(seed)
    complaints = []
    for _ in range(20):
        damaged = content.copy()
        damaged[generator.integers(0, min(len(content), 4000), 6)] = generator.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        complaints.append(_complaint(path, file_format))
    assert any(complaints)
    assert [complaint for complaint in complaints if complaint and not complaint.startswith(f'{path}: ')] == []
    assert '\n' not in ''.join(complaints)


def test_a_file_that_lost_its_last_configuration_is_refused(tmp_path, dataset):
    path = tmp_path / 'data.extxyz'
    # ASE reads backslashes of a header, but does not write them.
    write_dataset(path, replace(dataset, header={}), file_format='extxyz')
    ase.io.write(path, ase.io.read(path, ':-1'), format='extxyz')
    with pytest.raises(FileFormatError, match='header: says n_configurations 6, but the file has 5'):
        read_dataset(path)


def test_the_contents_of_another_format_are_refused(tmp_path, dataset, file_format):
    path = tmp_path / 'data'
    for other in set(DATASET_FORMATS) - {file_format}:
        write_dataset(path, dataset, file_format=other)
        with pytest.raises(FileFormatError, match=r'/data: [^\n]+\.$'):
            read_dataset(path, file_format=file_format)


def test_files_that_are_missing_or_not_of_any_format_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r'none: there is no such file\.$'):
        read_dataset(tmp_path / 'none')
    with pytest.raises(FileFormatError, match='there is no such file'):
        read_dataset(tmp_path)
    (tmp_path / 'picture').write_bytes(b'\x89PNG\r\n\x1a\n' + bytes(range(256)))
    with pytest.raises(FileFormatError, match='picture'):
        read_dataset(tmp_path / 'picture')
    (tmp_path / 'empty').write_bytes(b'')
    with pytest.raises(FileFormatError, match=r'holds no configuration\.$'):
        read_dataset(tmp_path / 'empty')


def test_unknown_formats_and_units_are_named(tmp_path, dataset):
    with pytest.raises(AnialError, match="format: 'xyz' is not one of extxyz, hdf5, ase_db, parquet"):
        write_dataset(tmp_path / 'data', dataset, file_format='xyz')
    write_dataset(tmp_path / 'data', dataset, file_format='extxyz')
    with pytest.raises(AnialError, match="energy_unit: 'J' is not one of eV, hartree, Ry"):
        read_dataset(tmp_path / 'data', energy_unit='J')


def test_no_unit_is_put_upon_a_file_of_ours(tmp_path, dataset, file_format):
    write_dataset(tmp_path / 'data', dataset, file_format=file_format)
    with pytest.raises(FileFormatError, match='energy_unit: the file states its units itself'):
        read_dataset(tmp_path / 'data', energy_unit='Ry')


def test_an_empty_dataset_is_not_written(tmp_path, dataset, file_format):
    nothing = LabelledCells(
        Cells.from_lists([], [], species=13),
        np.zeros(0),
        np.zeros((0, 3)),
        np.zeros((0, 3, 3)),
        (),
        np.zeros(0, dtype=np.int64),
        (),
    )
    with pytest.raises(AnialError, match='data: a dataset without a configuration is not written'):
        write_dataset(tmp_path / 'data', ExportedDataset(nothing, ()), file_format=file_format)


def test_a_failed_export_leaves_what_was_there(tmp_path, dataset, file_format, monkeypatch):
    def fail(path, _):
        path.write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    (tmp_path / 'data').write_bytes(b'before')
    failing = replace(DATASET_FORMATS[file_format], write=fail)
    monkeypatch.setitem(datasets.DATASET_FORMATS, file_format, failing)
    with pytest.raises(AnialError, match=r'data: cannot be written \(No space left on device\)\.$'):
        write_dataset(tmp_path / 'data', dataset, file_format=file_format)
    assert [path.name for path in tmp_path.iterdir()] == ['data']
    assert (tmp_path / 'data').read_bytes() == b'before'


def test_a_folder_that_is_not_there_is_named(tmp_path, dataset, file_format):
    with pytest.raises(AnialError, match=r'nowhere/data: cannot be written'):
        write_dataset(tmp_path / 'nowhere' / 'data', dataset, file_format=file_format)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'levels': ('a',)}, '1 levels of theory for 6 configurations'),
        ({'levels': ('two words',) * 6}, "'two words' is not a name"),
        ({'levels': ('',) * 6}, "'' is not a name"),
        ({'header': {'units': 'mine'}}, 'header: units is written by the format itself'),
        ({'header': {'a': float('nan')}}, 'header: not made of JSON values'),
        ({'header': {'a': object()}}, 'header: not made of JSON values'),
    ],
)
def test_what_cannot_be_written_is_refused(dataset, change, message):
    with pytest.raises(AnialError, match=message):
        replace(dataset, **change)


@pytest.mark.parametrize('uuid', ['not one', '00000000000040008000000000000000'])
def test_uuids_are_uuids(dataset, uuid):
    uuids = (uuid, *dataset.labelled.uuids[1:])
    with pytest.raises(AnialError, match='UUID'):
        replace(dataset, labelled=replace(dataset.labelled, uuids=uuids))


def test_every_atom_of_an_alloy_keeps_its_species(tmp_path, dataset, file_format):
    """HDF5 stores cells of one size in one array, whatever elements they contain."""
    cells = dataset.labelled.cells
    species = np.where(np.arange(len(cells.positions)) % 3, 13, 28).astype(np.int16)
    labelled = replace(dataset.labelled, cells=replace(cells, species=species))
    alloy = replace(dataset, labelled=labelled)
    write_dataset(tmp_path / 'alloy', alloy, file_format=file_format)
    found = read_dataset(tmp_path / 'alloy')
    np.testing.assert_array_equal(found.labelled.cells.species, species)
    assert found.labelled.hashes() == labelled.hashes()
    assert found.file_header['elements'] == ['Al', 'Ni']
    assert not set(labelled.hashes()) & set(dataset.labelled.hashes())
    with pytest.raises(FileFormatError, match='species: has Ni where only Al is known'):
        read_dataset(tmp_path / 'alloy', elements=('Al',))


def test_other_programs_see_the_species_of_an_alloy(tmp_path, dataset):
    cells = dataset.labelled.cells
    species = np.where(np.arange(len(cells.positions)) % 3, 13, 28).astype(np.int16)
    alloy = replace(dataset, labelled=replace(dataset.labelled, cells=replace(cells, species=species)))
    for file_format, kind in (('extxyz', 'extxyz'), ('ase_db', 'db')):
        path = tmp_path / f'alloy.{kind}'
        write_dataset(path, alloy, file_format=file_format)
        images = ase.io.read(path, index=':', format=kind)
        assert np.concatenate([image.numbers for image in images]).tolist() == species.tolist()
