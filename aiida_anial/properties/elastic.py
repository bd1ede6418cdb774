"""Elastic constants of FCC from stress against strain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aiida_anial.common.quantity import Quantity
from aiida_anial.common.settings import Positive, Settings
from aiida_anial.properties.crystals import fcc
from aiida_anial.properties.evaluation import Evaluation, Task
from aiida_anial.properties.panels import Curve, Points
from aiida_anial.properties.property import Column, Property, Requirements
from aiida_anial.properties.quantity import PropertyResult

__all__ = ('ElasticConstants', 'ElasticSettings')

Array = NDArray[np.float64]
Magnitude = Annotated[float, Field(gt=0, lt=0.2)]
_SIGNS = {'m': -1.0, 'p': 1.0}
_ROUNDING = 1 + 1e-9


class ElasticSettings(Settings):
    """Strains of FCC.

    The energy of a network has small ripples, so elastic constants depend on the window of strains: the smallest gives
    the curvature at the minimum, as published for ANI-Al, and larger ones an average. Stresses of DFT are noisy and
    need a window of 0.01.

    :param strains: magnitudes of the strains, used with both signs; for shear, the engineering strain.
    :param window: the constants are computed from strains up to this one; those of other windows are reported, too.
    """

    strains: Annotated[tuple[Magnitude, ...], Field(min_length=1)] = (0.002, 0.005, 0.01)
    window: Positive = 0.002

    @model_validator(mode='after')
    def _check_window(self) -> Self:
        if self.window * _ROUNDING < min(self.strains):
            raise ValueError('window: it contains none of the strains')
        return self


def _column(name: str, what: str) -> Column:
    return Column(
        quantity=name,
        unit='GPa',
        help=what,
        key=f'{name}_gpa',
        heading=f'{name.upper()}\nGPa',
        digits=1,
        in_status=True,
    )


class ElasticConstants(Property[ElasticSettings]):
    """C11, C12, C44 and B of FCC.

    The cubic cell is stretched along x, which gives C11 = d(stress_xx)/d(strain), C12 = d(stress_yy)/d(strain) and
    B = (C11 + 2 C12) / 3, and sheared by the engineering strain 2 strain_yz = 2 strain_zy, which gives C44 =
    d(stress_yz)/d(engineering strain). Stresses are Cauchy stresses, and the constants are their derivatives at the
    lattice constant; they equal the second derivatives of the energy only at zero pressure (D. C. Wallace,
    Thermodynamics of Crystals, 1972).
    """

    name = 'elastic'
    defaults = ElasticSettings()
    quick = ElasticSettings()
    requires = ('lattice',)
    columns = (
        _column('b', 'Bulk modulus, (C11 + 2 C12) / 3'),
        *(_column(name, name.upper()) for name in ('c11', 'c12', 'c44')),
        Column(quantity='C_strain_E', unit='GPa', help='Each constant from strains up to E, for every other window'),
    )
    curves = (
        ('strain', 'strain xx'),
        ('stress_xx_gpa', 'stress xx at strain xx'),
        ('stress_yy_gpa', 'mean of stress yy and zz at strain xx'),
        ('shear_strain', 'engineering strain yz'),
        ('stress_yz_gpa', 'stress yz at strain yz'),
    )
    panels = (
        *(
            Curve(
                figure='stress',
                x=strain,
                y=f'stress_{component}_gpa',
                x_label=label,
                y_label=f'stress {component} (GPa)',
            )
            for strain, component, label in (
                ('strain', 'xx', 'strain xx'),
                ('strain', 'yy', 'strain xx'),
                ('shear_strain', 'yz', 'engineering strain yz'),
            )
        ),
        # One panel per constant, because subjects differ much less than constants.
        *(
            Points(figure='elastic', labels={name: label}, y_label='elastic constant (GPa)', width=1.8)
            for name, label in {'c11': 'C₁₁', 'c12': 'C₁₂', 'c44': 'C₄₄', 'b': 'B'}.items()
        ),
    )

    def __init__(self, settings: ElasticSettings) -> None:
        super().__init__(settings)
        self._strains = sorted(set(settings.strains))

    @classmethod
    def for_dft(cls, settings: ElasticSettings) -> ElasticSettings:
        """Return settings with larger strains, because stresses of DFT are noisy."""
        return settings.model_copy(update={'strains': (0.005, 0.01), 'window': 0.01})

    def tasks(self, requirements: Requirements) -> dict[str, Task]:
        """Return FCC strained along x (``strain_xx_*``) and sheared (``strain_yz_*``), with both signs."""
        return {
            _task(direction, sign, strain): Task(
                _strained(requirements['lattice_constant'], direction, _SIGNS[sign] * strain),
                group='strained',
                member_stresses=True,
            )
            for direction in ('xx', 'yz')
            for strain in self._strains
            for sign in _SIGNS
        }

    def analyse(self, requirements: Requirements, evaluations: Mapping[str, Evaluation]) -> PropertyResult:  # noqa: ARG002
        """Return the constants for all windows, and the stresses as curves."""
        signed = np.array([*(-e for e in reversed(self._strains)), *self._strains])
        chosen = [[evaluations[_signed_task(direction, e)] for e in signed] for direction in ('xx', 'yz')]
        stresses = _components(*(np.array([one.stress for one in same]) for same in chosen))
        members = [np.array([one.member_stresses for one in same]) for same in chosen if _has_members(same)]
        of_members = _components(*(np.moveaxis(one, 1, 0) for one in members)) if len(members) == len(chosen) else {}
        quantities = {
            name + suffix: self._constant(stress, window, of_members.get(name))
            for suffix, window in self._windows().items()
            for name, stress in stresses.items()
        }
        curves = {
            'strain': signed,
            'stress_xx_gpa': stresses['c11'],
            'stress_yy_gpa': stresses['c12'],
            'shear_strain': signed,
            'stress_yz_gpa': stresses['c44'],
        }
        return PropertyResult(quantities, curves)

    def _windows(self) -> dict[str, float]:
        """Return the windows by the suffix of the names of their constants."""
        own = max(strain for strain in self._strains if strain <= self.settings.window * _ROUNDING)
        return {'': own} | {f'_strain_{_label(strain)}': strain for strain in self._strains if strain != own}

    def _constant(self, stress: Array, window: float, members: Array | None) -> Quantity:
        """Return the slope of a stress within a window, with its standard deviation over the members.

        Without members it has its standard error. A window of one magnitude has no residual; its error is then the
        change from the next window, if there is one.

        :param stress: ``[2 S]`` in GPa, from the most negative strain to the most positive one.
        :param members: ``[M, 2 S]`` the same of each member.
        """
        slope, error = self._slope(stress, window)
        if members is not None and len(members) > 1:
            error = float(np.std([self._slope(one, window)[0] for one in members], ddof=1))
        return Quantity(slope, 'GPa', error)

    def _slope(self, stress: Array, window: float) -> tuple[float, float | None]:
        """Return the slope of a stress ``[2 S]`` within a window, and its error."""
        strains = np.array(self._strains)
        n_strains = len(strains)
        # Only the part that is odd in the strain contributes to the slope; the stress at rest is even.
        odd = (stress[n_strains:] - stress[:n_strains][::-1]) / 2
        count = int(np.sum(strains <= window))
        slope, error = _slope(strains[:count], odd[:count])
        if count == 1 < n_strains:
            error = abs(_slope(strains[:2], odd[:2])[0] - slope)
        return slope, error


def _has_members(evaluations: Sequence[Evaluation]) -> bool:
    return all(one.member_stresses is not None for one in evaluations)


def _components(uniaxial: Array, sheared: Array) -> dict[str, Array]:
    """Return the stress in GPa whose slope is each constant.

    :param uniaxial: ``[..., 2 S, 3, 3]`` stresses of the cells that are stretched along x, eV/angstrom^3.
    :param sheared: those of the sheared ones.
    """
    uniaxial, sheared = uniaxial / units.GPa, sheared / units.GPa
    transverse = (uniaxial[..., 1, 1] + uniaxial[..., 2, 2]) / 2
    return {
        'c11': uniaxial[..., 0, 0],
        'c12': transverse,
        'c44': sheared[..., 1, 2],
        'b': (uniaxial[..., 0, 0] + 2 * transverse) / 3,
    }


def _slope(x: Array, y: Array) -> tuple[float, float | None]:
    """Return the slope of the least-squares line through the origin, and its standard error from the residuals."""
    slope = float(x @ y / (x @ x))
    if len(x) == 1:
        return slope, None
    residuals = y - slope * x
    return slope, float(np.sqrt(residuals @ residuals / (len(x) - 1) / (x @ x)))


def _strained(lattice_constant: float, direction: str, strain: float) -> Atoms:
    """Return the primitive cell of FCC with each lattice vector v changed to v + strain v."""
    deformation = np.eye(3)
    if direction == 'xx':
        deformation[0, 0] += strain
    else:
        deformation[1, 2] = deformation[2, 1] = strain / 2
    atoms = fcc(lattice_constant)
    atoms.set_cell(atoms.cell[:] @ deformation, scale_atoms=True)
    return atoms


def _label(strain: float) -> str:
    """Return ``0_002`` for 0.002."""
    return np.format_float_positional(strain, trim='-').replace('.', '_')


def _task(direction: str, sign: str, strain: float) -> str:
    return f'strain_{direction}_{sign}_{_label(strain)}'


def _signed_task(direction: str, strain: float) -> str:
    return _task(direction, 'p' if strain > 0 else 'm', abs(strain))
