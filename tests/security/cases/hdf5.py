"""Datasets in HDF5: sizes, links, types and nesting."""

from __future__ import annotations

import zlib
from functools import partial

import h5py
import numpy as np

H8 = 'f8'


def changed(world, change):
    """Import labels from a changed file of this package."""
    path = world.exported('labels.h5', 'hdf5')
    with h5py.File(path, 'r+') as file:
        change(file)
    return ('import', 'dataset', path)


def other(world, make):
    """Import labels from a foreign file."""
    with h5py.File(world.folder / 'labels.h5', 'w', libver='latest') as file:
        make(file)
    return world.importing('labels.h5')


def raw(world, content):
    return world.importing(world.write('labels.h5', content))


def torn(world, keep):
    """Import a truncated file."""
    path = world.exported('labels.h5', 'hdf5')
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    return ('import', 'dataset', path)


def replaced(name, **given):
    """Return a change that replaces an array."""

    def change(file):
        del file['004'][name]
        file['004'].create_dataset(name, **given)

    return change


def declared(n_cells):
    """Return a change that declares arrays of absurd sizes without storing any data."""

    def change(file):
        group = file['004']
        for name, array in list(group.items()):
            shape, dtype = (n_cells, *array.shape[1:]), array.dtype
            del group[name]
            group.create_dataset(name, shape=shape, dtype=dtype, chunks=True)

    return change


def bomb(file):
    """Create an array of one number in a chunk of 2.4 GB of zeros, compressed to almost nothing."""
    chunk = (1_000_000, 100, 3)
    del file['004']['coordinates']
    array = file['004'].create_dataset(
        'coordinates', (10, 4, 3), H8, maxshape=(None, None, None), chunks=chunk, compression='gzip'
    )
    # The stream has fewer zeros than the chunk, but the file is refused before it is decompressed.
    array.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(10**7), 9))


def zeros(file):
    """Create arrays of half a gigabyte, compressed a thousandfold."""
    group = file['004']
    n_cells = 5_000_000
    for name, array in list(group.items()):
        shape, dtype = (n_cells, *array.shape[1:]), array.dtype
        del group[name]
        group.create_dataset(name, shape=shape, dtype=dtype, chunks=(100_000, *shape[1:]), compression='gzip')
    group['coordinates'][:100_000] = 0


def nested(file):
    group = file
    for _ in range(3000):
        group = group.create_group('g')


def shared_text(file):
    """Create a thousand references to one text of ten million letters."""
    group = file.create_group('data')
    n_atoms = 1000
    symbols = group.create_dataset('species', (n_atoms,), h5py.string_dtype(), chunks=(n_atoms,))
    symbols[0] = 'Al' * 5_000_000
    file.flush()
    # A reference to the text takes 16 bytes.
    _, references = symbols.id.read_direct_chunk((0,))
    symbols.id.write_direct_chunk((0,), references[:16] * n_atoms)
    shapes = {'coordinates': (1, n_atoms, 3), 'forces': (1, n_atoms, 3), 'cell': (3, 3), 'stress': (1, 3, 3)}
    for name, shape in shapes.items():
        group.create_dataset(name, shape, H8)
    group.create_dataset('energy', (1,), H8)


def linked(make):
    """Return a change that replaces the cells by a link."""

    def change(file):
        del file['004']['cell']
        file['004']['cell'] = make(file)

    return change


def outside(file):
    """Replace the energies by the bytes of another file."""
    del file['004']['energies_ev']
    file['004'].create_dataset('energies_ev', (10,), H8, external=[('/etc/passwd', 0, 80)])


def virtual(file):
    layout = h5py.VirtualLayout((10,), H8)
    layout[:] = h5py.VirtualSource('/etc/passwd', 'x', (10,))
    del file['004']['energies_ev']
    file['004'].create_virtual_dataset('energies_ev', layout)


def references(file):
    replaced('energies_ev', data=[file['004'].ref] * 10, dtype=h5py.ref_dtype)(file)


def pickles(file):
    from pickle import dumps

    array = np.frombuffer(dumps({'a': 1}), dtype=np.uint8)
    del file['004']['species']
    species = file['004'].create_dataset('species', (4,), h5py.vlen_dtype(np.uint8))
    species[0] = array


def headed(text):
    """Return a change that replaces the header."""

    def change(file):
        file.attrs['header'] = np.bytes_(text)

    return change


_CHANGES = {
    'a million million configurations': (declared(10**12), 'which cannot be'),
    'ten million configurations of nothing': (declared(10**7), 'which cannot be'),
    'zeros that were compressed to nothing': (zeros, 'which cannot be'),
    'a chunk far larger than its array': (bomb, 'which cannot be'),
    'an external link': (linked(lambda _: h5py.ExternalLink('/etc/passwd', '/x')), 'group /004: has no cell'),
    'a soft link': (linked(lambda _: h5py.SoftLink('/004/stresses')), 'group /004: has no cell'),
    'a soft link to itself': (linked(lambda _: h5py.SoftLink('/004/cell')), 'group /004: has no cell'),
    'a group for an array': (linked(lambda file: file['/']), 'group /004: cell: is not an array within this file'),
    'bytes of another file': (outside, 'group /004: energy: is not an array within this file'),
    'a virtual array': (virtual, 'group /004: energy: is not an array within this file'),
    'references to objects': (references, 'group /004: energy: holds object where numbers are needed'),
    'pickles of variable length': (pickles, 'group /004: species: holds object where numbers are needed'),
    'a structure of fields': (
        replaced('energies_ev', data=np.zeros(10, dtype=[('a', H8), ('b', 'i4')])),
        'group /004: energy: holds',
    ),
    'bytes without a meaning': (replaced('energies_ev', data=np.zeros(10, dtype='V8')), 'group /004: energy: holds'),
    'forces of another shape': (
        replaced('forces_ev_per_angstrom', data=np.zeros((10, 3, 4))),
        'forces: has shape (10, 3,',
    ),
    'energies that are numbers of nothing': (
        replaced('energies_ev', data=np.full(10, np.nan)),
        'group /004, row 0: energy: a value is not finite',
    ),
    'an array without a shape': (replaced('energies_ev', data=h5py.Empty(H8)), 'energy: is not an array within'),
    'a header of brackets': (headed('[' * 30_000), 'labels.h5: not an HDF5 file in the ANI layout, or damaged'),
    'a header that is no JSON': (
        headed('$(touch canary)'),
        'labels.h5: not an HDF5 file in the ANI layout, or damaged',
    ),
    'a header with an escape sequence': (headed('\x1b]0;title\x07'), 'labels.h5: not an HDF5 file in the ANI layout'),
}

CASES = {name: (partial(changed, change=change), said) for name, (change, said) in _CHANGES.items()}
CASES |= {
    'three thousand groups in each other': (partial(other, make=nested), 'groups are nested deeper than 8'),
    'symbols that share a long text': (
        partial(other, make=shared_text),
        'group /data: species: holds object where numbers are needed',
    ),
    'nothing in it': (partial(other, make=lambda _: None), 'labels.h5: holds no configuration'),
    'nothing but the first bytes': (
        partial(raw, content=b'\x89HDF\r\n\x1a\n' + b'\xff' * 5000),
        'labels.h5: not an HDF5',
    ),
    'half of a file': (partial(torn, keep=0.5), 'labels.h5: not an HDF5 file in the ANI layout, or damaged'),
    'a tenth of a file': (partial(torn, keep=0.1), 'labels.h5: not an HDF5 file in the ANI layout, or damaged'),
}
