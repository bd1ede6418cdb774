"""Ensembles as safetensors: shapes, types, numbers, offsets and headers."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
from safetensors.numpy import load, save

from aiida_anial.potential.potential import potential_bytes

NAME = 'model.safetensors'


def header_of(data):
    size = int.from_bytes(data[:8], 'little')
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def packed(header, rest):
    """Return a file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, 'little') + text + rest


def raw(world, make):
    return ('import-model', world.write(NAME, make(potential_bytes(world.ensemble))))


def arrays(world, change):
    """Import networks with changed arrays."""
    data = potential_bytes(world.ensemble)
    found = load(data)
    change(found)
    return ('import-model', world.write(NAME, save(found, header_of(data)[0]['__metadata__'])))


def described(world, change):
    """Import networks with a changed description."""
    header, rest = header_of(potential_bytes(world.ensemble))
    inner = json.loads(header['__metadata__']['anial'])
    change(inner)
    header['__metadata__']['anial'] = json.dumps(inner)
    return ('import-model', world.write(NAME, packed(header, rest)))


def setting(**values):
    """Return a change of the description; a double underscore in a name leads into a nested mapping."""

    def change(inner):
        for key, value in values.items():
            *path, last = key.split('__')
            place = inner
            for part in path:
                place = place[part]
            place[last] = value

    return change


def with_array(name, make):
    def change(found):
        found[name] = make(found[name])

    return change


def filled(value):
    """Return a change that sets the first number of the arrays."""

    def make(array):
        array = array.copy()
        array.flat[0] = value
        return array

    return make


def offsets(begin, end):
    """Return a change of the offsets of an array in the file."""

    def change(data):
        header, rest = header_of(data)
        header['weight_1']['data_offsets'] = [begin, end]
        return packed(header, rest)

    return change


def overlapping(data):
    """Let two arrays overlap."""
    header, rest = header_of(data)
    start, _ = header['weight_0']['data_offsets']
    begin, end = header['weight_1']['data_offsets']
    header['weight_1']['data_offsets'] = [start, start + end - begin]
    return packed(header, rest)


def shaped(shape, dtype='F64'):
    def change(data):
        header, rest = header_of(data)
        header['weight_1'] |= {'shape': shape, 'dtype': dtype}
        return packed(header, rest)

    return change


def in_metadata(text):
    def change(data):
        header, rest = header_of(data)
        header['__metadata__']['anial'] = text
        return packed(header, rest)

    return change


_NOT_OURS = f'{NAME}: not a safetensors file written by aiida-anial'

_RAW = {
    'a header beyond the file': (lambda data: (2**40).to_bytes(8, 'little') + data[8:], _NOT_OURS),
    'a header beyond any file': (lambda data: b'\xff' * 8 + data[8:], _NOT_OURS),
    'a header of nothing': (lambda data: (0).to_bytes(8, 'little') + data[8:], _NOT_OURS),
    'a header of fifty million brackets': (lambda data: packed(b'[' * 50_000_000, b''), _NOT_OURS),
    'a header of brackets': (lambda data: packed(b'{"a":' * 100_000, b''), _NOT_OURS),
    'a description of brackets': (in_metadata('[' * 100_000), _NOT_OURS),
    'a description that is a command': (in_metadata('$(touch canary)'), _NOT_OURS),
    'a description with an escape sequence': (in_metadata('{"kind": "\\u001b[2J"}'), _NOT_OURS),
    'arrays that overlap': (overlapping, _NOT_OURS),
    'an array beyond the end': (offsets(0, 2**50), _NOT_OURS),
    'an array from its end to its beginning': (offsets(800, 0), _NOT_OURS),
    'a shape beyond any': (shaped([2**40, 2**40]), _NOT_OURS),
    'a shape below zero': (shaped([-2, 8, 8]), _NOT_OURS),
    'an invalid type': (shaped([2, 8, 8], 'PICKLE'), _NOT_OURS),
    'weights in a type of networks': (shaped([2, 8, 32], 'BF16'), f'{NAME}: '),
    'half of a file': (lambda data: data[: len(data) // 2], _NOT_OURS),
    'something behind the end': (lambda data: data + b'#!/bin/sh\ntouch canary\n', _NOT_OURS),
}

_ARRAYS = {
    'weights of another shape': (
        with_array('weight_1', lambda w: w[:, :-1]),
        'the weights of layer 1 have shape (2, 7, 8)',
    ),
    'weights of a layer on its side': (
        with_array('weight_0', lambda w: w.transpose(0, 2, 1).copy()),
        'weights of layer 0',
    ),
    'weights that are integers': (with_array('weight_1', lambda w: w.astype(np.int32)), 'weights of layer 1 are int32'),
    'weights of half the digits': (
        with_array('bias_0', lambda b: b.astype(np.float16)),
        'biases of layer 0 are float16',
    ),
    'a weight that is no number': (with_array('weight_2', filled(np.nan)), 'weights of layer 2 is not finite'),
    'a bias without end': (with_array('bias_0', filled(-np.inf)), 'biases of layer 0 is not finite'),
    'a layer that is missing': (lambda found: found.pop('bias_1'), "'bias_1' is missing"),
}

_DESCRIBED = {
    'another kind': (setting(kind='\x1b[2Jdataset'), "holds '\\x1b[2Jdataset' where 'ensemble' is needed"),
    'a newer layout': (setting(schema_version=99), 'schema version 99, newer than 1; update aiida-anial'),
    'a layout without end': (setting(schema_version=float('inf')), _NOT_OURS),
    'energies in hartree': (setting(metadata__units={'length': 'angstrom', 'energy': 'hartree'}), 'has units'),
    'copper': (setting(metadata__model__element='Cu'), 'is a model of Cu; only Al is supported'),
    'an element that is a path': (
        setting(metadata__model__element='../../x'),
        "model.element: '../../x' is not allowed",
    ),
    'a self energy that is no number': (
        setting(metadata__self_energy_ev=float('nan')),
        'the self energy is not finite',
    ),
    'a self energy that is text': (setting(metadata__self_energy_ev='$(touch canary)'), 'not an ensemble'),
    'a thousand million members': (
        setting(metadata__model__n_members=10**9),
        'model.n_members: 1000000000 is not allowed',
    ),
    'members without end': (setting(metadata__model__n_members=10**400), 'model'),
    'a thousand million neurons': (
        setting(metadata__model__hidden_layers=[10**9, 8]),
        'model.hidden_layers.0: 1000000000 is not allowed',
    ),
    'a setting that nobody knows': (setting(metadata__model__code='import os'), "model.code: unknown key 'code'"),
    'a description that is a list': (setting(metadata=[1, 2]), 'not an ensemble'),
}

CASES = {name: (partial(raw, make=make), said) for name, (make, said) in _RAW.items()}
CASES |= {name: (partial(arrays, change=change), said) for name, (change, said) in _ARRAYS.items()}
CASES |= {name: (partial(described, change=change), said) for name, (change, said) in _DESCRIBED.items()}
