"""Energies of isolated atoms, from calculations by pw.x at the level of theory of the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import minkowski_reduce
from ase.io import write

from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.pw_outputs import pw_level_of_theory

__all__ = ('CONFIG_TYPE', 'isolated_atoms', 'write_isolated_atoms')

CONFIG_TYPE = 'IsolatedAtom'
"""Value of ``config_type`` by which MACE and others recognise an isolated atom."""

_MIN_BOX = 10.0
# Smearing is left out: a width that suits a metal is too large for an atom.
_SAME = ('code', 'functional', 'ecutwfc_ry', 'ecutrho_ry')


def isolated_atoms(processes: Iterable[Any], theories: Sequence[LevelOfTheory | None]) -> list[Atoms]:
    """Return each isolated atom with its energy in eV.

    :param processes: finished calculations by pw.x, or work chains around them, of one spin-polarised atom in a box.
    :param theories: levels of theory of the labels.
    :raises AnialError: if a calculation is of something else, or at another level of theory than the labels.
    """
    found: dict[str, Atoms] = {}
    for process in processes:
        parameters, structure = _outcome(process)
        atoms = structure.get_ase()
        _check_box(process, atoms, parameters)
        for theory in theories:
            _check_theory(process, pw_level_of_theory(parameters), theory)
        symbol = atoms.get_chemical_symbols()[0]
        if symbol in found:
            raise _refusal(process, f'{symbol} has been given already')
        found[symbol] = _isolated(symbol, float(parameters['energy']), str(parameters.creator.uuid))
    return list(found.values())


def write_isolated_atoms(path: Path, atoms: Sequence[Atoms]) -> None:
    """Write them as extended XYZ, each with ``config_type`` and without a cell."""
    write(path, atoms, format='extxyz')


def _isolated(symbol: str, energy: float, calculation: str) -> Atoms:
    atoms = Atoms(symbol, info={'config_type': CONFIG_TYPE, 'calculation': calculation})
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
    return atoms


def _outcome(process: Any) -> tuple[orm.Dict, orm.StructureData]:
    """Return the parsed output of the calculation and its structure."""
    if not isinstance(process, orm.ProcessNode) or not process.is_finished_ok:
        raise _refusal(process, 'it is not a process that finished well')
    parameters = next((node for name, node in _outputs(process).items() if name == 'output_parameters'), None)
    if not isinstance(parameters, orm.Dict) or 'energy' not in parameters.get_dict():
        raise _refusal(process, 'it has no energy by pw.x')
    return parameters, parameters.creator.inputs.structure


def _outputs(process: Any) -> Mapping[str, Any]:
    return {link.link_label: link.node for link in process.base.links.get_outgoing().all()}


def _check_box(process: Any, atoms: Atoms, parameters: orm.Dict) -> None:
    """Refuse anything but one spin-polarised atom far from its images."""
    if len(atoms) != 1:
        raise _refusal(process, f'it has {len(atoms)} atoms where one is needed')
    reduced, _ = minkowski_reduce(atoms.cell.array)
    distance = float(np.linalg.norm(reduced, axis=1).min())
    if distance < _MIN_BOX:
        raise _refusal(process, f'the atom is {distance:.1f} angstrom from its image where {_MIN_BOX:g} are needed')
    if parameters.get_dict().get('number_of_spin_components') != 2:
        raise _refusal(process, 'it is not spin-polarised; set nspin = 2 and a starting_magnetization')


def _check_theory(process: Any, own: LevelOfTheory, labels: LevelOfTheory | None) -> None:
    """Refuse a level of theory whose energies cannot be compared with those of the labels."""
    if labels is None:
        raise _refusal(process, 'the level of theory of the labels is not known')
    mine, theirs = own.to_dict(), labels.to_dict()
    for name in _SAME:
        if mine[name] != theirs[name]:
            raise _refusal(process, f'its {name} is {mine[name]} and that of the labels {theirs[name]}')
    # That of the labels is one checksum, or `Al:MD5 Ni:MD5`.
    if own.pseudo_md5 not in {word.split(':')[-1] for word in (labels.pseudo_md5 or '').split()}:
        raise _refusal(process, 'its pseudopotential is not that of the labels')


def _refusal(process: Any, reason: str) -> AnialError:
    return AnialError(f'--isolated-atom: {getattr(process, "pk", process)} cannot be used: {reason}.')
