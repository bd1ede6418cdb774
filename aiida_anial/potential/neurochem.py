"""Ensembles in the file format of the NeuroChem program, such as the published ANI-Al: read and written.

A model is a folder with constants (``*.params``), self energies (``sae*.dat``) and, for member m,
``train<m>/networks/ANN-<element>.nnf``, which names files of raw float32 weights and biases. An ``.info`` file, in the
folder or beside it with its name, states the number of members. The readers of torchani execute parts of these files as
Python code; this one never executes anything that it reads.
"""

from __future__ import annotations

import bz2
import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from ase.units import Hartree
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError, FileFormatError, one_line
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import DescriptorSettings, ModelSettings

__all__ = ('read_neurochem', 'write_neurochem')

T = TypeVar('T')

_KEYS = {
    'Rcr': 'radial_cutoff_angstrom',
    'Rca': 'angular_cutoff_angstrom',
    'EtaR': 'radial_eta_per_angstrom2',
    'ShfR': 'radial_shifts_angstrom',
    'EtaA': 'angular_eta_per_angstrom2',
    'ShfA': 'angular_shifts_angstrom',
    'Zeta': 'angular_zeta',
    'ShfZ': 'angle_shifts_rad',
}

# NeuroChem's codes for the activations of ANI networks, and the alpha built into its CELU.
_CELU, _LINEAR, _CELU_ALPHA = '9', '6', 0.1

# States the number of members; published models have it beside their folder.
_INFO = 'model.info'
_MAX_MEMBERS = 1000

# In published models, text files have a few kilobytes and files of numbers at most a few megabytes.
_MAX_TEXT_BYTES = 2**20
_MAX_NUMBERS_BYTES = 2**28

_LAYER = """layer [
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
weights=FILE:{name}-l{number}.wparam[{n_weights}];
biases=FILE:{name}-l{number}.bparam[{n_out}];
]
"""


def read_neurochem(directory: Path) -> Ensemble:
    """Return the ensemble in a NeuroChem folder of one element.

    Energies are converted from hartree to eV by ASE's value (CODATA 2014, 27.211386024 eV, as in torchani; later
    recommendations differ by 1e-8). Only the numbers of the last layer change, in float64.

    :param directory: the folder with the ``.params`` file.
    :raises FileFormatError: if a file is missing or damaged, or this package does not support the model.
    """
    parameters = _only_file(directory, '*.params')
    element, descriptor = _guarded(parameters, _read_parameters)
    self_energies = _only_file(directory, 'sae*.dat')
    self_energy = _guarded(self_energies, lambda path: _read_self_energy(path, element))
    networks = [folder / 'networks' / f'ANN-{element}.nnf' for folder in _member_folders(directory)]
    members = [_guarded(network, lambda path: _read_network(path, directory)) for network in networks]
    sizes = [tuple(weight.shape for weight in member.weights) for member in members]
    if len(set(sizes)) > 1:
        raise FileFormatError(f'{directory}: the members have networks of different shapes.')
    hidden = [n_out for n_out, _ in sizes[0][:-1]]
    return _guarded(directory, lambda _: _ensemble(element, descriptor, hidden, members, self_energy))


def _member_folders(directory: Path) -> list[Path]:
    """Return the folders of all members.

    :raises FileFormatError: if one is missing: below another one, or of the number that an ``.info`` file states.
    """
    found = [re.fullmatch(r'train(\d{1,4})', path.name) for path in directory.iterdir() if path.is_dir()]
    numbers = {int(match[1]) for match in found if match}
    n_members = max([0, *numbers]) + 1
    for info in (directory / _INFO, directory.with_name(f'{directory.name}.info')):
        if info.is_file():
            n_members = max(n_members, _guarded(info, _read_n_members))
    missing = sorted(set(range(n_members)) - numbers)
    if missing:
        raise FileFormatError(f'{directory}: there is no folder train{missing[0]}, but there should be {n_members}.')
    return [directory / f'train{number}' for number in range(n_members)]


def _read_n_members(info: Path) -> int:
    """Return the number of members, which is on the fourth line of an ``.info`` file."""
    text = _content(info, info.parent, max_bytes=_MAX_TEXT_BYTES).decode('ascii')
    number = int(text.split('\n')[3])
    if not 0 < number <= _MAX_MEMBERS:
        raise ValueError(f'{number} members')
    return number


@dataclass(frozen=True)
class _Network:
    """One member's layers: weights ``[out, in]`` and biases ``[out]``."""

    weights: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]


def _ensemble(
    element: str, descriptor: dict[str, Any], hidden: list[int], members: list[_Network], self_energy: float
) -> Ensemble:
    values = {
        'element': element,
        'descriptor': descriptor,
        'hidden_layers': hidden,
        'celu_alpha': _CELU_ALPHA,
        'n_members': len(members),
    }
    layers = range(len(hidden) + 1)
    weights: list[NDArray[np.floating]] = [np.stack([member.weights[layer] for member in members]) for layer in layers]
    biases: list[NDArray[np.floating]] = [np.stack([member.biases[layer] for member in members]) for layer in layers]
    weights[-1] = weights[-1].astype(np.float64) * Hartree
    biases[-1] = biases[-1].astype(np.float64) * Hartree
    return Ensemble(ModelSettings.parse(values), tuple(weights), tuple(biases), self_energy * Hartree)


