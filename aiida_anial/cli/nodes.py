"""Load the nodes that options name, or refuse them in one sentence."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily
from aiida_pseudo.groups.mixins import RecommendedCutoffMixin

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import is_beyond, loaded
from aiida_anial.formats.files import check_name
from aiida_anial.formats.upf import upf_fault

__all__ = ('code', 'ensemble', 'finished_pw', 'potential_file', 'pseudo_and_cutoffs')


def code(identifier: str, plugin: str, option: str) -> orm.AbstractCode:
    """Return the code ``identifier``.

    :param plugin: entry point of the calculation that it must run.
    :param option: option to name in messages.
    :raises AnialError: if there is no such code, or it runs another calculation.
    """
    try:
        if is_beyond(identifier):
            raise NotExistent(identifier)
        found = orm.load_code(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        labels = [entry.full_label for entry in orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)]
        close = difflib.get_close_matches(identifier, labels, n=1)
        hint = f'did you mean {close[0]!r}?' if close else 'run `aiida-anial setup`, or see `verdi code list`.'
        raise AnialError(f'{option}: there is no code {identifier!r}; {hint}') from exception
    given = found.default_calc_job_plugin
    if given is not None and given.split('.')[0] != plugin.split('.', maxsplit=1)[0]:
        raise AnialError(f'{option}: code {identifier!r} runs {given!r}, not {plugin!r}.')
    return found


def pseudo_and_cutoffs(inputs: CampaignInputs) -> tuple[UpfData, CampaignInputs]:
    """Return the pseudopotential of aluminium, and the inputs with the cutoffs of its family if they have none.

    :raises AnialError: if the family is not installed, has no aluminium, or recommends no cutoffs.
    """
    label = inputs.label.qe.pseudo_family
    key = 'label.qe.pseudo_family'
    family = orm.QueryBuilder().append(PseudoPotentialFamily, filters={'label': label}).first(flat=True)
    if family is None:
        raise AnialError(f'{key}: no family {label!r} is installed; run `aiida-anial setup` or `aiida-pseudo install`.')
    try:
        pseudo = family.get_pseudo('Al')
    except ValueError as exception:
        raise AnialError(f'{key}: the family {label!r} has no pseudopotential for Al.') from exception
    if (fault := _pseudo_fault(pseudo)) is not None:
        raise AnialError(f'{key}: the file for Al in the family {label!r} is not a valid pseudopotential: {fault}.')
    if inputs.label.qe.ecutwfc_ry is not None:
        return pseudo, inputs
    if not isinstance(family, RecommendedCutoffMixin):
        raise AnialError(f'label.qe.ecutwfc_ry: the family {label!r} recommends no cutoffs; give them here.')
    wfc, rho = family.get_recommended_cutoffs(elements='Al', unit='Ry')
    qe = inputs.label.qe.model_copy(update={'ecutwfc_ry': wfc, 'ecutrho_ry': rho})
    return pseudo, inputs.model_copy(update={'label': inputs.label.model_copy(update={'qe': qe})})


def _pseudo_fault(pseudo: UpfData) -> str | None:
    """Return what is wrong with a pseudopotential, or None."""
    with pseudo.open(mode='rb') as stream:
        content = stream.read()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != pseudo.md5:
        return 'its MD5 differs from the stored one'
    return upf_fault(content, element='Al')


def potential_file(path: Path | None) -> orm.SinglefileData:
    """Return an EAM file as an unstored node.

    :raises AnialError: if no file is given, it is not an EAM file with aluminium, or its name has no known suffix.
    """
    # Imported here because it loads scipy.
    from aiida_anial.potential.eam import EAM_SUFFIXES, read_eam

    if path is None:
        raise AnialError('--potential: the labeller eam needs a potential file.')
    if not path.name.endswith(EAM_SUFFIXES):
        raise AnialError(f'--potential: {path.name!r} must end in {" or ".join(EAM_SUFFIXES)}.')
    try:
        check_name(path.name)
        read_eam(path)
    except AnialError as exception:
        raise AnialError(f'--potential: {exception}') from exception
    return orm.SinglefileData(path.absolute())


def ensemble(identifier: str | None, option: str = '--teacher') -> EnsembleData:
    """Return the ensemble ``identifier``.

    :raises AnialError: if there is no such node, or it is not an ensemble.
    """
    if identifier is None:
        raise AnialError(f'{option}: the labeller ensemble needs the pk or UUID of a trained ensemble.')
    node = loaded(identifier, option)
    if not isinstance(node, EnsembleData):
        raise AnialError(f'{option}: node {identifier} is a {type(node).__name__}, not an EnsembleData.')
    return node


def finished_pw(identifier: str) -> Any:
    """Return the pw.x calculation ``identifier``, from which a label can be made.

    :raises AnialError: if it is not a pw.x calculation, did not succeed, or has no forces, no stress, another
        element or a left-handed cell.
    """
    node = loaded(identifier, 'PKS')
    if getattr(node, 'process_label', None) == 'PwBaseWorkChain':
        jobs: list[Any] = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
        node = max(jobs, key=lambda child: child.pk, default=node)
    if getattr(node, 'process_label', None) != 'PwCalculation':
        raise AnialError(f'PKS: node {identifier} is a {_kind(node)}, not a PwCalculation.')
    if not node.is_finished_ok:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> did not succeed (exit status {node.exit_status}).')
    others = sorted(set(node.inputs.structure.get_symbols_set()) - {'Al'})
    if others:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> contains {others[0]}; only Al is supported.')
    if np.linalg.det(node.inputs.structure.cell) <= 0:
        raise AnialError(f'PKS: PwCalculation<{node.pk}> has a left-handed cell; swap two of its vectors.')
    arrays = node.outputs.output_trajectory.get_arraynames() if 'output_trajectory' in node.outputs else ()
    for name in ('forces', 'stress'):
        if name not in arrays:
            raise AnialError(f'PKS: PwCalculation<{node.pk}> has no {name}; a label needs energy, forces and stress.')
    return node


def _kind(node: Any) -> str:
    return getattr(node, 'process_label', None) or type(node).__name__
