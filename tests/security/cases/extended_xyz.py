"""Datasets as text: fields, counts, numbers, units and cells."""

from __future__ import annotations

import re
from functools import partial

import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, GPa, Hartree

_NINES = '9' * 5000


def foreign(world, *, name='labels.extxyz', change=lambda text: text, **factors):
    """Import foreign labels with scaled numbers and changed text."""
    images = []
    for image in world.images:
        copy = image.copy()
        results = {key: getattr(image, f'get_{call}')() for key, call in _CALLS.items()}
        copy.set_cell(image.cell.array * factors.get('lengths', 1.0), scale_atoms=True)
        copy.calc = SinglePointCalculator(
            copy, **{key: value * factors.get(key, 1.0) for key, value in results.items()}
        )
        images.append(copy)
    path = world.folder / name
    # Written through a stream, because ASE interprets parts of a file name.
    with path.open('w') as file:
        ase.io.write(file, images, format='extxyz')
    text = path.read_text()
    changed = change(text)
    assert changed != text or factors
    path.write_text(changed)
    return world.importing(path)


_CALLS = {'energy': 'potential_energy', 'forces': 'forces', 'stress': 'stress'}


def replacing(old, new, count=1):
    """Return a change of the text, which must contain the old part."""

    def change(text):
        assert re.search(old, text), old
        return re.sub(old, lambda _: new, text, count=count)

    return change


def moved(atom, position):
    """Return a change that moves one atom of the first configuration."""

    def change(text):
        lines = text.splitlines(keepends=True)
        words = lines[2 + atom].split()
        lines[2 + atom] = ' '.join([words[0], *position, *words[4:]]) + '\n'
        return ''.join(lines)

    return change


def of_lattice(make):
    """Return a change of the lattice of the first configuration, without moving the atoms."""

    def change(text):
        found = re.search('Lattice="([^"]*)"', text)
        lattice = make(np.array(found[1].split(), dtype=float).reshape(3, 3))
        return text.replace(found[0], 'Lattice="' + ' '.join(map(str, lattice.ravel())) + '"', 1)

    return change


def crowd(world, *, n_atoms, width):
    """Import atoms so close together that each is a neighbour of all others."""
    generator = np.random.default_rng(0)
    rows = ''.join('Al {} {} {} 0 0 0\n'.format(*generator.uniform(0, width, 3)) for _ in range(n_atoms))
    comment = (
        'Lattice="40 0 0 0 40 0 0 0 40" Properties=species:S:1:pos:R:3:forces:R:3 energy=0 stress="0 0 0 0 0 0 0 0 0"'
    )
    return world.importing(world.write('labels.extxyz', f'{n_atoms}\n{comment}\n{rows}'))


def ours(world, change=None, **header):
    """Import labels from a file in the layout of this package."""
    path = world.exported('labels.extxyz', 'extxyz', **header)
    if change is not None:
        path.write_text(change(path.read_text()))
    return ('import', 'dataset', path)