def _guarded(path: Path, read: Callable[[Path], T]) -> T:
    """Return ``read(path)``, turning every failure into one sentence about ``path``."""
    try:
        return read(path)
    except FileFormatError as exception:
        raise FileFormatError(one_line(exception)) from exception
    except FileNotFoundError as exception:
        raise FileFormatError(one_line(f'{exception.filename}: there is no such file.')) from exception
    except (AnialError, ArithmeticError, EOFError, LookupError, OSError, TypeError, ValueError) as exception:
        problem = str(exception)[:200].rstrip('.')
        raise FileFormatError(
            one_line(f'{path}: not a NeuroChem file of one element, or damaged ({problem}).')
        ) from exception


def _only_file(directory: Path, pattern: str) -> Path:
    """Return the only file in ``directory`` that matches ``pattern``."""
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise FileFormatError(f'{directory}: {len(found)} files match {pattern} where a NeuroChem model has one.')
    return found[0]


def _content(path: Path, directory: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a file of the model.

    :param directory: the folder of the model; links must not lead out of it.
    :raises FileFormatError: if the file is missing, lies elsewhere, or has more than ``max_bytes``.
    """
    if not path.exists():
        raise FileFormatError(f'{path}: there is no such file.')
    if not path.resolve().is_relative_to(directory.resolve()):
        raise FileFormatError(f'{path}: is a link to a file outside the folder of the model.')
    if not path.is_file():
        raise FileFormatError(f'{path}: is not a file.')
    if path.stat().st_size > max_bytes:
        raise FileFormatError(f'{path}: has {path.stat().st_size} bytes where at most {max_bytes} are allowed.')
    return path.read_bytes()


def _read_parameters(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the element, and the descriptor settings by key."""
    text = _content(path, path.parent, max_bytes=_MAX_TEXT_BYTES).decode('utf-8')
    pairs = (line.partition('=') for line in text.splitlines() if '=' in line)
    entries = {name.strip(): value.strip().removeprefix('[').removesuffix(']') for name, _, value in pairs}
    elements = [symbol.strip() for symbol in entries['Atyp'].split(',')]
    if len(elements) != 1:
        raise FileFormatError(f'{path}: describes {len(elements)} elements where one is needed.')
    # The symbol becomes part of file names.
    if re.fullmatch('[A-Z][a-z]?', elements[0]) is None:
        raise FileFormatError(f'{path}: {elements[0][:40]!r} is not a chemical symbol.')
    values: dict[str, Any] = {}
    for key, name in _KEYS.items():
        numbers = [float(number) for number in entries[key].split(',')]
        values[name] = numbers if key.startswith('Shf') else numbers[0]
        if not key.startswith('Shf') and len(numbers) > 1:
            raise FileFormatError(f'{path}: {key} has {len(numbers)} values where one is supported.')
    return elements[0], values


def _read_self_energy(path: Path, element: str) -> float:
    """Return the self energy of an atom of ``element`` in hartree."""
    for line in _content(path, path.parent, max_bytes=_MAX_TEXT_BYTES).decode('utf-8').splitlines():
        name, _, value = line.partition('=')
        if name.partition(',')[0].strip() == element:
            return float(value)
    raise FileFormatError(f'{path}: has no self energy of {element}.')


def _read_network(path: Path, directory: Path) -> _Network:
    """Return the network that an ``.nnf`` file describes."""
    content = _content(path, directory, max_bytes=_MAX_TEXT_BYTES)
    # The length of the text precedes the compressed text.
    unpacker = bz2.BZ2Decompressor()
    text = unpacker.decompress(content[content.index(b'BZh') :], max_length=_MAX_TEXT_BYTES).decode('ascii')
    if not unpacker.eof:
        raise FileFormatError(f'{path}: is cut short, or has more than {_MAX_TEXT_BYTES} bytes of text.')
    layers = [_entries(layer) for layer in text.split('layer')[1:]]
    activations = [layer['activation'] for layer in layers]
    if activations != [_CELU] * (len(layers) - 1) + [_LINEAR] or len(layers) < 2:
        raise FileFormatError(f'{path}: has activations {activations} where CELU (9) and a linear layer (6) are known.')
    weights, biases = [], []
    for layer in layers:
        n_out, n_in = int(layer['nodes']), int(layer['blocksize'])
        weights.append(_read_numbers(path, layer['weights'], (n_out, n_in), directory))
        biases.append(_read_numbers(path, layer['biases'], (n_out,), directory))
    return _Network(weights, biases)


def _entries(layer: str) -> dict[str, str]:
    """Return the entries ``name=value;`` of a layer."""
    pairs = (entry.partition('=') for entry in layer.split(';'))
    return {words[-1]: value for before, sign, value in pairs if sign and (words := re.findall(r'\w+', before))}


def _read_numbers(network: Path, entry: str, shape: tuple[int, ...], directory: Path) -> NDArray[np.float32]:
    """Return the numbers in the file that an entry ``FILE:<name>[<count>]`` of ``network`` names."""
    match = re.fullmatch(r'FILE:([\w.-]+)\[(\d+)\]', entry, re.ASCII)
    if match is None:
        raise ValueError(f'{entry[:100]!r} does not name a file')
    path = network.with_name(match[1])
    content = _content(path, directory, max_bytes=_MAX_NUMBERS_BYTES)
    if len(content) != 4 * math.prod(shape) or len(content) != 4 * int(match[2]):
        raise FileFormatError(f'{path}: holds {len(content)} bytes where {4 * math.prod(shape)} are needed.')
    numbers = np.frombuffer(content, dtype='<f4')
    if not np.isfinite(numbers).all():
        raise FileFormatError(f'{path}: a number in it is not finite.')
    reshaped: NDArray[np.float32] = numbers.astype(np.float32).reshape(shape)
    return reshaped


def write_neurochem(directory: Path, ensemble: Ensemble) -> None:
    """Write a folder like that of the published ANI-Al, without training logs; torchani reads it too.

    Energies are in hartree and weights in float32. An ensemble read from such a folder is written back exactly; one
    trained in float64 keeps seven digits of each weight.

    :param directory: an empty folder.
    :raises AnialError: if NeuroChem lacks the activation, or a weight is not finite in float32.
    """
    if ensemble.model.celu_alpha != _CELU_ALPHA:
        raise AnialError(f'celu_alpha: NeuroChem has {_CELU_ALPHA} and not {ensemble.model.celu_alpha:g}.')
    element, settings = ensemble.model.element, ensemble.model.descriptor
    name = (
        f'r{element}-{settings.radial_cutoff_angstrom:.1f}R_{settings.n_radial}-{settings.angular_cutoff_angstrom:.1f}A'
        f'_a{len(settings.angular_shifts_angstrom)}-{len(settings.angle_shifts_rad)}.params'
    )
    (directory / name).write_text(_parameters_text(element, settings), encoding='ascii')
    (directory / 'sae_linfit.dat').write_text(f'{element},0={ensemble.self_energy / Hartree!r}\n', encoding='ascii')
    (directory / _INFO).write_text(f'{name}\nsae_linfit.dat\ntrain\n{ensemble.n_members}\n', encoding='ascii')
    for member in range(ensemble.n_members):
        folder = directory / f'train{member}' / 'networks'
        folder.mkdir(parents=True)
        _write_network(folder, ensemble, member)


def _parameters_text(element: str, settings: DescriptorSettings) -> str:
    """Return the text of the ``.params`` file: the constants of the descriptor."""
    values = {
        'EtaR': [settings.radial_eta_per_angstrom2],
        'ShfR': settings.radial_shifts_angstrom,
        'Zeta': [settings.angular_zeta],
        'ShfZ': settings.angle_shifts_rad,
        'EtaA': [settings.angular_eta_per_angstrom2],
        'ShfA': settings.angular_shifts_angstrom,
    }
    lines = [f'Rcr = {settings.radial_cutoff_angstrom!r}', f'Rca = {settings.angular_cutoff_angstrom!r}']
    lines += [f'{key} = [{",".join(map(repr, numbers))}]' for key, numbers in values.items()]
    return '\n'.join(['TM = 1', *lines, f'Atyp = [{element}]', ''])


def _write_network(folder: Path, ensemble: Ensemble, member: int) -> None:
    """Write the description of one member's network and the files of its numbers."""
    name = f'ANN-{ensemble.model.element}.nnf'
    sizes = ensemble.model.layer_sizes
    text = f'inputsize={sizes[0]};\natom_net {ensemble.model.element} $\n'
    for number, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        is_last = number == len(sizes) - 1
        text += _LAYER.format(
            name=name,
            number=number,
            n_in=n_in,
            n_out=n_out,
            n_weights=n_in * n_out,
            activation=_LINEAR if is_last else _CELU,
        )
        for values, ending in ((ensemble.weights, 'wparam'), (ensemble.biases, 'bparam')):
            numbers = _raw_numbers(values[number - 1][member], scale=Hartree if is_last else 1.0)
            (folder / f'{name}-l{number}.{ending}').write_bytes(numbers)
    content = f'{text}\n $\0'.encode('ascii')
    (folder / name).write_bytes(f'{len(content)}=\n'.encode('ascii') + bz2.compress(content))


def _raw_numbers(values: NDArray[np.floating], *, scale: float) -> bytes:
    """Return ``values / scale`` as raw float32."""
    with np.errstate(over='ignore'):
        numbers = (values.astype(np.float64) / scale).astype('<f4')
    if not np.isfinite(numbers).all():
        raise AnialError('ensemble: a weight is too large for float32.')
    return numbers.tobytes()
