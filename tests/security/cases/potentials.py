"""EAM files and pseudopotentials: other elements, truncated files, and other kinds of files."""

from __future__ import annotations

import io
import os
from functools import partial

import numpy as np
from aiida import orm
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_anial.pseudopotential import AL_PBE_UPF

N = 50


def eam_text(*, element='Al', n_elements=1, n_rho=N, n_r=N, rows=3 * N, value=0.1):
    """Return the text of a LAMMPS EAM file of one element."""
    lines = ['one', 'two', 'three', f'{n_elements} {element}', f'{n_rho} 0.1 {n_r} 0.1 {0.1 * (N - 1)}']
    numbers = np.linspace(0, value, rows)
    return '\n'.join([*lines, '13 26.98 4.05 fcc', *map(str, numbers)]) + '\n'


def eam(world, content, name='Al.eam.alloy'):
    """Start a campaign with an EAM file as labeller."""
    path = world.write(name, content) if content is not None else name
    return (
        'submit',
        world.write('over.yaml', {'label': {'labeller': 'eam'}}),
        '--protocol',
        'demo',
        '--potential',
        path,
    )


def pipe(world):
    os.mkfifo(world.folder / 'Al.eam.fs')
    return eam(world, None, 'Al.eam.fs')


def upf(world, change, *, md5=None):
    """Start a campaign with a family installed from a changed file."""
    pseudo = UpfData(io.BytesIO(change(AL_PBE_UPF.read_bytes())), filename='Al.upf')
    if md5 is not None:
        pseudo.base.attributes.set('md5', md5)
    # Bypass the checks of aiida-pseudo, as importing an archive does.
    orm.SinglefileData.store(pseudo)
    label = f'Family {pseudo.uuid}'
    PseudoPotentialFamily(label=label).store().add_nodes([pseudo])
    return ('submit', '--protocol', 'demo', '--pseudo-family', label)


def replaced(old, new):
    def change(content):
        assert old in content
        return content.replace(old, new, 1)

    return change


_EAM = {
    'an EAM file of copper': (eam_text(element='Cu'), 'has no aluminium, only Cu'),
    'an EAM file of an escape sequence': (eam_text(element='\x1b[2J'), '--potential: '),
    'half of an EAM file': (eam_text(rows=N), 'not a LAMMPS EAM file (ValueError: 61 words where 161 are needed)'),
    'an EAM file of a million million rows': (eam_text(n_r=10**12), '161 words where 2000000000061 are needed'),
    'an EAM file of a million elements': (eam_text(n_elements=10**6), 'not a LAMMPS EAM file ('),
    'an EAM file of fewer than no rows': (
        eam_text(n_rho=-5),
        'not a LAMMPS EAM file (ValueError: 1 elements and tables',
    ),
    'an EAM file without an end of its numbers': (eam_text(value=np.inf), 'a number is not finite'),
    'an EAM file of nan': (eam_text(value=np.nan), 'a number is not finite'),
    'a script for an EAM file': ('#!/bin/sh\n\n\ntouch canary\n', 'not a LAMMPS EAM file ('),
    'nothing for an EAM file': ('', 'not a LAMMPS EAM file ('),
}

_NUMBER = b'5.'

_UPF = {
    'words for a pseudopotential': (lambda _: b'element="Al" z_valence="3"', 'it has no PP_HEADER'),
    'a script for a pseudopotential': (
        lambda _: b'#!/bin/sh\ntouch canary # element="Al" z_valence="3"\n',
        'it has no PP_HEADER',
    ),
    'half of a pseudopotential': (lambda content: content[: len(content) // 2], 'it has no PP_'),
    'a pseudopotential without its local part': (replaced(b'<PP_LOCAL', b'<PP_LOKAL'), 'it has no PP_LOCAL'),
    'a table that was cut': (lambda content: _cut(content, b'</PP_RHOATOM>'), 'its tables have 1135 (PP_R)'),
    'a table with nan': (
        lambda content: _cut(content, b'</PP_RHOATOM>', b' nan '),
        'a number in PP_RHOATOM is not finite',
    ),
    'entities that grow to gigabytes': (
        lambda content: b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + content,
        'it declares entities, which no pseudopotential does',
    ),
    'an entity that is a file': (
        lambda content: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + content,
        'it declares entities, which no pseudopotential does',
    ),
    'a pseudopotential of magnesium inside': (
        # aiida-pseudo takes the first text that looks like an element.
        lambda content: b'<!-- element="Al" -->' + content.replace(b'element="Al"', b'element="Mg"'),
        'it is of Mg and not of Al',
    ),
}


def _cut(content, before, instead=b''):
    """Return the content without the last number before something."""
    start, end = content.split(before, 1)
    return start.rstrip()[: -len(start.split()[-1])] + instead + before + end


CASES = {name: (partial(eam, content=content), said) for name, (content, said) in _EAM.items()}
CASES |= {name: (partial(upf, change=change), said) for name, (change, said) in _UPF.items()}
CASES |= {
    'a pipe for an EAM file': (pipe, 'Al.eam.fs'),
    'an EAM file with another ending': (
        partial(eam, content=eam_text(), name='Al.eam'),
        "'Al.eam' must end in .eam.fs",
    ),
    'an EAM file with an escape sequence in its name': (
        partial(eam, content=eam_text(), name='\x1b[2J.eam.fs'),
        'has characters that cannot be printed',
    ),
    'a pseudopotential that was changed after it was stored': (
        partial(upf, change=replaced(b'PBE', b'LDA'), md5='0' * 32),
        'its MD5 differs from the stored one',
    ),
}
