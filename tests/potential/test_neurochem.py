import bz2
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.eos import EquationOfState
from ase.units import GPa, Hartree

from aiida_anial.common.cells import Cells
from aiida_anial.common.errors import FileFormatError
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.neurochem import read_neurochem
from aiida_anial.potential.settings import EngineSettings

# All constants are float32 numbers, to which torchani rounds.
PARAMETERS = """TM = 1
Rcr = 5.5000e+00
Rca = 4.2500e+00
EtaR = [1.6000000e+01]
ShfR = [1.0000000e+00,2.5000000e+00,4.0000000e+00]
Zeta = [1.2000000e+01]
ShfZ = [2.5000000e-01,1.2500000e+00,2.2500000e+00]
EtaA = [4.0000000e+00]
ShfA = [1.5000000e+00,3.0000000e+00]
Atyp = [Al]
"""
SIZES = (9, 6, 4, 1)
LAYER = """layer [
nodes={n_out};
activation={activation};
type=0;
blocksize={n_in};
dropout=0;
dropset=0.000000;
maskupdate=0.000000;
maxnorm=0;
norm=0.000000;
normupdate=0.000000;
l2norm=0;
l2valu=0.000000;
btchnorm=0;
weights=FILE:ANN-Al.nnf-l{number}.wparam[{n_weights}];
biases=FILE:ANN-Al.nnf-l{number}.bparam[{n_out}];
]
"""


def _write_network(folder, generator, activation=9):
    folder.mkdir(parents=True)
    text = 'inputsize=9;\natom_net Al $\n'
    for number, (n_in, n_out) in enumerate(itertools.pairwise(SIZES), start=1):
        kind = 6 if n_out == 1 else activation
        text += LAYER.format(n_in=n_in, n_out=n_out, number=number, activation=kind, n_weights=n_in * n_out)
        weights = generator.normal(size=(n_out, n_in)) * n_in**-0.5
        biases = generator.normal(size=n_out) * 0.1
        (folder / f'ANN-Al.nnf-l{number}.wparam').write_bytes(weights.astype('<f4').tobytes())
        (folder / f'ANN-Al.nnf-l{number}.bparam').write_bytes(biases.astype('<f4').tobytes())
    content = bz2.compress((text + '\n $\n').encode())
    (folder / 'ANN-Al.nnf').write_bytes(f'{len(content)}=\n'.encode() + content)


@pytest.fixture
def model(tmp_path):
    """The folder of a model with two tiny members."""
    generator = np.random.default_rng(17)
    (tmp_path / 'rAl.params').write_text(PARAMETERS)
    (tmp_path / 'sae_linfit.dat').write_text('Al,0=-2.75\n')
    for member in range(2):
        _write_network(tmp_path / f'train{member}' / 'networks', generator)
    return tmp_path


def test_the_architecture_is_read(model):
    ensemble = read_neurochem(model)
    assert ensemble.model.element == 'Al'
    assert ensemble.model.layer_sizes == SIZES
    assert ensemble.model.celu_alpha == 0.1
    assert ensemble.n_members == 2
    assert ensemble.model.descriptor.radial_shifts_angstrom == (1.0, 2.5, 4.0)
    assert ensemble.self_energy == pytest.approx(-2.75 * 27.211386, rel=1e-7)


@pytest.mark.filterwarnings('ignore')
def test_energies_are_those_of_torchanis_readers(model, make_cell):
    from torchani.arch import ANI
    from torchani.neurochem import load_aev_computer_and_symbols, load_ensemble, load_sae

    computer, symbols = load_aev_computer_and_symbols(model / 'rAl.params')
    networks = load_ensemble(symbols, model / 'train', 2)
    torchani = ANI(symbols, computer, networks, load_sae(model / 'sae_linfit.dat')).double()
    positions, lattice = make_cell(12, seed=15)
    inputs = (torch.full((1, 12), 13), torch.tensor(positions[None]))
    values = torchani(inputs, torch.tensor(lattice), torch.tensor([True] * 3), ensemble_values=True).energies
    engine = make_engine(read_neurochem(model), EngineSettings(dtype='float64'))
    prediction = engine.evaluate(Cells.from_lists([positions], [lattice], species=13), forces=False)
    np.testing.assert_allclose(prediction.member_energies, values.detach().numpy() * Hartree, rtol=1e-10)


