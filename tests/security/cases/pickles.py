"""Pickles, archives and scripts in place of every file that is read: none is ever loaded, unpacked or run."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from functools import partial

import numpy as np
import torch


class Evil:
    """An object that creates a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch canary',)


def saved(write):
    """Return the bytes that a function writes to a stream."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def zipped(stream):
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('../canary', 'x')
        archive.writestr('/tmp/canary', 'x')


def packed(stream):
    with tarfile.open(fileobj=stream, mode='w:gz') as archive:
        for name in ('../canary', 'canary'):
            archive.addfile(tarfile.TarInfo(name))


CONTENTS = {
    'a pickle': pickle.dumps(Evil()),
    'a pickle in letters': pickle.dumps(Evil(), protocol=0),
    'a model of torch': saved(lambda stream: torch.save(Evil(), stream)),
    'an old model of torch': saved(lambda stream: torch.save(Evil(), stream, _use_new_zipfile_serialization=False)),
    'objects of numpy': saved(lambda stream: np.save(stream, np.array([Evil()], dtype=object), allow_pickle=True)),
    'many objects of numpy': saved(lambda stream: np.savez(stream, a=np.array([Evil()], dtype=object))),
    'a zip archive that leads out': saved(zipped),
    'a tar archive that leads out': saved(packed),
    'a script': b'#!/bin/sh\ntouch canary\n',
}


def dataset(world, content, *options):
    return world.importing(world.write('labels', content), *options)


def forced(world, content, file_format):
    return dataset(world, content, '--format', file_format)


def model(world, content):
    return ('import-model', world.write('model.pt', content))


def folder(world, content):
    """Import a NeuroChem folder in which every file has this content."""
    for name in ('x.params', 'sae_linfit.dat', 'train0/networks/ANN-Al.nnf'):
        world.write(f'model/{name}', content)
    return ('import-model', 'model')


def level(world, content):
    return (
        'import',
        'dataset',
        world.write('labels.extxyz', '1\n\nAl 0 0 0\n'),
        '--level-of-theory',
        world.write('t', content),
    )


def whence(world, content):
    return ('whence', world.write('labels.extxyz', content))


def potential(world, content):
    overrides = world.write('over.yaml', {'label': {'labeller': 'eam'}})
    return ('submit', overrides, '--protocol', 'demo', '--potential', world.write('Al.eam.alloy', content))


def settings(world, content):
    return ('submit', world.write('over.yaml', content), '--protocol', 'demo')


_READERS = {
    'a dataset': (dataset, 'labels: '),
    'a model': (model, 'model.pt: not a safetensors file'),
    'a folder': (folder, 'model'),
    'an origin': (whence, 'labels.extxyz: no export of this profile wrote it, and it is not a dataset'),
    'a potential': (potential, '--potential: '),
    'settings': (settings, 'over.yaml: '),
}

CASES = {
    f'{content} for {reader}': (partial(read, content=CONTENTS[content]), text)
    for content in CONTENTS
    for reader, (read, text) in _READERS.items()
}
CASES |= {
    f'a pickle for {file_format}': (partial(forced, content=CONTENTS['a pickle'], file_format=file_format), 'labels: ')
    for file_format in ('extxyz', 'hdf5', 'ase_db')
}
CASES['a pickle for a level of theory'] = (partial(level, content=CONTENTS['a pickle']), 'labels.extxyz: ')
