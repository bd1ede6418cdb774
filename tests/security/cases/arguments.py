"""Arguments of the command line: names of files, numbers, nodes."""

from __future__ import annotations

from functools import partial

import ase.io
import numpy as np
from aiida import orm
from aiida.common import LinkType

from aiida_anial.data.ensemble import EnsembleData

BEYOND = 10**30


def said(*arguments):
    """Return a case that runs this command."""
    return lambda world: arguments


def export_ensemble(world, name):
    """Export an ensemble under a name."""
    node = EnsembleData(world.ensemble).store()
    (world.folder / 'there').mkdir()
    return ('export', 'ensemble', node.pk, name, '--format', 'safetensors')


def limited(world, value):
    ase.io.write('labels.extxyz', world.images, format='extxyz')
    return world.importing('labels.extxyz', '--max-force', value)


def process(world, *, kind=orm.CalcFunctionNode, process_type, sealed=True):
    """Reproduce a process that could come from an archive."""
    node = kind(process_type=process_type)
    node.set_process_label('collect_labels')
    node.base.links.add_incoming(orm.Dict({'command': 'touch canary'}).store(), LinkType.INPUT_CALC, 'settings')
    node.store()
    node.set_process_state('finished')
    node.set_exit_status(0)
    if sealed:
        node.seal()
    return ('reproduce', node.pk)


def left_handed(world):
    """Import a calculation of a left-handed cell."""
    lattice = 4.05 * np.eye(3)[[1, 0, 2]]
    structure = orm.StructureData(cell=lattice.tolist())
    structure.append_atom(position=(0, 0, 0), symbols='Al')
    node = orm.CalcJobNode(
        computer=orm.load_computer('localhost'), process_type='aiida.calculations:quantumespresso.pw'
    )
    node.base.links.add_incoming(structure.store(), LinkType.INPUT_CALC, 'structure')
    node.set_process_label('PwCalculation')
    node.store()
    node.set_process_state('finished')
    node.set_exit_status(0)
    return ('import', 'calculations', node.pk)


def pw_is_a_function(world):
    """Import a calculation function that claims to be a pw.x calculation."""
    _, pk = process(world, process_type='aiida.calculations:quantumespresso.pw')
    orm.load_node(pk).base.extras.set('process_label', 'PwCalculation')
    return ('import', 'calculations', pk)


_NAMES = {
    'a name with an escape sequence': (
        'there/\x1b[2J.st',
        "filename: '\\x1b[2J.st' has characters that cannot be printed",
    ),
    'a name of two lines': ('a\nb.st', "filename: 'a\\nb.st' has characters that cannot be printed"),
    'a name from right to left': ('\u202ets.x', "filename: '\\u202ets.x' has characters that cannot be printed"),
    'a name that is too long': ('x' * 252, 'is longer than 250 bytes'),
    'a name with another separator': ('..\\..\\x.st', 'is not the name of a file in a folder'),
    'an existing folder': ('there', 'it exists already'),
    'the folder above': ('..', "filename: '..' is not the name of a file in a folder"),
    'a missing folder': ('nowhere/x.st', 'nowhere'),
    'a name in a file': ('over.yaml/x.st', 'there is no folder over.yaml'),
}

_REPRODUCED = {
    'a process that calls the system': ('os.system', 'is not a step of aiida-anial'),
    'a process of a module of the archive': ('canary.evil', 'is not a step of aiida-anial'),
    'a process that looks like one': ('aiida_anial_evil.collect_labels', 'is not a step of aiida-anial'),
    'a process with two names': ('aiida.calculations:os.system', 'is not a step of aiida-anial'),
    'a process of arithmetic': ('aiida.calculations:core.arithmetic.add', 'is not a step of aiida-anial'),
}

CASES = {f'export: {name}': (partial(export_ensemble, name=file), text) for name, (file, text) in _NAMES.items()}
CASES |= {
    f'reproduce: {name}': (partial(process, process_type=kind), text) for name, (kind, text) in _REPRODUCED.items()
}
CASES |= {
    'export: an unknown format': (said('export', 'dataset', 'x.pkl'), "'x.pkl' does not end in"),
    'reproduce: a process that has not ended': (
        partial(process, process_type='aiida_anial.calcfunctions.collect_labels.collect_labels', sealed=False),
        'it has not ended yet',
    ),
    'reproduce: a job of somebody else': (
        partial(process, kind=orm.CalcJobNode, process_type='aiida.calculations:core.shell'),
        'is not a step of aiida-anial',
    ),
    'a limit that is no number': (partial(limited, value='nan'), 'nan is not a finite number'),
    'a limit without end': (partial(limited, value='inf'), "Invalid value for '--max-force'"),
    'a limit below zero': (partial(limited, value='-1'), "Invalid value for '--max-force'"),
    'a seed below zero': (said('submit', '--protocol', 'demo', '--seed', '-1'), 'seed: -1 is not allowed'),
    'a seed beyond 64 bits': (said('submit', '--protocol', 'demo', '--seed', BEYOND), f'seed: {BEYOND} is not allowed'),
    'a teacher beyond any': (
        lambda world: (
            'submit',
            world.write('over.yaml', {'label': {'labeller': 'ensemble'}}),
            '--protocol',
            'demo',
            '--teacher',
            BEYOND,
        ),
        f"--teacher: there is no node '{BEYOND}'",
    ),
    'a dataset beyond any': (said('submit', '--protocol', 'demo', '--dataset', BEYOND), '--dataset: there is no node'),
    'a code beyond any': (said('submit', '--protocol', 'demo', '--pw-code', BEYOND), '--pw-code: there is no code'),
    'an ensemble beyond any': (
        said('export', 'ensemble', BEYOND, 'x.st', '--format', 'safetensors'),
        f"PK: there is no node '{BEYOND}'",
    ),
    'calculations beyond any': (said('import', 'calculations', BEYOND), f"PKS: there is no node '{BEYOND}'"),
    'a campaign beyond any': (said('status', BEYOND), f"PK: there is no node '{BEYOND}'"),
    'a step beyond any': (said('reproduce', BEYOND), f"PK: there is no node '{BEYOND}'"),
    'a past beyond any': (said('submit', '--continue-from', BEYOND), f"--continue-from: there is no node '{BEYOND}'"),
    'a subject beyond any': (said('benchmark', BEYOND), f"there is no node and no file '{BEYOND}'"),
    'a node that is a command': (said('import', 'calculations', '$(touch canary)'), "no node '$(touch canary)'"),
    'a node that is SQL': (said('import', 'calculations', "1' OR '1'='1"), 'PKS: there is no node'),
    'a label with an escape sequence': (
        said('export', 'ensemble', '\x1b[2J', 'x.st', '--format', 'safetensors'),
        '\\x1b[2J',
    ),
    'a protocol in other letters': (said('submit', '--protocol', 'dem\u043e'), 'did you mean'),
    'a left-handed cell': (left_handed, 'left-handed'),
    'a function for a calculation': (pw_is_a_function, 'is a collect_labels, not a PwCalculation'),
}
