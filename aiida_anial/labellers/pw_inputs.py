"""Settings of pw.x as inputs of ``PwBaseWorkChain``, and back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, cast

from aiida import orm
from aiida_pseudo.data.pseudo.upf import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily
from aiida_pseudo.groups.mixins import RecommendedCutoffMixin

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.label_settings import QeSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.formats.upf import upf_fault
from aiida_anial.pseudopotential import PSEUDO_FAMILY

__all__ = (
    'MIXING_MODE',
    'n_electrons',
    'namelists_with_bands',
    'pseudo_and_cutoffs',
    'pw_inputs',
    'read_pw_settings',
    'with_bands',
)

MIXING_MODE = 'local-TF'
"""Needs a sixth fewer steps to self-consistency than pw.x' default in disordered cells (docs/topics/labels.md)."""

# The bands of a metal: a multiple of those that the electrons fill, and so many more. With a smearing of 0.07 Ry and a
# factor of 1.25, the highest band was occupied in 4 of 133 labels of a campaign, in cells of 18 to 28 atoms; in three
# of them by 0.012 at most, where aiida-quantumespresso allows 0.005.
_BANDS_FACTOR = 1.3
_EMPTY_BANDS = 6
# Label of the node.
_NAMELISTS = 'namelists of pw.x'
# Extra of namelists with a number of bands: the UUID of those without it, and the number.
_WITH_BANDS = 'with_bands'

# Fraction of the wall clock after which aiida-quantumespresso asks pw.x to stop.
_MAX_SECONDS = 0.95


def pw_inputs(settings: QeSettings, code: orm.AbstractCode | None, pseudo: UpfData | None) -> dict[str, Any]:
    """Return the inputs of every ``PwBaseWorkChain``; its nodes are shared by all calculations.

    :raises AnialError: if a code, a pseudopotential or a cutoff is missing.
    """
    if code is None or pseudo is None:
        raise AnialError('label.labeller: the labeller qe needs a code for pw.x and a pseudopotential.')
    if settings.ecutwfc_ry is None:
        raise AnialError('label.qe.ecutwfc_ry: no cutoff is given and the pseudopotential family recommends none.')
    inputs: dict[str, Any] = {
        'pw': {
            'code': code,
            'pseudos': {'Al': pseudo},
            'parameters': orm.Dict(_namelists(settings), label=_NAMELISTS, description=_NAMELISTS),
            'settings': orm.Dict({}),
            'metadata': {'options': settings.job.options()},
        },
        'clean_workdir': orm.Bool(True),
    }
    if settings.kpoints_mesh is not None:
        inputs['kpoints'] = orm.KpointsData()
        inputs['kpoints'].set_kpoints_mesh(list(settings.kpoints_mesh))
    elif settings.kpoints_per_reciprocal_atom is not None:
        inputs['kpoints_density'] = orm.Int(settings.kpoints_per_reciprocal_atom)
    else:
        inputs['kpoints_distance'] = orm.Float(settings.kpoints_distance_per_angstrom)
        inputs['kpoints_force_parity'] = orm.Bool(False)
    return inputs


