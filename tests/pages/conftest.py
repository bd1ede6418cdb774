"""A reader of the pages, in a folder with the files that they take for granted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida.manage import get_manager
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from support.benchmarks import stored_benchmark

from aiida_anial.potential.neurochem import write_neurochem
from aiida_anial.properties.registry import BenchmarkSettings, run_properties
from aiida_anial.pseudopotential import AL_PBE_UPF, PSEUDO_FAMILY

EAM = '\n'.join(['a', 'b', 'c', '1 Al', '5 0.1 5 0.1 0.4', '13 26.98 4.05 fcc', *map(str, range(15))])
SETTINGS = {
    'eam.yaml': 'label: {labeller: eam}',
    'teacher.yaml': 'label: {labeller: ensemble}',
    'hasty.yaml': 'sampling: {dynamics: {time_step_fs: 5}}\nschedules: {t_max_ps: 60}',
    'theory.yaml': 'code: vasp\nfunctional: PBE\necutwfc_ry: 30.0\nkpoints_mesh: [3, 3, 3]',
}


@pytest.fixture(scope='module')
def benchmark(campaigns) -> Iterator[Any]:
    """A benchmark of the last ensemble of the campaign."""
    results = run_properties(('lattice', 'elastic'), BenchmarkSettings(), EMT())
    with stored_benchmark(campaigns['main'].outputs.ensemble, results) as node:
        yield node


@pytest.fixture
def shard(campaigns) -> Any:
    """The labels of the initial cells of the campaign."""
    return campaigns['main'].outputs.shards['shard_000']


@pytest.fixture
def words(campaigns, shard, copy_of_campaign) -> dict[str, str]:
    """What the reader types in place of a word of the pages, or of a word after a command."""
    campaign = campaigns['main']
    profile = get_manager().get_profile()
    assert profile is not None
    killed = copy_of_campaign(ensemble=True, state='killed').seal()
    step = next(node for node in campaign.called if node.process_label == 'generate_cells')
    return {
        **dict.fromkeys(('PK', '28', '30', '31'), str(campaign.pk)),
        'UUID': campaign.uuid,
        'submit PK': str(killed.pk),
        'submit PK2': str(campaigns['again'].pk),
        'submit PK3': str(shard.pk),
        'reproduce PK': str(step.pk),
        'reproduce UUID': step.uuid,
        **dict.fromkeys(('ENSEMBLE', '715', '1234'), str(campaign.outputs.ensemble.pk)),
        'PseudoDojo/0.4/PBE/SR/standard/upf': PSEUDO_FAMILY,
        # What the small campaign has.
        'close_contact,temperature': 'completed,energy_disagreement',
        'export 3': '1',
        **dict.fromkeys(('production', 'verdi demo', 'status demo'), profile.name),
    }


@pytest.fixture
def folder(campaigns, tmp_path, monkeypatch) -> Path:
    """The current folder, with files of the reader's own."""
    monkeypatch.chdir(tmp_path)
    for name, content in SETTINGS.items():
        Path(name).write_text(content)
    for name in ('Al.eam.alloy', 'Al_mm.eam.fs'):
        Path(name).write_text(EAM)
    atoms = bulk('Al', cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.calc = EMT()
    atoms.get_properties(['energy', 'forces', 'stress'])
    write('theirs.extxyz', atoms)
    Path('model-Al-75').mkdir()
    write_neurochem(Path('model-Al-75'), campaigns['main'].outputs.ensemble.ensemble)
    Path('my-files').mkdir()
    shutil.copy(AL_PBE_UPF, 'my-files')
    return tmp_path


@pytest.fixture
def nothing_runs(campaigns, benchmark, monkeypatch) -> None:
    """Have a process of the tests in place of each that would be submitted."""
    ended = {'ActiveLearningWorkChain': campaigns['main'], 'BenchmarkWorkChain': benchmark}
    monkeypatch.setattr('aiida_anial.cli.preflight.check_machine', lambda: None)
    monkeypatch.setattr('aiida_anial.cli.benchmark.wait_for', lambda *_: None)
    monkeypatch.setattr('aiida_anial.cli.resolve.submit', lambda builder: ended[builder.process_class.__name__])
