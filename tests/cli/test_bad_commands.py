"""Every command with input that is wrong: one sentence that names it, nothing stored, nothing left on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from tests.cli.test_bad_inputs import assert_refused

LONG = '1' * 23
AUTHOR = ('--author', 'Curie, Marie')
# Identifiers of nothing, and of a node of another kind; the latter is made by the fixture `world`.
NOBODY = ('999999', 'nothing', '', LONG, 'INT')

# Commands with an identifier, which is put in place of ONE; what the message must contain.
IDENTIFIED = {
    ('status', 'ONE'): 'PK: ',
    ('watch', 'ONE'): 'PK: ',
    ('release', 'ONE', 'TMP/out', *AUTHOR): 'CAMPAIGN: ',
    ('query', 'labels', '--campaign', 'ONE'): '--campaign: ',
    ('export', 'dataset', 'TMP/x.h5', '--campaign', 'ONE'): '--campaign: ',
    ('submit', '--continue-from', 'ONE'): '--continue-from: ',
    ('submit', '--dataset', 'ONE'): '--dataset: ',
    ('import', 'dataset', 'GOOD', '--campaign', 'ONE'): '--campaign: ',
    ('import', 'calculations', 'ONE'): 'PKS: ',
    ('benchmark', 'ONE'): 'ENSEMBLE: ',
    ('benchmark', '--reference', 'ONE'): '--reference: ',
    ('export', 'ensemble', 'ONE', 'TMP/x.pt', '--format', 'torchscript'): 'PK: ',
    ('export', 'lammps', 'ONE', 'TMP/x'): 'ENSEMBLE: ',
    ('export', 'kim', 'ONE', 'TMP/x'): 'ENSEMBLE: ',
    ('shock', 'ONE'): 'ENSEMBLE: ',
    ('shock', 'ENSEMBLE', '--lmp-code', 'ONE'): '--lmp-code: ',
    ('distil', 'ONE'): 'ENSEMBLE: ',
    ('distil', 'ENSEMBLE', '--campaign', 'ONE'): '--campaign: ',
    ('distil', 'ENSEMBLE', '--worker-code', 'ONE'): '--worker-code: ',
    ('reproduce', 'ONE'): 'PK: ',
    ('submit', '--pw-code', 'ONE'): '--pw-code: ',
    ('submit', '--worker-code', 'ONE'): '--worker-code: ',
    ('plan', '--worker-code', 'ONE'): '--worker-code: ',
    ('benchmark', '--reference', 'qe', '--pw-code', 'ONE'): '--pw-code: ',
    ('benchmark', 'ENSEMBLE', '--worker-code', 'ONE'): '--worker-code: ',
    ('reproduce', 'STEP', '--worker-code', 'ONE'): '--worker-code: ',
}

# Commands that read a file or folder, which is put in place of FILE.
READERS = {
    ('whence', 'FILE'): '',
    ('import', 'dataset', 'FILE'): '',
    ('import-model', 'FILE'): '',
    ('submit', 'FILE'): '',
    ('plan', 'FILE'): '',
    ('benchmark', 'ENSEMBLE', '--settings', 'FILE'): '',
    ('benchmark', 'FILE'): '',
    ('shock', 'ENSEMBLE', '--settings', 'FILE'): '',
    ('shock', 'FILE'): '',
    ('distil', 'ENSEMBLE', '--settings', 'FILE'): '',
    ('distil', 'FILE'): '',
}
FILES: dict[str, bytes | None] = {
    'gone': None,
    'empty.extxyz': b'',
    'noise.yaml': bytes(range(256)),
    'text.safetensors': b'hello world\n',
    'deep.yaml': b'[' * 5000,
}
# No overrides at all are fine.
FINE = {(command, 'empty.extxyz') for command in ('submit', 'plan', 'benchmark', 'shock', 'distil')}

# Commands that write to TARGET.
WRITERS = {
    ('export', 'dataset', 'TARGET', '--format', 'extxyz'): '',
    ('export', 'trajectories', 'TARGET'): '',
    ('export', 'ensemble', 'ENSEMBLE', 'TARGET', '--format', 'neurochem'): '',
    ('export', 'lammps', 'ENSEMBLE', 'TARGET'): '',
    ('export', 'kim', 'ENSEMBLE', 'TARGET'): '',
    ('release', 'CAMPAIGN', 'TARGET', *AUTHOR): '',
    ('shock', '--input', 'TARGET'): '',
}
TARGETS = ('TMP/there', 'TMP/gone/file', 'TMP/' + 'x' * 300, 'TMP/a\x1b[2Jb')

# Everything else: a command, and what the message must contain.
OTHERS: dict[tuple[str, ...], str] = {
    ('query', 'labels', '--limit', '0'): '--limit',
    ('query', 'labels', '--limit', 'many'): '--limit',
    ('query', 'labels', '--sort', 'colour'): 'colour',
    ('query', 'labels', '--n-atoms', 'few'): '--n-atoms',
    ('query', 'labels', '--n-atoms', '5..many'): '--n-atoms',
    ('query', 'labels', '--n-atoms', '9..5'): '--n-atoms',
    ('query', 'labels', '--n-atoms', '..'): '--n-atoms',
    ('query', 'labels', '--n-atoms', ''): '--n-atoms',
    ('query', 'labels', '--n-atoms', '4.5'): '--n-atoms',
    ('query', 'labels', '--energy-ev', 'nan'): '--energy-ev',
    ('query', 'labels', '--created', '2026-13-45'): '--created',
    ('query', 'labels', '--created', 'yesterday'): '--created',
    ('query', 'campaigns', '--converged', 'maybe'): '--converged',
    ('query', 'labels', '--origin', 'elsewhere'): 'origin: ',
    ('query', 'trajectories', '--stop-reason', 'bored'): 'stop_reason: ',
    ('query', 'colours'): "'colours'",
    ('query', 'labels', '--colour', 'red'): '--colour',
    ('export', 'dataset', 'TMP/x.xyz'): '--format: ',
    ('export', 'dataset', 'TMP/x'): '--format: ',
    ('export', 'dataset', 'TMP/x.h5', '--format', 'ase_db'): '--format: ',
    ('export', 'dataset', 'TMP/x.h5', '--format', 'parquet'): '--format',
    ('export', 'dataset', 'TMP/x.h5', '--n-atoms', '1000000..'): 'filters: no label matches',
    ('export', 'dataset', 'TMP/x.h5', '--origin', 'elsewhere'): 'origin: ',
    ('export', 'trajectories', 'TMP/x', '--n-atoms', '1000000..'): 'filters: no trajectory matches',
    ('export', 'trajectories', 'TMP/x', '--format', 'dcd'): '--format',
    ('export', 'ensemble', 'ENSEMBLE', 'TMP/x.onnx'): '--format',
    ('export', 'ensemble', 'ENSEMBLE', 'TMP/x.pt', '--format', 'safetensors'): '--format: ',
    ('export', 'lammps', 'ENSEMBLE', 'TMP/x', '--member', '3'): '--member: 3 is not from 1 to 2',
    ('export', 'lammps', 'ENSEMBLE', 'TMP/x', '--member', '0'): '--member',
    ('export', 'lammps', 'ENSEMBLE', 'TMP/x', '--cpu', 'm1'): '--cpu',
    ('export', 'lammps', 'ENSEMBLE', 'TMP/x', '--dtype', 'float16'): '--dtype',
    ('export', 'lammps', 'ENSEMBLE', 'TMP/x', '--lmp', 'gone'): '--lmp',
    ('export', 'kim', 'ENSEMBLE', 'TMP/Al-laptop'): 'letters, digits and underscores',
    ('setup', '--lmp', 'gone'): 'gone: no such executable',
    ('release', 'CAMPAIGN', 'TMP/out'): '--author',
    ('release', 'CAMPAIGN', 'TMP/out', '--author', 'Curie'): '--author: ',
    ('release', 'CAMPAIGN', 'TMP/out', '--author', 'a, b, c'): '--author: ',
    ('release', 'CAMPAIGN', 'TMP/out', '--author', ', '): '--author: ',
    ('release', 'CAMPAIGN', 'TMP/out', *AUTHOR, '--title', ' '): '--title: ',
    ('release', 'CAMPAIGN', 'TMP/out', *AUTHOR, '--license', 'free'): '--license: ',
    ('release', 'CAMPAIGN', 'TMP/out', *AUTHOR, '--license', 'MIT OR GPL-2.0-only'): '--license: ',
    ('benchmark',): 'ENSEMBLE: ',
    ('benchmark', 'ENSEMBLE', '--properties', 'colour'): 'colour',
    ('benchmark', 'ENSEMBLE', '--properties', ''): 'properties: ',
    ('benchmark', 'ENSEMBLE', '--properties', ','): 'properties: ',
    ('benchmark', 'ENSEMBLE', '--quick', '--properties', 'phonons'): '--quick: ',
    ('benchmark', 'ENSEMBLE', '--max-concurrent', '0'): '--max-concurrent',
    ('benchmark', 'ENSEMBLE', '--reference', 'TMP/gone.eam.fs'): '--reference: ',
    ('benchmark', 'ENSEMBLE', '--json', '--no-wait'): '--json: ',
    ('benchmark', 'ENSEMBLE', '--plots', 'TMP/p', '--no-wait'): '--plots: ',
    ('benchmark', 'ENSEMBLE', '--plots', 'GOOD'): '--plots',
    ('shock',): 'ENSEMBLE: ',
    ('shock', 'ENSEMBLE', '--size', 'huge'): '--size',
    ('shock', 'ENSEMBLE', '--ranks', '0'): '--ranks',
    ('shock', 'ENSEMBLE', '--seed', '-1'): '--seed',
    ('shock', 'ENSEMBLE', '--lmp-code', 'gone'): '--lmp-code: ',
    ('shock', 'ENSEMBLE', '--json', '--no-wait'): '--json: ',
    ('distil',): 'ENSEMBLE',
    ('distil', 'ENSEMBLE', '--seed', '-1'): '--seed',
    ('distil', 'ENSEMBLE', '--campaign', 'gone'): '--campaign: ',
    ('distil', 'ENSEMBLE', '--worker-code', 'gone'): '--worker-code: ',
    ('distil', 'ENSEMBLE', '--json', '--no-wait'): '--json: ',
    ('reproduce', 'STEP', '--budget', '10'): '--budget: ',
    ('reproduce', 'STEP', '--kind', 'function'): '--kind: ',
    ('reproduce', 'STEP', '--kind', 'magic'): '--kind',
    ('reproduce', 'CAMPAIGN'): '--recursive',
    ('reproduce', 'CAMPAIGN', '--recursive', '--budget', '-1'): '--budget',
    ('reproduce', 'CAMPAIGN', '--recursive', '--budget', 'nan'): '--budget',
    ('reproduce', 'CAMPAIGN', '--recursive', '--budget', '0'): 'budget',
    ('reproduce', 'CAMPAIGN', '--recursive', '--kind', 'dft'): 'no step of',
    ('watch', 'CAMPAIGN', '--interval', '0'): '--interval',
    ('watch', 'CAMPAIGN', '--interval', 'nan'): '--interval',
    ('limit', 'gone'): 'COMPUTER: ',
    ('limit', 'localhost', '0'): 'NUMBER',
    ('limit', 'localhost', 'two'): 'NUMBER',
    ('limit', 'localhost', '2', '--none'): '--none: ',
    ('limit', '--none'): 'COMPUTER: ',
    ('plan', '--label-seconds', '0'): '--label-seconds',
    ('plan', '--label-seconds', '-5'): '--label-seconds',
    ('plan', '--protocol', 'desktop'): 'protocol: ',
    ('submit', '--protocol', ''): 'protocol: ',
    ('submit', '--benchmark', 'some'): '--benchmark',
    ('submit', '--seed', str(2**63)): 'seed: ',
    ('submit', '--seed', '1e3'): '--seed',
    ('submit', '--teacher', 'ENSEMBLE'): '--teacher: ',
    ('submit', '--potential', 'GOOD'): '--potential: ',
    ('submit', '--mix-theory'): '--mix-theory: ',
    ('setup', '--embedded', '--postgres-host', 'x'): '--embedded: ',
    ('setup', '-p', 'new', '--pw', 'TMP/gone'): 'gone: ',
    ('setup', '-p', 'new', '--credentials', 'TMP/gone'): 'gone',
    ('setup', '-p', 'new', '--postgres-port', '99999'): '--postgres-port',
    ('import', 'dataset', 'GOOD', '--mix-theory'): '--mix-theory: ',
    ('import', 'dataset', 'GOOD', '--energy-unit', 'kcal'): '--energy-unit',
    ('import', 'dataset', 'GOOD', '--energy-unit', 'Ry'): 'energy_unit: ',
    ('import', 'dataset', 'GOOD', '--format', 'hdf5'): '',
    ('import', 'dataset', 'GOOD', '--level-of-theory', 'TMP/noise.yaml'): 'noise.yaml',
    ('import', 'dataset', 'GOOD', '--level-of-theory', 'TMP/empty.extxyz'): 'level_of_theory.code: ',
    ('import', 'dataset', 'GOOD', '--max-force', '0'): '--max-force',
    ('import', 'calculations'): 'PKS',
    ('import', 'calculations', 'STEP'): 'PKS: ',
    ('status', 'CAMPAIGN', '-p', 'gone'): '-p: ',
    ('doctor', '-p', 'gone'): '-p: ',
}


def _cases() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every command with what its message must contain."""
    for command, expected in IDENTIFIED.items():
        for one in NOBODY:
            yield tuple(one if part == 'ONE' else part for part in command), expected
    for command, expected in READERS.items():
        for name in FILES:
            if (command[0], name) not in FINE:
                yield tuple(f'TMP/{name}' if part == 'FILE' else part for part in command), expected or name
    for command in WRITERS:
        for target in TARGETS:
            yield tuple(target if part == 'TARGET' else part for part in command), ''
    yield from OTHERS.items()


