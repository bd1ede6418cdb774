"""Ensembles in the files of the NeuroChem program, which torchani reads too."""

from __future__ import annotations

import bz2
import itertools
from pathlib import Path

import numpy as np
from ase.units import Hartree
from numpy.typing import NDArray

from aiida_anial.common.errors import AnialError
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('write_neurochem',)

# NeuroChem's CELU has this alpha and no other.
_ALPHA = 0.1
_CELU, _LINEAR = 9, 6

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


def write_neurochem(directory: Path, ensemble: Ensemble) -> None:
    """Write a folder as that of the published ANI-Al, without the logs of its training.

    Energies are hartree there, and weights float32: of an ensemble that was read from such a folder no bit is lost, of
    one that was trained in float64 all but seven digits of each weight.

    :param directory: an empty folder.
    :raises AnialError: if the activation is not that of NeuroChem, or a weight is not finite in float32.
    """
    if ensemble.model.celu_alpha != _ALPHA:
        raise AnialError(f'celu_alpha: NeuroChem has {_ALPHA} and not {ensemble.model.celu_alpha:g}.')
    element, settings = ensemble.model.element, ensemble.model.descriptor
    name = (
        f'r{element}-{settings.radial_cutoff_angstrom:.1f}R_{settings.n_radial}-{settings.angular_cutoff_angstrom:.1f}A'
        f'_a{len(settings.angular_shifts_angstrom)}-{len(settings.angle_shifts_rad)}.params'
    )
    (directory / name).write_text(_parameters(element, settings), encoding='ascii')
    (directory / 'sae_linfit.dat').write_text(f'{element},0={ensemble.self_energy / Hartree!r}\n', encoding='ascii')
    for member in range(ensemble.n_members):
        folder = directory / f'train{member}' / 'networks'
        folder.mkdir(parents=True)
        _write_network(folder, ensemble, member)


def _parameters(element: str, settings: DescriptorSettings) -> str:
    """Return the text of the constants of the descriptor."""
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
    """Write the description of one member's network, and its numbers."""
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
            numbers = _numbers(values[number - 1][member], scale=Hartree if is_last else 1.0)
            (folder / f'{name}-l{number}.{ending}').write_bytes(numbers)
    content = f'{text}\n $\0'.encode('ascii')
    (folder / name).write_bytes(f'{len(content)}=\n'.encode('ascii') + bz2.compress(content))


def _numbers(values: NDArray[np.floating], *, scale: float) -> bytes:
    """Return ``values`` over ``scale`` as raw float32."""
    with np.errstate(over='ignore'):
        numbers = (values.astype(np.float64) / scale).astype('<f4')
    if not np.isfinite(numbers).all():
        raise AnialError('ensemble: a weight is too large for float32.')
    return numbers.tobytes()
