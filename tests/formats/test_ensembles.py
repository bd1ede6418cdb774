"""Ensembles as other programs load them, in processes that cannot import this package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.units import Hartree

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import AnialError
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, write_ensemble
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings

PAGE = Path(__file__).parents[2] / 'docs' / 'reference' / 'formats.md'

PREAMBLE = """
import sys, warnings
warnings.simplefilter('ignore')
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in BLOCKED:
            raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Blocker())
import numpy as np, torch
cells = np.load('cells.npz')
"""

RUN_TORCHSCRIPT = """
potential = torch.jit.load('model')
found = {}
for cell in range(len(cells['lattices'])):
    for repetition in range(3):  # torch optimises the code after the first
        strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
        positions = torch.tensor(cells[f'positions_{cell}'], requires_grad=True)
        deformation = torch.eye(3, dtype=torch.float64) + (strain + strain.T) / 2
        energy, members = potential(positions @ deformation, torch.tensor(cells['lattices'][cell]) @ deformation)
        gradient, virial = torch.autograd.grad(energy, (positions, strain))
        volume = abs(np.linalg.det(cells['lattices'][cell]))
        key = f'{cell}_{repetition}'
        found |= {f'energy_{key}': energy.item(), f'members_{key}': members.numpy(force=True)}
        found |= {f'forces_{key}': -gradient.numpy(), f'stress_{key}': virial.numpy() / volume}
np.savez('found.npz', **found)
"""

RUN_TORCHANI = """
found = {}
for cell in range(len(cells['lattices'])):
    positions = torch.tensor(cells[f'positions_{cell}'][None], requires_grad=True)
    species = torch.full(positions.shape[:2], 13)
    lattice, pbc = torch.tensor(cells['lattices'][cell]), torch.tensor([True] * 3)
    members = model((species, positions), lattice, pbc, ensemble_values=True).energies[:, 0]
    energy = model((species, positions), lattice, pbc).energies[0]
    (gradient,) = torch.autograd.grad(energy, positions)
    found |= {f'energy_{cell}': energy.item(), f'members_{cell}': members.numpy(force=True)}
    found |= {f'forces_{cell}': -gradient[0].numpy()}
np.savez('found.npz', **found)
"""


@pytest.fixture(params=ENSEMBLE_FORMATS)
def file_format(request) -> str:
    return request.param


@pytest.fixture(scope='module')
def ensemble(make_ensemble) -> Ensemble:
    return make_ensemble(seed=4)


@pytest.fixture(scope='module')
def single(ensemble) -> Ensemble:
    """Weights that are float32 in NeuroChem's units, as in an imported model."""
    generator = np.random.default_rng(8)
    sizes, members = ensemble.model.layer_sizes, ensemble.n_members
    weights = [generator.normal(size=(members, n, m)).astype(np.float32) for m, n in pairwise(sizes)]
    biases = [generator.normal(size=(members, n)).astype(np.float32) for n in sizes[1:]]
    for layers in (weights, biases):
        layers[-1] = layers[-1].astype(np.float64) * Hartree
    return Ensemble(ensemble.model, tuple(weights), tuple(biases), -2.7 * Hartree)


@pytest.fixture(scope='module')
def cells(atoms) -> Cells:
    """Sheared cells smaller than the cutoff, with atoms outside them."""
    return Cells.from_lists([one.positions for one in atoms[:3]], [one.cell.array for one in atoms[:3]], species=13)


