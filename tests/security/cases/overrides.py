"""YAML files: overrides and levels of theory."""

from __future__ import annotations

import os
import pickle
from functools import partial
from itertools import pairwise

import ase.io


class Evil:
    """An object that creates a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch canary',)


PICKLE = pickle.dumps(Evil())
_LAUGHS = 'a: &a [x, x]\n' + ''.join(f'{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n' for a, b in pairwise('abcdefghi'))


def over(content, world, *, name='over.yaml'):
    """Start a campaign with these overrides."""
    return ('submit', world.write(name, content), '--protocol', 'demo')


def theory(content, world):
    """Import labels with this level of theory."""
    ase.io.write('labels.extxyz', world.images, format='extxyz')
    return ('import', 'dataset', 'labels.extxyz', '--level-of-theory', world.write('theory.yaml', content))


def pipe(world):
    os.mkfifo(world.folder / 'pipe.yaml')
    return ('submit', 'pipe.yaml')


def huge(world):
    """Start a campaign with a sparse file of a terabyte as overrides."""
    with (world.folder / 'huge.yaml').open('wb') as file:
        file.truncate(2**34)
    return ('submit', 'huge.yaml')


_OVERRIDES = {
    'aliases that grow to gigabytes': (_LAUGHS, 'over.yaml: not valid YAML (line 2: aliases (*name) are not supported'),
    'an alias in a merge key': ('a: &a {b: 1}\nc: {<<: *a}', 'aliases (*name) are not supported'),
    'an alias of itself': ('a: &a [*a]', 'aliases (*name) are not supported'),
    'a hundred thousand brackets': ('[' * 100_000, 'over.yaml: not valid YAML (line 1: nested deeper than 32'),
    'a thousand nested mappings': ('{a: ' * 1000 + '1' + '}' * 1000, 'nested deeper than 32'),
    'a text of a megabyte': (
        f'description: {"a" * 2**20}',
        'over.yaml: cannot be read (it has more than 524288 bytes)',
    ),
    'a long text for a number': ({'seed': 'a' * 100_000}, 'seed: '),
    'forty thousand keys': (''.join(f'k{key}: 1\n' for key in range(40_000)) + 'k7: 2', "the key 'k7' is given twice"),
    'a function to call': (
        'seed: !!python/object/apply:os.system ["touch canary"]',
        'could not determine a constructor',
    ),
    'an object to make': (
        'seed: !!python/object/new:subprocess.Popen {args: [touch, canary]}',
        'could not determine a constructor',
    ),
    'a module to import': ('seed: !!python/module:antigravity ""', 'could not determine a constructor'),
    'a name to look up': ('seed: !!python/name:os.system ""', 'could not determine a constructor'),
    'a tuple': ('seed: !!python/tuple [1, 2]', 'could not determine a constructor'),
    'a set': ('seed: !!set {a, b}', 'seed: '),
    'an invalid boolean': ('seed: !!bool perhaps', 'not valid YAML'),
    'an invalid time': ('seed: !!timestamp now', 'not valid YAML'),
    'a key that is a list': ('? [1, 2]\n: 3', 'not valid YAML'),
    'two documents': ('seed: 1\n---\nseed: 2', 'not valid YAML'),
    'a number of a hundred thousand digits': (f'seed: {"9" * 100_000}', 'a number of more than 100 digits'),
    'a number in sixties': ('seed: 1' + ':1' * 50_000, 'a number of more than 100 digits'),
    'a seed beyond 64 bits': ('seed: 9223372036854775808', 'seed: 9223372036854775808 is not allowed'),
    'a seed below zero': ('seed: -9223372036854775808', 'seed: -9223372036854775808 is not allowed'),
    'a seed of exponents': ('seed: 1e400', 'seed: '),
    'an escape sequence': ('description: "\\e]0;title\\a\\e[2J"', 'line 1: a character that cannot be printed'),
    'an escape sequence as it is': (b'description: "\x1b[2J"', 'not valid YAML'),
    'letters from right to left': ('"see\u202ed": 1', 'line 1: a character that cannot be printed'),
    'a letter that looks like another': ('s\u0435ed: 1', "unknown key 's\u0435ed'; did you mean 'seed'?"),
    'a key of nothing but room': ('"\\u200b\\u200b": 1', 'a character that cannot be printed'),
    'a null byte': (b'seed: 1\x00', 'not valid YAML'),
    'no UTF-8': (b'description: \xff\xfe', 'over.yaml: cannot be read'),
    'a pickle': (PICKLE, 'over.yaml: '),
    'a shell command for an engine': (
        {'label': {'engine': '$(touch canary)'}},
        "label.labeller: '$(touch canary)' is not",
    ),
    'a path for a family': ({'label': {'qe': {'pseudo_family': '../../etc/passwd'}}}, "no family '../../etc/passwd'"),
    'a command for a family': ({'label': {'qe': {'pseudo_family': '; touch canary'}}}, "no family '; touch canary'"),
}

_THEORIES = {
    'a theory that calls': ('code: !!python/object/apply:os.system ["touch canary"]', 'theory.yaml: not valid YAML'),
    'a theory with an escape sequence': ('code: "pw\\e[31m.x"', 'theory.yaml: not valid YAML (line 1: a character'),
    'a theory of aliases': (_LAUGHS, 'theory.yaml: not valid YAML (line 2: aliases'),
}

CASES = {name: (partial(over, content), said) for name, (content, said) in _OVERRIDES.items()}
CASES |= {name: (partial(theory, content), said) for name, (content, said) in _THEORIES.items()}
CASES |= {
    'a pipe': (pipe, 'pipe.yaml: cannot be read (it is not a file)'),
    'a sparse file of gigabytes': (huge, 'huge.yaml: cannot be read (it has more than 524288 bytes)'),
    'a name that clears the screen': (
        partial(over, '[1', name='\x1b[2J\x07.yaml'),
        '\\x1b[2J\\x07.yaml: not valid YAML',
    ),
    'a name that calls': (partial(over, '[1', name='$(touch canary);`touch canary`.yaml'), 'not valid YAML'),
}
