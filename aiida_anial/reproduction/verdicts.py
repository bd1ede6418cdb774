"""The verdict on each quantity of a reproduced step, its unit, and the tolerance on which the verdict depends.

================  =====================================================================================================
kind              must agree
================  =====================================================================================================
``function``      Bit for bit on every machine: random cells, schedules, seeds, thresholds, shards, exports.
``evaluation``    Bit for bit on a machine of the same kind.
``dynamics``      Bit for bit on a machine of the same kind.
``training``      Bit for bit on a machine of the same kind.
``dft``           Energy within the threshold of self-consistency; forces and stress within the resulting errors.
================  =====================================================================================================

A machine is of the same kind if the processor, its vector instructions, the GPU, the number of threads, and the
versions of Python, NumPy, numba and torch are those of the original (see ``aiida_anial.worker.job``).

With ``conv_thr`` (t, in eV for the whole cell), N atoms and the volume V, the tolerances for ``pw.x`` are

- energy: t; the functional is stationary, so an error of the density affects the energy only to second order;
- forces: 2 sqrt(t eV) / angstrom; they depend on the density to first order;
- stress: 2 sqrt(N t eV) / V; also of first order, and a sum over the atoms;
- Fermi energy: 2 sqrt(t eV).

Runs with other starting wavefunctions and another mixing differed by at most a third of the first three tolerances
(jittered fcc cells of four atoms, conv_thr from 1e-12 to 1e-5 Ry). No tolerance is less than one unit of the last digit
that ``pw.x`` prints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from aiida import orm
from ase import units

__all__ = ('NOT_COMPARED', 'Record', 'Verdict', 'dft_tolerances', 'is_compared', 'unit_of')


class Verdict(StrEnum):
    """The verdict of a comparison, from best to worst."""

    IDENTICAL = 'identical'
    WITHIN = 'within tolerance'
    OTHER_VERSION = 'other version'
    OTHER_MACHINE = 'other machine'
    FAILED = 'failed'

    @property
    def is_fine(self) -> bool:
        """Whether the step was reproduced within its tolerance."""
        return self is not Verdict.FAILED

    @property
    def rank(self) -> int:
        """Position in the order from best to worst."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Record:
    """The comparison of one quantity of one output.

    :param output: link label of the output, with dots between namespaces; empty for the step itself.
    :param identical: whether the values are bit for bit equal.
    :param deviation: largest absolute deviation, in ``unit``; None if it has no size, as for text.
    :param tolerance: largest deviation allowed for this kind of step; None if there is no tolerance.
    :param note: additional remark, as part of a sentence.
    """

    output: str
    quantity: str
    identical: bool
    verdict: Verdict
    deviation: float | None = None
    unit: str = ''
    tolerance: float | None = None
    note: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        return asdict(self)


# Suffixes of names; a longer suffix comes before a shorter one that it ends with.
_ENDS = (
    ('_ev_per_sqrt_atom', 'eV/√atom'),
    ('_mev_per_atom', 'meV/atom'),
    ('_ev_per_angstrom3', 'eV/Å³'),
    ('_ev_per_angstrom', 'eV/Å'),
    ('_per_angstrom2', '1/Å²'),
    ('_per_angstrom', '1/Å'),
    ('_g_per_cm3', 'g/cm³'),
    ('_angstrom3', 'Å³'),
    ('_angstrom', 'Å'),
    ('_gpa', 'GPa'),
    ('_mev', 'meV'),
    ('_ev', 'eV'),
    ('_ry', 'Ry'),
    ('_rad', 'rad'),
    ('_ps', 'ps'),
    ('_fs', 'fs'),
    ('_k', 'K'),
)

# Arrays without a unit in their name; see the page on conventions.
_NAMES = (
    (r'positions?|lattices?|cells?', 'Å'),
    (r'energies|label_energies|member_energies|energy|fermi_energy', 'eV'),
    (r'forces|(member_)?force_(rmse|mae)|force_max_error|force_disagreement_(mean|max)', 'eV/Å'),
    (r'(train|validation)_force_rmse', 'eV/Å'),
    (r'(train|validation)_energy_rmse', 'meV/atom'),
    (r'(train|selection)_loss', 'eV²'),
    (r'stresses|stress_rmse', 'eV/Å³'),
    (r'stress', 'GPa'),
    (r'energy_disagreement', 'eV/√atom'),
    (r'times', 'ps'),
)


def unit_of(name: str) -> str:
    """Return the unit given by the last part of a dotted name, or an empty string."""
    last = name.rpartition('.')[2]
    for end, unit in _ENDS:
        if last.endswith(end):
            return unit
    return next((unit for pattern, unit in _NAMES if re.fullmatch(pattern, last)), '')


# Outputs that differ between any two runs: where and when a job ran, and what it printed.
NOT_COMPARED = ('remote_folder', 'remote_stash', 'retrieved')

# Parameters of a pw.x calculation, which must be equal.
_SAME = (
    'degauss',
    'dft_exchange_correlation',
    'monkhorst_pack_grid',
    'number_of_atoms',
    'number_of_electrons',
    'number_of_k_points',
    'rho_cutoff',
    'smearing_type',
    'wfc_cutoff',
)

# The label. Everything else (iterations, terms of the energy, empty bands, times, paths) depends on the path to it.
_ENERGY = ('output_parameters', 'energy')
_FERMI_ENERGY = ('output_parameters', 'fermi_energy')
_FORCES = ('output_trajectory', 'forces')
_STRESS = ('output_trajectory', 'stress')

# Precision of the output of pw.x: energy in Ry, force in Ry/bohr, Fermi energy in eV, stress in Ry/bohr^3.
_ENERGY_EV = 1e-8 * units.Ry
_FORCE_EV_PER_ANGSTROM = 1e-8 * units.Ry / units.Bohr
_FERMI_ENERGY_EV = 1e-4
_STRESS_GPA = 1e-8 * units.Ry / units.Bohr**3 / units.GPa

# The default of pw.x.
_CONV_THR_RY = 1e-6


def is_compared(output: str, node: Any) -> bool:
    """Return whether an output is compared."""
    return output not in NOT_COMPARED and not isinstance(node, orm.RemoteData)


def dft_tolerances(original: Any) -> Mapping[tuple[str, str], float]:
    """Return the tolerances of a ``pw.x`` calculation by output and quantity; others are not compared.

    :param original: a ``PwCalculation`` or ``PwBaseWorkChain``.
    :return: tolerances in eV, eV/angstrom and GPa, as stored by aiida-quantumespresso; 0 for what must be equal.
    """
    inputs = original.inputs.pw if 'pw' in original.inputs else original.inputs
    namelists = {name.upper(): values for name, values in inputs.parameters.get_dict().items()}
    threshold = float(namelists.get('ELECTRONS', {}).get('conv_thr', _CONV_THR_RY)) * units.Ry
    first_order = 2 * math.sqrt(threshold)
    structure = inputs.structure
    stress = first_order * math.sqrt(len(structure.sites)) / structure.get_cell_volume() / units.GPa
    return {
        _ENERGY: max(threshold, _ENERGY_EV),
        _FERMI_ENERGY: max(first_order, _FERMI_ENERGY_EV),
        _FORCES: max(first_order, _FORCE_EV_PER_ANGSTROM),
        _STRESS: max(stress, _STRESS_GPA),
        **{('output_parameters', name): 0.0 for name in _SAME},
    }
