"""Ensembles as files for torch: the state of a torchani model, or TorchScript."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import torch
from ase.data import atomic_numbers
from ase.units import Hartree

from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.formats.torchscript import reproducible
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.torchani_model import to_torchani

__all__ = ('Potential', 'write_torchani_state', 'write_torchscript')

_KIND = 'torchani'
_SCHEMA_VERSION = 1


def write_torchani_state(path: Path, ensemble: Ensemble) -> None:
    """Write the ``state_dict()`` of the ``torchani.arch.ANI`` model to a safetensors file, in float64 and hartree.

    The metadata hold the arguments of the constructors of torchani by name.
    """
    model = to_torchani(ensemble, dtype=torch.float64)
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    settings = ensemble.model.descriptor
    metadata = {
        'units': {'energy': 'hartree', 'length': 'angstrom'},
        'symbols': [ensemble.model.element],
        'n_members': ensemble.n_members,
        'layer_dims': list(ensemble.model.layer_sizes),
        'celu_alpha': ensemble.model.celu_alpha,
        'aev_constants': {
            'radial_cutoff': settings.radial_cutoff_angstrom,
            'angular_cutoff': settings.angular_cutoff_angstrom,
            'radial_eta': settings.radial_eta_per_angstrom2,
            'radial_shifts': settings.radial_shifts_angstrom,
            'angular_eta': settings.angular_eta_per_angstrom2,
            'angular_zeta': settings.angular_zeta,
            'angular_shifts': settings.angular_shifts_angstrom,
            'sections': settings.angle_shifts_rad,
            'num_species': 1,
            'cutoff_fn': 'cosine',
        },
    }
    write_tensors(path, TensorFile(_KIND, _SCHEMA_VERSION, metadata, arrays))


_DESCRIPTION = {
    'format': 'aiida-anial TorchScript potential',
    'format_version': 1,
    'inputs': 'positions [n, 3] in angstrom, lattice [3, 3] in angstrom with one vector a row, both float64',
    'outputs': 'energy in eV (mean of the members), energies of the members [M] in eV',
}


class Potential(torch.nn.Module):
    """Energy of a periodic cell of one element; torch derives forces and stress from it.

    :param model: model of torchani.
    :param number: atomic number of the element.
    :param hartree: one hartree in eV.
    """

    def __init__(self, model: torch.nn.Module, number: int, hartree: float) -> None:
        super().__init__()
        self.model = model
        self.number = number
        self.hartree = hartree

    def forward(self, positions: torch.Tensor, lattice: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean energy and the energies of the members ``[M]``, in eV.

        :param positions: ``[n, 3]`` in angstrom; they may lie outside the cell.
        :param lattice: ``[3, 3]`` in angstrom, one vector a row.
        """
        species = torch.full((1, positions.shape[0]), self.number, dtype=torch.long, device=positions.device)
        pbc = torch.ones(3, dtype=torch.bool, device=positions.device)
        energies = self.model((species, positions.unsqueeze(0)), lattice, pbc, 0, False, True).energies
        members = energies.reshape(-1) * self.hartree
        return members.mean(), members


def write_torchscript(path: Path, ensemble: Ensemble) -> None:
    """Write a file for ``torch.jit.load``, in float64; the same ensemble gives the same bytes."""
    model = to_torchani(ensemble, dtype=torch.float64)
    potential = Potential(model, atomic_numbers[ensemble.model.element], float(Hartree))
    potential.requires_grad_(requires_grad=False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch warns for every function that TorchScript is deprecated.
        warnings.simplefilter('ignore')
        scripted = torch.jit.script(potential.eval())
        description = json.dumps(_DESCRIPTION | {'model': ensemble.model.to_dict()}, sort_keys=True)
        torch.jit.save(scripted, buffer, _extra_files={'description.json': description})
    path.write_bytes(reproducible(buffer.getvalue()))
