"""Ensembles as models of metatomic, which ASE, torch-sim, i-PI and builds of LAMMPS read.

Imported only to write such a file: it needs the extra ``metatomic``. Its code becomes TorchScript, so its types are
those that TorchScript knows.
"""

# torch reads these types at run time, and metatomic insists on those of `typing`.
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Optional

import torch
from ase.data import atomic_numbers
from ase.units import Hartree
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)
from torchani.neighbors import Neighbors

from aiida_anial.formats.torchscript import reproducible
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.torchani_model import to_torchani

__all__ = ('MemberEnergies', 'write_metatomic')

_OUTPUTS = {
    'energy': 'mean energy of the members',
    'energy_ensemble': 'energies of the members',
    'energy_uncertainty': 'standard deviation of the energies of the members, that of a sample',
}


class MemberEnergies(torch.nn.Module):
    """Energies of the members by atom, from the neighbour lists of the program.

    :param model: model of torchani.
    :param n_members: number of members.
    :param cutoff: angstrom.
    :param hartree: one hartree in eV.
    """

    def __init__(self, model: Any, n_members: int, cutoff: float, hartree: float) -> None:
        super().__init__()
        self.model = model
        self.n_members = n_members
        self.hartree = hartree
        # Each pair once, as torchani wants it, and none beyond the cutoff.
        self.options = NeighborListOptions(cutoff=cutoff, full_list=False, strict=True)

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        """Return the list that the program must make."""
        return [self.options]

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels],
    ) -> Dict[str, TensorMap]:
        """Return the outputs that are asked for, in eV, by system or by atom.

        :param selected_atoms: atoms whose energies count; all if None. Others are neighbours only.
        """
        by_atom: list[torch.Tensor] = []
        by_system: list[torch.Tensor] = []
        samples: list[torch.Tensor] = []
        for index, system in enumerate(systems):
            energies = self.energies(system)
            atoms = torch.arange(len(system), device=energies.device)
            if selected_atoms is not None:
                chosen = selected_atoms.column('system') == index
                atoms = selected_atoms.column('atom')[chosen].to(device=energies.device, dtype=torch.int64)
            energies = energies[atoms]
            by_atom.append(energies)
            by_system.append(energies.sum(dim=0, keepdim=True))
            samples.append(torch.stack([torch.full_like(atoms, index), atoms], dim=1))
        results: dict[str, TensorMap] = {}
        for name, output in outputs.items():
            if output.sample_kind == 'atom':
                members = torch.cat(by_atom)
                labels = Labels(['system', 'atom'], torch.cat(samples).to(torch.int32))
            else:
                members = torch.cat(by_system)
                numbers = torch.arange(len(systems), dtype=torch.int32, device=members.device)
                labels = Labels(['system'], numbers.unsqueeze(1))
            results[name] = self.block(name, members, labels)
        return results

    def energies(self, system: System) -> torch.Tensor:
        """Return the energies ``[n, M]`` of the atoms by the members, eV."""
        pairs = system.get_neighbor_list(self.options)
        indices = pairs.samples.values[:, :2].to(torch.int64).t()
        vectors = pairs.values.squeeze(-1)
        neighbours = Neighbors(indices, torch.linalg.vector_norm(vectors, dim=1), vectors)
        n_atoms = len(system)
        kinds = torch.zeros((1, n_atoms), dtype=torch.int64, device=vectors.device)
        positions = system.positions.unsqueeze(0)
        found = self.model.compute_from_neighbors(kinds, positions, neighbours, 0, True, True).energies
        energies: torch.Tensor = found.reshape(self.n_members, n_atoms).t() * self.hartree
        return energies

    def block(self, name: str, members: torch.Tensor, samples: Labels) -> TensorMap:
        """Return one output of energies ``[sample, M]``."""
        if name == 'energy_ensemble':
            values = members
        elif name == 'energy':
            values = members.mean(dim=1, keepdim=True)
        elif self.n_members == 1:
            values = torch.zeros_like(members)
        else:
            values = members.std(dim=1, keepdim=True)
        numbers = torch.arange(values.shape[1], dtype=torch.int32, device=values.device)
        properties = Labels(['energy'], numbers.unsqueeze(1))
        components: list[Labels] = []
        block = TensorBlock(values, samples, components, properties)
        return TensorMap(Labels(['_'], torch.zeros((1, 1), dtype=torch.int32, device=values.device)), [block])


def write_metatomic(path: Path, ensemble: Ensemble) -> None:
    """Write an ensemble as a model of metatomic, in float64.

    Its outputs are ``energy``, ``energy_ensemble`` and ``energy_uncertainty``, by system and by atom.
    """
    cutoff = ensemble.model.cutoff_angstrom
    model = to_torchani(ensemble, dtype=torch.float64)
    module = MemberEnergies(model, ensemble.n_members, cutoff, float(Hartree))
    module.requires_grad_(requires_grad=False)
    capabilities = ModelCapabilities(
        outputs={name: ModelOutput(unit='eV', sample_kind='atom', description=text) for name, text in _OUTPUTS.items()},
        atomic_types=[atomic_numbers[ensemble.model.element]],
        interaction_range=cutoff,
        length_unit='angstrom',
        supported_devices=['cpu', 'cuda'],
        dtype='float64',
    )
    metadata = ModelMetadata(
        name=f'{ensemble.n_members} ANI networks for {ensemble.model.element}',
        description='An ensemble of ANI networks, made by aiida-anial.',
        references={
            'architecture': ['https://doi.org/10.1039/C6SC05720A', 'https://doi.org/10.1038/s41467-021-21376-0']
        },
    )
    with warnings.catch_warnings():
        # torch warns for every function that TorchScript is deprecated.
        warnings.simplefilter('ignore')
        with TemporaryDirectory() as folder:
            # torch writes the name of the file into it.
            file = Path(folder) / 'model.pt'
            AtomisticModel(module.eval(), metadata, capabilities).save(str(file))
            path.write_bytes(reproducible(file.read_bytes()))