_FIELDS = {
    'a command for an element': (replacing('\nAl ', '\n$(touch${IFS}canary) '), 'labels.extxyz: not an extended XYZ'),
    'a command between quotes': (
        replacing('energy=', 'energy="`touch canary`" was='),
        'labels.extxyz: not an extended',
    ),
    'commands for a key and an energy': (
        replacing('energy=', ';touch;canary;="1" energy="|touch canary" was='),
        'labels',
    ),
    'a command for a count': (
        replacing('^4\n', '$(touch canary)\n'),
        "begins with '$(touch canary)' and not its number",
    ),
    'an escape sequence for an element': (replacing('\nAl ', '\n\x1b]0;x\x07\x1b[2J '), 'not an extended XYZ file'),
    'an escape sequence for an energy': (replacing('energy=', 'energy="\x1b[31m" was='), 'not an extended XYZ file'),
    'an escape sequence for a count': (replacing('^4\n', '\x1b[2J\n'), "begins with '\\x1b[2J' and not its number"),
    'an element in other letters': (replacing('\nAl ', '\n\u0410l '), 'not an extended XYZ file'),
    'copper': (replacing('\nAl ', '\nCu '), 'configuration 1: species: has Cu where only Al is known'),
    'an alloy': (replacing('\nAl ', '\nMg '), 'configuration 1: species: has Mg where only Al is known'),
    'one atom less than counted': (replacing('\n4\n', '\n5\n'), 'begins with '),
    'one atom more than counted': (replacing('\n4\n', '\n3\n'), "begins with 'Al "),
    'the last atom cut off': (lambda text: text[: text.rstrip().rindex('\n')], 'configuration 10 has 3 of its 4 atoms'),
    'no atoms': (replacing('^4\n', '0\n'), 'begins with '),
    'fewer than no atoms': (replacing('^4\n', '-4\n'), "begins with '-4' and not its number of atoms"),
    'a count of full width': (replacing('^4\n', '\uff14\n'), 'and not its number of atoms'),
    'a count beyond any': (replacing('^4\n', f'{_NINES}\n'), 'not an extended XYZ file, or damaged (Exceeds the limit'),
    'a thousand million columns': (replacing('forces:R:3', 'forces:R:3:x:R:1_000_000_000'), 'columns are declared'),
    'no lattice': (replacing('Lattice="[^"]*" ', ''), 'configuration 1: lattice: the cell has no volume'),
    'a lattice of eight numbers': (replacing('Lattice="[^ ]* ', 'Lattice="'), 'expecting special 3x3 matrix'),
    'a position that is no number': (moved(0, ('nan', '0', '0')), 'configuration 1: positions: a value is not finite'),
    'a position beyond any': (moved(0, ('1e300', '0', '0')), 'configuration 1: positions: a value is beyond 1e+06'),
    'an energy without end': (
        replacing('energy=[^ ]*', 'energy=inf'),
        'configuration 1: energy: a value is not finite',
    ),
    'a stress that is no number': (replacing('stress="[^ ]*', 'stress="nan'), 'stress: a value is not finite'),
    'text for an energy': (replacing('energy=[^ ]*', 'energy=low'), 'labels.extxyz: not an extended XYZ file'),
    'brackets in brackets in JSON': (
        replacing('energy=', 'x="_JSON ' + '{\\"a\\":' * 5000 + '1' + '}' * 5000 + '" energy='),
        'labels.extxyz: not an extended XYZ file, or damaged (maximum recursion depth',
    ),
    'a comment of five million letters': (replacing('energy=', 'x' * 5_000_000 + '=1 energy='), 'a line has more than'),
    'a left-handed cell': (of_lattice(lambda lattice: lattice[[1, 0, 2]]), 'lattice: the cell is left-handed'),
    'a cell without a volume': (of_lattice(lambda lattice: lattice[[0, 0, 2]]), 'lattice: the cell has no volume'),
    'a cell that is flat': (of_lattice(lambda lattice: np.diag([1e-2, 1, 1]) @ lattice), 'angstrom thin'),
    'a lattice beyond any': (of_lattice(lambda lattice: 1e200 * lattice), 'lattice: a value is beyond 1e+06 angstrom'),
    'an atom that is there twice': (
        lambda text: moved(1, text.splitlines()[2].split()[1:4])(text),
        'configuration 1: positions: two atoms are 0.00 angstrom apart',
    ),
    'atoms closer than any': (
        lambda text: moved(1, [str(float(x) + 0.2) for x in text.splitlines()[2].split()[1:4]])(text),
        'configuration 1: positions: two atoms are 0.35 angstrom apart',
    ),
}

_UNITS = {
    'energies, forces and stresses in hartree': (
        dict.fromkeys(('energy', 'forces', 'stress'), 1 / Hartree),
        'forces: looks like hartree/',
    ),
    'energies converted from hartree twice': (
        {'energy': Hartree},
        'or eV converted as if from hartree, (',
    ),
    'forces converted from hartree twice': ({'forces': Hartree}, 'forces: looks like'),
    'forces in hartree over bohr': ({'forces': Bohr / Hartree}, 'forces: looks like hartree/bohr'),
    'forces in Ry over bohr': ({'forces': 2 * Bohr / Hartree}, 'forces: looks like '),
    'positions in bohr': ({'lengths': 1 / Bohr}, 'positions: look like bohr'),
    'positions converted from bohr twice': ({'lengths': Bohr}, 'positions: look as if bohr had been converted twice'),
    'positions in nm': ({'lengths': 0.1}, 'lattice: the cell is 0.39 angstrom thin'),
    'gradients for forces': ({'forces': -1.0}, 'forces: looks as if the sign were reversed'),
    'pressures for stresses': ({'stress': -1.0}, 'stress: looks as if the sign were reversed'),
    'stresses in GPa': ({'stress': 1 / GPa}, 'stress: looks like GPa'),
    'energies in kJ/mol': ({'energy': 96.485}, 'energy: looks like kJ/mol'),
}

