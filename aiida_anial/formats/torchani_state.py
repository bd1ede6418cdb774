"""Ensembles as the state of a torchani model, which torchani loads without this package."""

from __future__ import annotations

from pathlib import Path

import torch

from aiida_anial.common.tensors import TensorFile, write_tensors
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.torchani_model import to_torchani

__all__ = ('write_torchani_state',)

_KIND = 'torchani'
_SCHEMA_VERSION = 1


def write_torchani_state(path: Path, ensemble: Ensemble) -> None:
    """Write ``state_dict()`` of the ``torchani.arch.ANI`` in float64 to a safetensors file, energies in hartree.

    The metadata hold what the constructors of torchani are given, by the names of their arguments.
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