CASES = list(_cases())


@pytest.fixture
def world(tmp_path, invoke, campaigns, installed, write) -> dict[str, Any]:
    """What placeholders stand for: nodes of the session, and a folder with files."""
    for name, content in FILES.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    (tmp_path / 'there').write_text('somebody needs this')
    (tmp_path / 'good.extxyz').write_text('placeholder')
    steps = [node for node in campaigns['main'].called if isinstance(node, orm.CalcFunctionNode)]
    return {
        'INT': str(orm.Int(1).store().pk),
        'CAMPAIGN': str(campaigns['main'].pk),
        'ENSEMBLE': str(campaigns['main'].outputs.ensemble.pk),
        'STEP': str(min(node.pk for node in steps)),
        'GOOD': str(tmp_path / 'good.extxyz'),
    }


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(scope='session')
def good(campaigns, tmp_path_factory, aiida_profile) -> bytes:
    """The labels of a campaign as a file."""
    from click.testing import CliRunner

    from aiida_anial.cli.root import main

    path = tmp_path_factory.mktemp('good') / 'good.extxyz'
    arguments = ['export', 'dataset', str(path), '--campaign', str(campaigns['main'].pk)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return path.read_bytes()


def _id(value: object) -> str:
    return ' '.join(value)[:60] if isinstance(value, tuple) else ''


def test_there_are_many():
    assert len(dict(CASES)) == len(CASES) >= 150


@pytest.mark.parametrize(('command', 'expected'), CASES, ids=_id)
def test_wrong_input_is_refused(invoke, world, good, tmp_path, count_nodes, command, expected):
    (tmp_path / 'good.extxyz').write_bytes(good)
    arguments = [world.get(part, part).replace('TMP', str(tmp_path)) for part in command]
    before, files = count_nodes(), _files(tmp_path)
    assert_refused(invoke(*arguments), expected)
    assert count_nodes() == before
    assert _files(tmp_path) == files
