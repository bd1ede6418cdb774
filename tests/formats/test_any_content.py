"""Readers of files from outside: whatever is in a file, they return something or refuse it in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset, write_dataset
from aiida_anial.formats.exported import ExportedDataset
from aiida_anial.formats.upf import upf_fault
from aiida_anial.potential.neurochem import read_neurochem, write_neurochem
from aiida_anial.potential.potential import read_potential, write_potential
from aiida_anial.potential.source import read_eam
from aiida_anial.properties.comparison.references import parse_references
from aiida_anial.protocols.protocol import read_overrides
from aiida_anial.pseudopotential import AL_PBE_UPF

# The same examples each time, so that a failure is one for everybody.
EXAMPLES = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

EAM = 'a\nb\nc\n1 Al\n2 0.5 2 0.5 1.0\n13 26.98 4.05 fcc\n0 -1\n0 1\n0.5 0.1\n'


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a valid content with some bytes changed, left out, repeated or put in."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(['change', 'cut', 'repeat', 'insert', 'truncate'])):
            case 'change' if data:
                data[place] = draw(st.integers(0, 255))
            case 'cut':
                del data[place : place + length]
            case 'repeat':
                data[place:place] = data[place : place + length]
            case 'insert':
                data[place:place] = draw(st.sampled_from([b'\n', b'nan', b'-1', b'1e999', b'\0', b'\xff', b'{', b'"']))
            case 'truncate':
                del data[place:]
    return bytes(data)


def contents(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return what a file might hold: anything, or almost what it should."""
    return st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode()), damaged(valid))


def dataset_file(suffix: str) -> Callable[[Path, Any, Any], Path]:
    """Return a function that writes a valid dataset."""

    def make(folder: Path, labelled: LabelledCells, _: Any) -> Path:
        path = folder / f'valid{suffix}'
        header = {'levels_of_theory': {'unknown': None}, 'filters': {}, 'shards': []}
        write_dataset(
            path,
            ExportedDataset(labelled, ('unknown',) * len(labelled), header),
            file_format={'.extxyz': 'extxyz', '.h5': 'hdf5', '.db': 'ase_db', '.parquet': 'parquet'}[suffix],
        )
        return path

    return make


def model_file(folder: Path, _: Any, ensemble: Any) -> Path:
    write_potential(folder / 'valid.safetensors', ensemble)
    return folder / 'valid.safetensors'


def text_file(name: str, content: str) -> Callable[[Path, Any, Any], Path]:
    """Return a function that writes a text."""

    def make(folder: Path, *_: Any) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


READERS: dict[str, tuple[Callable[[Path, Any, Any], Path], Callable[[Path], object]]] = {
    'extended XYZ': (dataset_file('.extxyz'), read_dataset),
    'HDF5': (dataset_file('.h5'), read_dataset),
    'ASE database': (dataset_file('.db'), read_dataset),
    'Parquet': (dataset_file('.parquet'), read_dataset),
    'ensemble': (model_file, read_potential),
    'EAM': (text_file('valid.eam.fs', EAM), read_eam),
    'overrides': (text_file('over.yaml', 'seed: 1\ncampaign: {n_cycles: 1, t_max_growth: 1e-3}\n'), read_overrides),
    'literature': (
        text_file('references.yaml', 'citations: {a: b}\nsources: {}\nreferences: []\n'),
        lambda path: parse_references(path.read_text(errors='replace'), source=path.name),
    ),
    'pseudopotential': (
        text_file('Al.upf', AL_PBE_UPF.read_text()[:6000]),
        lambda path: upf_fault(path.read_bytes(), element='Al'),
    ),
}


def check_sentence(text: str) -> None:
    """Check that a message is one line that a terminal can show."""
    assert text.isprintable()
    assert 0 < len(text) < 1000


@pytest.mark.parametrize('name', READERS)
def test_any_content_is_read_or_refused_in_one_sentence(tmp_path, make_labelled, make_ensemble, name):
    make, read = READERS[name]
    path = make(tmp_path, make_labelled(3), make_ensemble())
    valid = path.read_bytes()

    @EXAMPLES
    @given(contents(valid))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        with np.errstate(all='ignore'):
            try:
                read(path)
            except AnialError as exception:
                check_sentence(str(exception))

    check()


@pytest.mark.parametrize('part', ['.params', '.info', '.dat', '.nnf', '.wparam', '.bparam'])
def test_any_part_of_a_neurochem_folder_is_read_or_refused_in_one_sentence(tmp_path, make_ensemble, part):
    folder = tmp_path / 'model'
    folder.mkdir()
    write_neurochem(folder, make_ensemble())
    path = min(one for one in folder.rglob('*') if one.name.endswith(part))
    valid = path.read_bytes()

    @EXAMPLES
    @given(contents(valid))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            read_neurochem(folder)
        except AnialError as exception:
            check_sentence(str(exception))

    check()