def pseudo_and_cutoffs(inputs: CampaignInputs) -> tuple[UpfData, CampaignInputs]:
    """Return the pseudopotential of aluminium, and the inputs with its family's cutoffs where none are given.

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
    """Return why a pseudopotential is not what it should be, or None."""
    with pseudo.open(mode='rb') as stream:
        content = stream.read()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != pseudo.md5:
        return 'its MD5 differs from the stored one'
    return upf_fault(content, element='Al')


def _max_seconds(job: JobSettings) -> float:
    """Return after how many seconds pw.x stops by itself, so that its output is whole."""
    return float(job.max_wallclock_seconds * _MAX_SECONDS)


def _namelists(settings: QeSettings) -> dict[str, Any]:
    """Return the namelists of pw.x."""
    ours: dict[str, dict[str, Any]] = {
        'CONTROL': {'calculation': 'scf', 'tprnfor': True, 'tstress': True},
        'SYSTEM': {
            'ecutwfc': settings.ecutwfc_ry,
            'ecutrho': settings.ecutrho_ry,
            'occupations': 'smearing',
            'smearing': settings.smearing,
            'degauss': settings.degauss_ry,
        },
        'ELECTRONS': {'conv_thr': settings.conv_thr_ry, 'mixing_mode': MIXING_MODE},
    }
    for namelist, values in settings.parameters.items():
        ours.setdefault(namelist.upper(), {}).update(values)
    # PwBaseWorkChain would add it, in a node of its own for each label.
    ours['CONTROL'].setdefault('max_seconds', _max_seconds(settings.job))
    return ours


def n_electrons(cell: orm.StructureData, pseudos: Mapping[str, Any]) -> int:
    """Return the number of valence electrons of a cell.

    :param pseudos: pseudopotential by the name of the kind.
    """
    return sum(int(pseudos[site.kind_name].z_valence) for site in cell.sites)


def with_bands(parameters: orm.Dict, electrons: int) -> orm.Dict:
    """Return namelists with a number of bands of which the highest is empty, in a node that equal ones share.

    With the number that pw.x takes by itself, 1.2 times the filled ones and at least four more, the highest band of
    every sixth random cell is occupied, and ``PwBaseWorkChain`` calculates the cell again. A number that is given
    stays.
    """
    namelists = namelists_with_bands(parameters.get_dict(), electrons)
    name = f'{parameters.uuid} {namelists["SYSTEM"]["nbnd"]}'
    known = orm.QueryBuilder().append(orm.Dict, filters={f'extras.{_WITH_BANDS}': name}).first(flat=True)
    if known is not None:
        return cast(orm.Dict, known)
    node = orm.Dict(namelists, label=_NAMELISTS, description=_NAMELISTS).store()
    node.base.extras.set(_WITH_BANDS, name)
    return node


def namelists_with_bands(namelists: Mapping[str, Any], electrons: int) -> dict[str, Any]:
    """Return namelists with a number of bands, unless they have one."""
    filled = electrons / 2
    bands = math.ceil(_BANDS_FACTOR * filled + _EMPTY_BANDS)
    return {**namelists, 'SYSTEM': {'nbnd': bands, **namelists.get('SYSTEM', {})}}


def read_pw_settings(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings from which ``pw_inputs`` made these inputs."""
    namelists = {name: dict(values) for name, values in inputs['pw']['parameters'].get_dict().items()}
    for keyword in ('calculation', 'tprnfor', 'tstress'):
        namelists['CONTROL'].pop(keyword)
    job = JobSettings.from_options(inputs['pw']['metadata']['options'])
    if namelists['CONTROL'].get('max_seconds') == _max_seconds(job):
        namelists['CONTROL'].pop('max_seconds')
    system, electrons = namelists['SYSTEM'], namelists['ELECTRONS']
    system.pop('occupations')
    # Inputs of before have the default of pw.x.
    if electrons.setdefault('mixing_mode', 'plain') == MIXING_MODE:
        electrons.pop('mixing_mode')
    mesh = inputs['kpoints'].get_kpoints_mesh()[0] if 'kpoints' in inputs else None
    return {
        'pseudo_family': _family(inputs['pw']['pseudos']['Al']),
        'ecutwfc_ry': system.pop('ecutwfc'),
        'ecutrho_ry': system.pop('ecutrho'),
        'smearing': system.pop('smearing'),
        'degauss_ry': system.pop('degauss'),
        'conv_thr_ry': electrons.pop('conv_thr'),
        'kpoints_mesh': mesh,
        'kpoints_distance_per_angstrom': _value(inputs, 'kpoints_distance'),
        'kpoints_per_reciprocal_atom': _value(inputs, 'kpoints_density'),
        'parameters': {name: values for name, values in namelists.items() if values},
        'job': job.to_dict(),
    }


def _value(inputs: Mapping[str, Any], name: str) -> Any:
    return inputs[name].value if name in inputs else None


def _family(pseudo: UpfData) -> str:
    """Return the label of a family with this pseudopotential."""
    query = orm.QueryBuilder().append(UpfData, filters={'uuid': pseudo.uuid}, tag='pseudo')
    labels = query.append(PseudoPotentialFamily, with_node='pseudo', project='label').all(flat=True)
    return PSEUDO_FAMILY if PSEUDO_FAMILY in labels or not labels else min(labels)
