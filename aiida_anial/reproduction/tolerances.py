"""Tolerances within which each kind of step must be reproduced.

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
from collections.abc import Mapping
from typing import Any

from aiida import orm
from ase import units

__all__ = ('NOT_COMPARED', 'dft_tolerances', 'is_compared')

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