def _replace(old, new):
    return lambda content: content.replace(old, new)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('rAl.params', None, r'0 files match \*\.params'),
        ('rAl.params', _replace(b'[Al]', b'[H,Al]'), '2 elements'),
        ('rAl.params', _replace(b'EtaR', b'EtaX'), 'EtaR'),
        ('rAl.params', _replace(b'Rcr = 5.5', b'Rcr = five'), 'five'),
        ('rAl.params', _replace(b'Rcr = 5.5', b'Rcr = 3.5'), 'angular_cutoff_angstrom'),
        ('rAl.params', _replace(b'[1.6000000e+01]', b'[1.6e+01,2.0e+01]'), 'EtaR has 2 values'),
        ('rAl.params', _replace(b'ShfR = [1.0000000e+00,', b'ShfR = ['), 'layer 0 have shape'),
        ('rAl.params', lambda content: b'\xff\xfe' + content, 'damaged'),
        ('sae_linfit.dat', None, r'0 files match sae\*\.dat'),
        ('sae_linfit.dat', _replace(b'Al', b'Cu'), 'no self energy of Al'),
        ('sae_linfit.dat', _replace(b'-2.75', b'much'), 'much'),
        ('sae_linfit.dat', _replace(b'-2.75', b'nan'), 'self energy is not finite'),
        ('train1/networks/ANN-Al.nnf', None, 'no such file'),
        ('train1/networks/ANN-Al.nnf', lambda content: content[:-30], 'damaged'),
        ('train1/networks/ANN-Al.nnf', lambda content: b'layers', 'damaged'),
        ('train1/networks/ANN-Al.nnf-l2.wparam', None, 'no such file'),
        ('train1/networks/ANN-Al.nnf-l2.wparam', lambda content: content[:-4], 'holds 92 bytes where 96 are needed'),
        ('train1/networks/ANN-Al.nnf-l2.wparam', lambda content: content[:-1], 'holds 95 bytes where 96 are needed'),
        ('train1/networks/ANN-Al.nnf-l3.bparam', lambda content: b'\x00\x00\xc0\x7f', 'not finite'),
    ],
)
def test_a_missing_or_damaged_file_gives_one_sentence_that_names_it(model, name, change, message):
    path = model / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FileFormatError, match=message) as error:
        read_neurochem(model)
    assert str(model) in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('lost', [0, 1])
@pytest.mark.parametrize('place', ['inside', 'beside', 'nowhere'])
def test_a_member_that_is_missing_is_named(model, place, lost):
    """The last one can only be missed if an .info file states how many there are."""
    info = {'inside': model / 'model.info', 'beside': model.with_name(f'{model.name}.info'), 'nowhere': None}[place]
    if info is not None:
        info.write_text('rAl.params\nsae_linfit.dat\ntrain\n2\n')
        assert read_neurochem(model).n_members == 2
    (model / f'train{lost}').rename(model / 'lost')
    if place == 'nowhere' and lost == 1:
        assert read_neurochem(model).n_members == 1
        return
    with pytest.raises(FileFormatError, match=f'no folder train{lost}, but there should be 2'):
        read_neurochem(model)


@pytest.mark.parametrize('text', ['', 'a\nb\nc\nmany\n', 'a\nb\nc\n0\n', 'a\nb\nc\n99999999\n'])
def test_a_damaged_info_file_is_refused(model, text):
    (model / 'model.info').write_text(text)
    with pytest.raises(FileFormatError, match=r'model\.info'):
        read_neurochem(model)


def test_other_activations_are_refused(model):
    _write_network(model / 'train2' / 'networks', np.random.default_rng(0), activation=5)
    with pytest.raises(FileFormatError, match='activations'):
        read_neurochem(model)


def test_a_folder_without_members_is_refused(tmp_path):
    (tmp_path / 'a.params').write_text(PARAMETERS)
    (tmp_path / 'sae.dat').write_text('Al,0=-2.75\n')
    with pytest.raises(FileFormatError, match='train0'):
        read_neurochem(tmp_path)


def test_a_network_cannot_name_files_elsewhere(model):
    path = model / 'train0' / 'networks' / 'ANN-Al.nnf'
    text = bz2.decompress(path.read_bytes().partition(b'=\n')[2])
    path.write_bytes(b'1=\n' + bz2.compress(text.replace(b'FILE:ANN-Al.nnf-l1.w', b'FILE:../../../secrets.w')))
    with pytest.raises(FileFormatError, match='does not name a file'):
        read_neurochem(model)


@pytest.mark.published
def test_the_published_ani_al_has_its_equation_of_state():
    folder = os.environ.get('ANIAL_PUBLISHED_MODEL')
    if not folder:
        pytest.skip('the environment variable ANIAL_PUBLISHED_MODEL does not name the folder of the published ANI-Al')
    calculator = AnialCalculator(read_neurochem(Path(folder)))
    volumes, energies = [], []
    for edge in np.linspace(3.9, 4.2, 13):
        atoms = bulk('Al', 'fcc', edge)
        atoms.calc = calculator
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    volume, _, modulus = EquationOfState(volumes, energies, eos='birchmurnaghan').fit()
    # Measured with torchani, independently of this package: 16.5495 A^3 and 77.8 GPa.
    assert volume == pytest.approx(16.5495, abs=1e-4)
    assert modulus / GPa == pytest.approx(77.8, abs=0.1)
