"""What each kind of step promises when it runs again.

================  =====================================================================================================
kind              promise
================  =====================================================================================================
``function``      The same bits on every machine: random cells, schedules, seeds, thresholds, shards, exports.
``evaluation``    The same bits on a machine of the same kind.
``dynamics``      The same bits on a machine of the same kind.
``training``      The same bits on a machine of the same kind.
``dft``           Energy within the threshold of self-consistency, and what follows from it to first order.
================  =====================================================================================================

A machine is of the same kind if the processor, its vector instructions, the GPU, the number of threads, and the
versions of Python, NumPy, numba and torch are those of the original (see ``aiida_anial.worker.job``).

With ``conv_thr`` (t, in eV for the whole cell), N atoms and the volume V, ``pw.x`` promises

- energy: t; the functional is stationary, so that an error of the density is an error of the energy to second order;
- forces: 2 sqrt(t eV) / angstrom; they depend on the density to first order;
- stress: 2 sqrt(N t eV) / V, to first order too, and a sum over the atoms;
- Fermi energy: 2 sqrt(t eV).

Runs with other starting wavefunctions and another mixing differed by a third of each of the first three at most
(jittered fcc cells of four atoms, conv_thr from 1e-12 to 1e-5 Ry). None is less than a unit of the last digit that
``pw.x`` prints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida import orm
from ase import units

__all__ = ('NOT_COMPARED', 'dft_tolerances', 'is_compared')

# Outputs that differ by their nature: where a job ran, when, and what it printed on the way.
NOT_COMPARED = ('remote_folder', 'remote_stash', 'retrieved')

# Of pw.x: what describes the calculation, and must be the same.
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

# And the label. The rest (iterations, terms of the energy, empty bands, times, paths) belongs to the way there.
_ENERGY = ('output_parameters', 'energy')
_FERMI_ENERGY = ('output_parameters', 'fermi_energy')
_FORCES = ('output_trajectory', 'forces')
_STRESS = ('output_trajectory', 'stress')

# Digits that pw.x prints: of the energy in Ry, the force in Ry/bohr, the Fermi energy in eV, the stress in Ry/bohr^3.
_ENERGY_EV = 1e-8 * units.Ry
_FORCE_EV_PER_ANGSTROM = 1e-8 * units.Ry / units.Bohr
_FERMI_ENERGY_EV = 1e-4
_STRESS_GPA = 1e-8 * units.Ry / units.Bohr**3 / units.GPa

# What pw.x takes where none is given.
_CONV_THR_RY = 1e-6


def is_compared(output: str, node: Any) -> bool:
    """Return whether an output is compared at all."""
    return output not in NOT_COMPARED and not isinstance(node, orm.RemoteData)


def dft_tolerances(original: Any) -> Mapping[tuple[str, str], float]:
    """Return the largest deviation by output and quantity of a ``pw.x`` calculation; what is not in it is not compared.

    :param original: a ``PwCalculation`` or ``PwBaseWorkChain``.
    :return: in eV, eV/angstrom and GPa, as aiida-quantumespresso stores them; 0 for what must be the same.
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
