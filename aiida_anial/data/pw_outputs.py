"""Read the label, the level of theory and the k-points from a finished pw.x calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import units

from aiida_anial.common.labels import Label
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.structures import to_cells

__all__ = ('pw_kpoints', 'pw_label', 'pw_level_of_theory')

_SMEARING = {
    **dict.fromkeys(('cold', 'mv', 'm-v', 'marzari-vanderbilt'), 'cold'),
    **dict.fromkeys(('gauss', 'gaussian'), 'gaussian'),
    **dict.fromkeys(('mp', 'm-p', 'methfessel-paxton'), 'methfessel-paxton'),
    **dict.fromkeys(('fd', 'f-d', 'fermi-dirac'), 'fermi-dirac'),
}


def pw_label(cell: orm.StructureData, parameters: orm.Dict, trajectory: orm.TrajectoryData) -> Label:
    """Return the label from the outputs of one calculation.

    The energy is the smeared free energy, which pw.x marks with ``!``, because the forces are its derivatives.
    """
    cells = to_cells({'cell': cell})
    # pw.x prints the stress in GPa, positive in compression; the stress of a label is positive in tension.
    stress = -trajectory.get_array('stress')[-1] * units.GPa
    return Label(
        positions=cells.positions,
        lattice=cells.lattices[0],
        species=cells.species,
        energy=float(parameters['energy']),
        forces=np.asarray(trajectory.get_array('forces')[-1]),
        stress=np.asarray(stress),
        uuid=parameters.creator.uuid,
    )


def pw_level_of_theory(
    parameters: orm.Dict, *, kpoints_distance: float | None = None, kpoints_density: int | None = None
) -> LevelOfTheory:
    """Return the level of theory of the calculation that created ``parameters``.

    :param kpoints_distance: largest distance between k-points, in 1/angstrom, if the mesh was chosen by it.
    :param kpoints_density: k-points per reciprocal atom, if the mesh was chosen by it.
    """
    inputs: Any = parameters.creator.inputs
    namelists = inputs.parameters.get_dict()['SYSTEM'] if 'parameters' in inputs else {}
    printed = parameters.get_dict()
    smeared = namelists.get('occupations') == 'smearing'
    smearing = str(namelists.get('smearing', 'gaussian')).lower()
    by_rule = kpoints_distance is not None or kpoints_density is not None
    mesh = printed.get('monkhorst_pack_grid') if not by_rule else None
    wavefunction = namelists.get('ecutwfc')
    return LevelOfTheory(
        code='pw.x',
        version=printed.get('creator_version'),
        functional=printed.get('dft_exchange_correlation'),
        pseudo_md5=_pseudo_md5(inputs.pseudos) if 'pseudos' in inputs else None,
        ecutwfc_ry=wavefunction,
        ecutrho_ry=namelists.get('ecutrho', 4 * wavefunction if wavefunction else None),
        smearing=_SMEARING.get(smearing, smearing) if smeared else None,
        degauss_ry=namelists.get('degauss') if smeared else None,
        kpoints_mesh=tuple(mesh) if mesh else None,
        kpoints_distance_per_angstrom=kpoints_distance,
        kpoints_per_reciprocal_atom=kpoints_density,
    )


def _pseudo_md5(pseudos: Mapping[str, Any]) -> str:
    """Return the MD5 of the pseudopotential; for several elements, those of all, each after its symbol."""
    by_element = {pseudo.element: pseudo.md5 for pseudo in pseudos.values()}
    if len(by_element) == 1:
        return str(next(iter(by_element.values())))
    return ' '.join(f'{element}:{md5}' for element, md5 in sorted(by_element.items()))


def pw_kpoints(parameters: orm.Dict) -> str | None:
    """Return the mesh of k-points, such as ``2x2x3``."""
    mesh = parameters.get_dict().get('monkhorst_pack_grid')
    return 'x'.join(str(number) for number in mesh) if mesh else None
