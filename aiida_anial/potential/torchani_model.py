"""Ensembles as models of the torchani library."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import torch
from ase.units import Hartree

from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.settings import DescriptorSettings

__all__ = ('to_torchani',)

# The alpha of torchani's own CELU, the only one that its optimised networks support.
_TIGHT_ALPHA = 0.1


def to_torchani(ensemble: Ensemble, *, dtype: torch.dtype = torch.float32) -> Any:
    """Return ``ensemble`` as a ``torchani.arch.ANI`` model, whose energies are in hartree.

    :param ensemble: the potential.
    :param dtype: precision, also of the constants of the descriptor, which torchani itself rounds to float32.
    """
    with warnings.catch_warnings():
        # On import, torchani warns that it was built without CUDA.
        warnings.simplefilter('ignore')
        from torchani.arch import ANI
        from torchani.nn import ANINetworks
        from torchani.nn import Ensemble as Networks
        from torchani.sae import SelfEnergy
    element = ensemble.model.element
    members = [
        ANINetworks(OrderedDict([(element, _network(ensemble, member))])) for member in range(ensemble.n_members)
    ]
    descriptor = _descriptor(ensemble.model.descriptor)
    model = ANI([element], descriptor, Networks(members), SelfEnergy([element], [0.0])).to(dtype)
    model.energy_shifter.self_energies = torch.tensor([ensemble.self_energy / Hartree], dtype=dtype)
    _set_constants(descriptor, ensemble.model.descriptor, dtype)
    return model


def _network(ensemble: Ensemble, member: int) -> Any:
    """Return the network of one member in float64, with energies in hartree."""
    from torchani.nn import AtomicNetwork

    alpha = ensemble.model.celu_alpha
    activation = 'celu' if alpha == _TIGHT_ALPHA else torch.nn.CELU(alpha)
    network = AtomicNetwork(ensemble.model.layer_sizes, activation=activation, bias=True)
    layers = [*network.layers, network.final_layer]
    for layer, weight, bias in zip(layers, ensemble.weights, ensemble.biases, strict=True):
        scale = Hartree if layer is network.final_layer else 1.0
        layer.weight = torch.nn.Parameter(torch.tensor(weight[member], dtype=torch.float64) / scale)
        layer.bias = torch.nn.Parameter(torch.tensor(bias[member], dtype=torch.float64) / scale)
    return network


def _descriptor(settings: DescriptorSettings) -> Any:
    """Return torchani's ``AEVComputer``, for cells of any size."""
    from torchani.aev import AEVComputer

    return AEVComputer.from_constants(
        radial_cutoff=settings.radial_cutoff_angstrom,
        angular_cutoff=settings.angular_cutoff_angstrom,
        radial_eta=settings.radial_eta_per_angstrom2,
        radial_shifts=settings.radial_shifts_angstrom,
        angular_eta=settings.angular_eta_per_angstrom2,
        angular_zeta=settings.angular_zeta,
        angular_shifts=settings.angular_shifts_angstrom,
        sections=settings.angle_shifts_rad,
        num_species=1,
        cutoff_fn='cosine',
        neighborlist='all_pairs',
    )


def _set_constants(descriptor: Any, settings: DescriptorSettings, dtype: torch.dtype) -> None:
    """Set the constants of torchani's descriptor again, without rounding to float32."""
    radial, angular = descriptor.radial, descriptor.angular
    radial.eta = torch.tensor([settings.radial_eta_per_angstrom2], dtype=dtype)
    radial.shifts = torch.tensor(settings.radial_shifts_angstrom, dtype=dtype)
    angular.eta = torch.tensor([settings.angular_eta_per_angstrom2], dtype=dtype)
    angular.zeta = torch.tensor([settings.angular_zeta], dtype=dtype)
    angular.shifts = torch.tensor(settings.angular_shifts_angstrom, dtype=dtype)
    angular.sections = torch.tensor(settings.angle_shifts_rad, dtype=dtype)
