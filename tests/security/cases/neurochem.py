"""NeuroChem folders: names of files, links, sizes and compressed content."""

from __future__ import annotations

import bz2
import os
from functools import partial

import numpy as np

from aiida_anial.formats.ensembles import write_ensemble

NETWORK = 'train0/networks/ANN-Al.nnf'
WEIGHTS = 'train0/networks/ANN-Al.nnf-l1.wparam'


def changed(world, name, change):
    """Import a model with one file changed."""
    folder = world.folder / 'model'
    write_ensemble(folder, world.ensemble, file_format='neurochem')
    path = next(folder.glob(name))
    if isinstance(change, bytes):
        path.write_bytes(change)
    else:
        change(path)
    return ('import-model', folder)


def replaced(old, new):
    """Return a change of the text, which must contain the old part."""

    def change(path):
        text = path.read_text()
        assert old in text, text
        path.write_text(text.replace(old, new, 1))

    return change


def in_network(old, new):
    """Return a change of the compressed text of a network."""

    def change(path):
        text = bz2.decompress(path.read_bytes().partition(b'=\n')[2])
        assert old in text
        path.write_bytes(b'1=\n' + bz2.compress(text.replace(old, new, 1)))

    return change


def unpacked(n_bytes):
    """Return a change to compressed text that expands to many bytes."""
    return lambda path: path.write_bytes(b'1=\n' + bz2.compress(bytes(n_bytes)))


def linked(target):
    """Return a change to a link."""

    def change(path):
        if target == 'outside':
            (path.parents[3] / 'secret').write_bytes(path.read_bytes())
            goal = '../../../secret'
        else:
            goal = target
        path.unlink()
        path.symlink_to(goal)

    return change


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def elsewhere(path):
    """Move the networks outside the model folder, and leave a link to them."""
    networks = path.parent
    networks.rename(networks.parents[2] / 'networks')
    networks.symlink_to('../../networks')


def sparse(path):
    with path.open('r+b') as file:
        file.truncate(2**34)


_CODE = "__import__('os').system('touch canary')"

_CHANGES = {
    'a name that leads out': (
        NETWORK,
        in_network(b'FILE:ANN-Al', b'FILE:../../../../etc/ANN-Al'),
        'does not name a file',
    ),
    'a name from the root': (
        NETWORK,
        in_network(b'FILE:ANN-Al.nnf-l1.wparam', b'FILE:/etc/passwd'),
        'does not name a file',
    ),
    'a name that calls': (NETWORK, in_network(b'FILE:ANN-Al', b'FILE:$(touch canary)'), 'does not name a file'),
    'a name of two dots': (NETWORK, in_network(b'FILE:ANN-Al.nnf-l1.wparam', b'FILE:..'), 'networks/..: is not a file'),
    'an element that leads out': ('*.params', replaced('[Al]', '[../../../../x]'), "'../../../../x' is not a chemical"),
    'an element that calls': ('*.params', replaced('[Al]', '[$(touch canary)]'), "'$(touch canary)' is not a chemical"),
    'an element with an escape sequence': ('*.params', replaced('[Al]', '[\x1b[2J]'), 'is not a chemical symbol'),
    'copper': ('*.params', replaced('[Al]', '[Cu]'), 'has no self energy of Cu'),
    'two elements': ('*.params', replaced('[Al]', '[Al,Cu]'), 'describes 2 elements where one is needed'),
    'code for a constant': ('*.params', replaced('Rcr = ', f'Rcr = {_CODE} #'), 'not a NeuroChem file of one element'),
    'a constant that is no number': ('*.params', replaced('Rcr = ', 'Rcr = nan #'), 'not a NeuroChem file'),
    'a constant without end': ('*.params', replaced('Rcr = 5.0', 'Rcr = inf'), 'not a NeuroChem file of one element'),
    'constants of two megabytes': ('*.params', b'\n' * 2**21, 'has 2097152 bytes where at most 1048576 are allowed'),
    'a megabyte of empty lines': ('*.params', b'\n \t' * 300_000, 'not a NeuroChem file of one element, or damaged'),
    'code for a self energy': (
        'sae*.dat',
        f'Al,0={_CODE}\n'.encode(),
        'not a NeuroChem file of one element, or damaged',
    ),
    'a self energy of another element': ('sae*.dat', b'Cu,0=-2.0\n', 'has no self energy of Al'),
    'a gigabyte compressed to nothing': (NETWORK, unpacked(2**28), 'has more than 1048576 bytes of text'),
    'a megabyte without a semicolon': (
        NETWORK,
        lambda path: path.write_bytes(b'1=\n' + bz2.compress(b'layer' + b'a=' * 500_000)),
        'not a NeuroChem file of one element, or damaged',
    ),
    'a network that is no archive': (NETWORK, b'$(touch canary)', 'not a NeuroChem file of one element, or damaged'),
    'a network of wrong sizes': (NETWORK, in_network(b'nodes=8;', b'nodes=9;'), 'bytes where'),
    'a network of a million million neurons': (NETWORK, in_network(b'nodes=8;', b'nodes=%d;' % 10**12), 'bytes where'),
    'a network of fewer than no neurons': (NETWORK, in_network(b'nodes=8;', b'nodes=-8;'), 'bytes where'),
    'another activation': (
        NETWORK,
        in_network(b'activation=9;', b'activation=5;'),
        'where CELU (9) and a linear layer',
    ),
    'a link out of the folder': (WEIGHTS, linked('outside'), 'is a link to a file outside the folder of the model'),
    'a link to a device': (WEIGHTS, linked('/dev/zero'), 'is a link to a file outside the folder of the model'),
    'a link to itself': (WEIGHTS, linked('ANN-Al.nnf-l1.wparam'), 'ANN-Al.nnf-l1.wparam: '),
    'a link to the passwords': ('sae*.dat', linked('/etc/passwd'), 'is a link to a file outside the folder'),
    'networks that are elsewhere': (NETWORK, elsewhere, 'is a link to a file outside the folder of the model'),
    'a pipe': (WEIGHTS, pipe, 'ANN-Al.nnf-l1.wparam: is not a file'),
    'weights of gigabytes': (WEIGHTS, sparse, 'bytes where at most 268435456 are allowed'),
    'weights that are no numbers': (
        WEIGHTS,
        lambda path: path.write_bytes(np.full(path.stat().st_size // 4, np.nan, '<f4').tobytes()),
        'a number in it is not finite',
    ),
    'one weight too few': (WEIGHTS, lambda path: path.write_bytes(path.read_bytes()[:-4]), 'bytes where'),
}

CASES = {name: (partial(changed, name=file, change=change), said) for name, (file, change, said) in _CHANGES.items()}