_OURS = {
    'levels of theory that are a list': ({'levels_of_theory': [1, 2]}, 'header: levels_of_theory: is a list'),
    'a level of theory that is a number': (
        {'levels_of_theory': {'theory_0': 7}},
        'level_of_theory: 7 is not a mapping',
    ),
    'a level of theory with an escape sequence': (
        {'levels_of_theory': {'theory_0': {'code': 'pw\x1b[2J'}}},
        "header: 'pw\\x1b[2J' has characters that cannot be printed",
    ),
    'a key with an escape sequence': ({'\x1b]0;x\x07': 1}, 'has characters that cannot be printed'),
    'shards that are no UUIDs': ({'shards': ['%']}, 'header: shards: is not a list of UUIDs'),
    'shards that are a text': ({'shards': '../../etc'}, 'header: shards: is not a list of UUIDs'),
}

_OUR_TEXTS = {
    'an iteration beyond 64 bits': (
        replacing('iteration=0', f'iteration={10**30}'),
        'labels.extxyz: not an extended XYZ',
    ),
    'an iteration of five thousand digits': (replacing('iteration=0', f'iteration={_NINES}'), 'labels.extxyz: '),
    'an origin that calls': (replacing('origin=random', 'origin="$(touch canary)"'), "'$(touch canary)' is not a name"),
    'an origin from right to left': (replacing('origin=random', 'origin="\u202emodnar"'), 'is not a name of 1 to 64'),
    'a UUID that is a path': (
        replacing('calculation=[^ ]*', 'calculation=../../etc/passwd'),
        'calculation: badly formed',
    ),
    'a header with nan': (replacing('energy\\\\": \\\\"eV', 'energy\\": NaN, \\"x\\": \\"eV'), 'header: has units'),
    'a newer format': (
        replacing('format_version\\\\": 2', 'format_version\\": 99'),
        'newer than 2; update aiida-anial',
    ),
    'an atom that was moved': (moved(0, ('0.5', '0.5', '0.5')), 'content_hash: is not that of the lattice'),
}

CASES = {name: (partial(foreign, change=change), said) for name, (change, said) in _FIELDS.items()}
CASES |= {name: (partial(foreign, **factors), said) for name, (factors, said) in _UNITS.items()}
CASES |= {name: (partial(ours, **header), said) for name, (header, said) in _OURS.items()}
CASES |= {name: (partial(ours, change=change), said) for name, (change, said) in _OUR_TEXTS.items()}
CASES |= {
    'forces larger than the limit': (
        lambda world: (*foreign(world, forces=1.0), '--max-force', '1e-6'),
        'no label is valid',
    ),
    'two thousand atoms in one place': (partial(crowd, n_atoms=2000, width=1e-3), 'labels.extxyz: '),
    'twenty thousand atoms in one place': (
        partial(crowd, n_atoms=20_000, width=1.0),
        'has 20000 atoms where at most 2000 are',
    ),
    'a name that calls': (
        partial(foreign, name='$(touch canary);touch canary;.extxyz', change=replacing('\nAl ', '\nCu ')),
        'has Cu where only Al is known',
    ),
    'a name with an escape sequence': (
        partial(foreign, name='\x1b[2J\n.extxyz', change=replacing('\nAl ', '\nAl  ')),
        "filename: '\\x1b[2J\\n.extxyz' has characters that cannot be printed",
    ),
    'a name from right to left': (
        partial(foreign, name='\u202ezyxtxe.db', change=replacing('\nAl ', '\nAl  ')),
        "filename: '\\u202ezyxtxe.db' has characters that cannot be printed",
    ),
}