def _run(folder: Path, cells: Cells, code: str, *blocked: str) -> dict[str, np.ndarray]:
    """Return the arrays that ``code`` saves in a new process that cannot import ``blocked``."""
    arrays = {f'positions_{index}': positions for index, (positions, _) in enumerate(cells)}
    np.savez(folder / 'cells.npz', lattices=cells.lattices, **arrays)
    result = subprocess.run(
        [sys.executable, '-c', f'BLOCKED = {blocked!r}{PREAMBLE}{code}'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    with np.load(folder / 'found.npz') as found:
        return dict(found)


def test_torch_alone_runs_torchscript(tmp_path, ensemble, cells):
    write_ensemble(tmp_path / 'model', ensemble, file_format='torchscript')
    found = _run(tmp_path, cells, RUN_TORCHSCRIPT, 'aiida_anial', 'torchani', 'ase', 'safetensors')
    expected = make_engine(ensemble, EngineSettings(dtype='float64')).evaluate(cells, stress=True)
    for index in range(len(cells)):
        forces = expected.forces[cells.offsets[index] : cells.offsets[index + 1]]
        for repetition in range(3):
            key = f'{index}_{repetition}'
            assert found[f'energy_{key}'] == pytest.approx(expected.energies[index], abs=1e-9)
            np.testing.assert_allclose(found[f'members_{key}'], expected.member_energies[:, index], atol=1e-9)
            # torch.celu has an error of 7e-9.
            np.testing.assert_allclose(found[f'forces_{key}'], forces, atol=1e-6)
            np.testing.assert_allclose(found[f'stress_{key}'], expected.stresses[index], atol=1e-6)


@pytest.mark.parametrize('alpha', [0.1, 0.7])
def test_torchani_loads_its_state_as_the_page_says(tmp_path, ensemble, cells, alpha):
    ensemble = replace(ensemble, model=ensemble.model.model_copy(update={'celu_alpha': alpha}))
    write_ensemble(tmp_path / 'aluminium.torchani.safetensors', ensemble, file_format='torchani')
    blocks = re.findall(r'^```python\n(.*?)^```', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (load,) = [block for block in blocks if 'load_state_dict' in block]
    found = _run(tmp_path, cells, load + RUN_TORCHANI, 'aiida_anial', 'aiida')
    expected = make_engine(ensemble, EngineSettings(dtype='float64')).evaluate(cells)
    for index in range(len(cells)):
        forces = expected.forces[cells.offsets[index] : cells.offsets[index + 1]]
        assert found[f'energy_{index}'] * Hartree == pytest.approx(expected.energies[index], abs=1e-9)
        members = expected.member_energies[:, index]
        np.testing.assert_allclose(found[f'members_{index}'] * Hartree, members, atol=1e-9)
        np.testing.assert_allclose(found[f'forces_{index}'] * Hartree, forces, atol=1e-6)


def test_torchanis_readers_of_neurochem_see_the_same_potential(tmp_path, single, cells):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from torchani.arch import ANI
        from torchani.neurochem import load_aev_computer_and_symbols, load_ensemble, load_sae

    write_ensemble(tmp_path / 'model', single, file_format='neurochem')
    (parameters,) = (tmp_path / 'model').glob('*.params')
    assert parameters.name == 'rAl-5.0R_3-4.0A_a2-3.params'
    computer, symbols = load_aev_computer_and_symbols(parameters)
    networks = load_ensemble(symbols, tmp_path / 'model' / 'train', single.n_members)
    model = ANI(symbols, computer, networks, load_sae(tmp_path / 'model' / 'sae_linfit.dat')).double()
    expected = make_engine(single, EngineSettings(dtype='float64')).evaluate(cells, forces=False)
    for index, (positions, lattice) in enumerate(cells):
        inputs = (torch.full((1, len(positions)), 13), torch.tensor(positions[None]))
        found = model(inputs, torch.tensor(lattice), torch.tensor([True] * 3), ensemble_values=True).energies[:, 0]
        # torchani has the constants of the descriptor and the self energy in float32.
        np.testing.assert_allclose(found.detach() * Hartree, expected.member_energies[:, index], rtol=1e-6)


def test_what_came_from_neurochem_goes_back_to_the_last_bit(tmp_path, single):
    write_ensemble(tmp_path / 'model', single, file_format='neurochem')
    found = read_neurochem(tmp_path / 'model')
    assert found.model == single.model
    assert found.self_energy == pytest.approx(single.self_energy, rel=1e-15)
    for name in ('weights', 'biases'):
        for there, here in zip(getattr(found, name), getattr(single, name), strict=True):
            np.testing.assert_array_equal(there, here)
    write_ensemble(tmp_path / 'again', found, file_format='neurochem')
    files = {path.relative_to(tmp_path / 'model') for path in (tmp_path / 'model').rglob('*') if path.is_file()}
    assert len(files) == 3 + single.n_members * (1 + 2 * len(single.weights))
    for name in files - {Path('sae_linfit.dat')}:
        assert (tmp_path / 'again' / name).read_bytes() == (tmp_path / 'model' / name).read_bytes()


def test_float64_weights_keep_seven_digits_in_neurochem(tmp_path, ensemble):
    write_ensemble(tmp_path / 'model', ensemble, file_format='neurochem')
    found = read_neurochem(tmp_path / 'model')
    for there, here in zip(found.weights, ensemble.weights, strict=True):
        np.testing.assert_allclose(there, here, rtol=6e-8)


def test_safetensors_are_those_of_this_package(tmp_path, ensemble):
    write_ensemble(tmp_path / 'model', ensemble, file_format='safetensors')
    found = read_potential(tmp_path / 'model')
    np.testing.assert_array_equal(found.weights[0], ensemble.weights[0])


WRITE = """
import sys
from pathlib import Path
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, write_ensemble
from aiida_anial.potential.potential import read_potential
ensemble = read_potential(Path('ensemble'))
for file_format in ENSEMBLE_FORMATS:
    write_ensemble(Path(sys.argv[1], file_format), ensemble, file_format=file_format)
"""


def _contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob('*') if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_the_same_ensemble_gives_the_same_bytes_in_every_process(tmp_path, ensemble):
    write_ensemble(tmp_path / 'ensemble', ensemble, file_format='safetensors')
    for seed in ('1', '2'):
        (tmp_path / seed).mkdir()
        environment = os.environ | {'PYTHONHASHSEED': seed}
        subprocess.run([sys.executable, '-c', WRITE, seed], cwd=tmp_path, env=environment, check=True, timeout=300)
    for file_format in ENSEMBLE_FORMATS:
        first, second = (_contents(tmp_path / seed / file_format) for seed in ('1', '2'))
        assert first == second
        content = b''.join(first.values())
        assert content
        assert str(Path(torch.__file__).parents[1]).encode() not in content


def test_a_folder_that_is_there_is_never_replaced(tmp_path, ensemble):
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'mine').write_text('kept')
    with pytest.raises(AnialError, match='model: already exists; give the name of a new folder'):
        write_ensemble(tmp_path / 'model', ensemble, file_format='neurochem')
    assert [path.name for path in tmp_path.rglob('*')] == ['model', 'mine']


def test_neurochem_has_one_activation_and_finite_float32(tmp_path, ensemble):
    other = replace(ensemble, model=ensemble.model.model_copy(update={'celu_alpha': 0.7}))
    with pytest.raises(AnialError, match=r'celu_alpha: NeuroChem has 0\.1 and not 0\.7'):
        write_ensemble(tmp_path / 'model', other, file_format='neurochem')
    large = replace(ensemble, biases=(ensemble.biases[0] * 1e40, *ensemble.biases[1:]))
    with pytest.raises(AnialError, match='a weight is too large for float32'):
        write_ensemble(tmp_path / 'model', large, file_format='neurochem')
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_named(tmp_path, ensemble, file_format):
    with pytest.raises(AnialError, match='nowhere/model: cannot be written'):
        write_ensemble(tmp_path / 'nowhere' / 'model', ensemble, file_format=file_format)


def test_an_unknown_format_is_named(tmp_path, ensemble):
    with pytest.raises(AnialError, match="format: 'onnx' is not one of safetensors, neurochem, torchani, torchscript"):
        write_ensemble(tmp_path / 'model', ensemble, file_format='onnx')
