"""The same files without their fault are accepted, which shows that each case is refused because of its fault.

Some cases run in a separate process with a limited address space.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import pyarrow.parquet as pq
import pytest
from aiida import orm
from aiida.manage.configuration import get_config

from aiida_anial.calcfunctions.export_dataset import export_dataset
from aiida_anial.calcfunctions.export_ensemble import export_ensemble
from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.formats.ensembles import write_ensemble
from aiida_anial.potential.source import read_eam

CASES = Path(__file__).parent / 'cases'


def cases_of(name):
    """Return the module of cases with this name."""
    spec = importlib.util.spec_from_file_location(f'security_cases_{name}', CASES / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('name', 'file_format'), [('x.extxyz', 'extxyz'), ('x.h5', 'hdf5'), ('x.db', 'ase_db'), ('x.parquet', 'parquet')]
)
def test_an_export_is_accepted(world, invoke, bounded, name, file_format):
    path = world.exported(name, file_format)
    with bounded():
        result = invoke('import', 'dataset', path)
    assert result.exit_code == 0, result.output
    assert ': 10 labels' in result.output


def test_foreign_labels_are_accepted(world, invoke, bounded):
    ase.io.write('labels.extxyz', world.images, format='extxyz')
    with bounded():
        result = invoke(*world.importing('labels.extxyz'))
    assert result.exit_code == 0, result.output


def test_labels_of_colabfit_are_accepted(world, invoke, bounded):
    path = world.exported('x.parquet', 'parquet')
    table = pq.read_table(path).drop_columns(['iteration', 'split_block', 'level_of_theory'])
    pq.write_table(table.replace_schema_metadata(None), path)
    with bounded():
        result = invoke(*world.importing(path))
    assert result.exit_code == 0, result.output
    assert ': 10 labels' in result.output


@pytest.mark.parametrize('file_format', ['safetensors', 'neurochem'])
def test_a_model_is_accepted(world, invoke, bounded, file_format):
    write_ensemble(world.folder / 'model', world.ensemble, file_format=file_format)
    with bounded():
        result = invoke('import-model', 'model')
    assert result.exit_code == 0, result.output
    assert '2 members' in result.output


def test_settings_are_accepted(world, invoke, installed):
    text = 'description: |\n  Two lines,\n  \u00b5 and \u00c5 among them.\nseed: 0x10\nschedules: {t_max_ps: 1e0}\n'
    result = invoke('submit', world.write('over.yaml', text), '--protocol', 'demo', '--dry-run')
    assert result.exit_code == 0, result.output
    assert 'seed: 16\n' in result.output


@pytest.mark.parametrize('ending', ['alloy', 'fs'])
def test_an_eam_file_is_accepted(world, ending):
    text = cases_of('potentials').eam_text()
    assert read_eam(world.write(f'Al.eam.{ending}', text)).elements == ['Al']


def test_a_model_may_be_a_link_and_contain_internal_links(world, invoke):
    write_ensemble(world.folder / 'real', world.ensemble, file_format='neurochem')
    shutil.move('real/train0/networks', 'real/shared')
    Path('real/train0/networks').symlink_to('../shared')
    Path('model').symlink_to('real')
    result = invoke('import-model', 'model')
    assert result.exit_code == 0, result.output


def test_an_at_sign_in_a_name_is_not_an_index(world):
    """ASE takes the part after an @ as the index of a configuration."""
    for name, images in (('labels', world.images[:2]), ('labels@0', world.images[2:6]), ('x.gz', world.images[6:])):
        with Path(name).open('w') as file:
            ase.io.write(file, images, format='extxyz')
    assert [len(read_dataset(Path(name))) for name in ('labels', 'labels@0', 'x.gz')] == [2, 4, 4]


def test_a_file_name_with_a_shell_command_is_stored_and_not_executed(world, invoke):
    name = '$(touch canary);`touch canary`|touch canary&.extxyz'
    with (world.folder / name).open('w') as file:
        ase.io.write(file, world.images, format='extxyz')
    result = invoke(*world.importing(name))
    assert result.exit_code == 0, result.output
    shard = orm.load_node(int(result.output.split('shard ')[1].split(':')[0]))
    assert shard.creator.inputs.file.filename == name


@pytest.mark.parametrize('name', ['../victim', 'folder/../../victim', '/victim', '..', 'victim\n'])
def test_a_reproduced_export_of_an_archive_writes_no_other_file(world, aiida_profile, name):
    name = f'{world.folder}{name}' if name.startswith('/') else name
    ensemble = EnsembleData(world.ensemble).store()
    settings = orm.Dict({'file_format': 'safetensors', 'filename': name})
    with pytest.raises(AnialError, match='filename: '):
        export_ensemble(settings=settings, ensemble=ensemble)
    shard = DatasetData(world.labelled).store()
    settings = orm.Dict({'file_format': 'extxyz', 'filename': name})
    with pytest.raises(AnialError, match='filename: '):
        export_dataset(settings=settings, shard=shard)
    assert list(world.folder.rglob('victim*')) == []


def _limit():
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))


@pytest.mark.parametrize(
    ('kind', 'case'),
    [
        ('hdf5', 'a chunk far larger than its array'),
        ('pickles', 'a model of torch for a model'),
        ('overrides', 'a name that clears the screen'),
    ],
)
def test_a_separate_process_gives_the_same_result(world, installed, aiida_profile, count_nodes, kind, case):
    build, expected = cases_of(kind).CASES[case]
    arguments = [*map(str, build(world)), '-p', aiida_profile.name]
    before = count_nodes()
    result = subprocess.run(
        [Path(sys.executable).parent / 'aiida-anial', *arguments],
        cwd=world.folder,
        env=os.environ | {'AIIDA_PATH': str(Path(get_config().dirpath).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_limit,
    )
    assert result.returncode == 1, result.stderr
    assert result.stdout == ''
    (line,) = result.stderr.splitlines()
    assert line.startswith('Error: ')
    assert expected in line
    assert line.isprintable()
    assert count_nodes() == before
