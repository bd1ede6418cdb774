"""The architecture of a potential: what its descriptors and networks look like."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from aiida_anial.common.settings import NonNegative, Positive, Settings

__all__ = ('COSINE_GUARD', 'DescriptorSettings', 'ModelSettings')

# Keeps the sine of an angle away from zero, where the derivative of the angle is infinite.
COSINE_GUARD = 0.95

# The largest exponent whose exponential a float32 holds with room to spare; `descriptor` factorises a Gaussian.
_MAX_EXPONENT = 80.0


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise ValueError('the values must increase')
    return values


_Shifts = Annotated[tuple[NonNegative, ...], Field(min_length=1), AfterValidator(_increasing)]
_Angles = Annotated[
    tuple[Annotated[float, Field(ge=0, le=math.pi)], ...], Field(min_length=1), AfterValidator(_increasing)
]


class DescriptorSettings(Settings):
    """The atomic environment vector of one element (Smith et al., Chem. Sci. 8, 3192 (2017), Eqs. 2 to 4).

    The defaults are those of ANI-Al (Smith et al., Nat. Commun. 12, 1257 (2021)): 32 radial and 8 x 8 angular features.
    The angles are pi/16 + k pi/8; a model read from NeuroChem files keeps the eight digits that these print.
    """

    radial_cutoff_angstrom: Positive = 7.0
    angular_cutoff_angstrom: Positive = 5.0
    radial_eta_per_angstrom2: Positive = 43.9
    radial_shifts_angstrom: _Shifts = tuple(1.25 + 0.1796875 * k for k in range(32))
    angular_eta_per_angstrom2: Positive = 6.5
    angular_shifts_angstrom: _Shifts = tuple(1.25 + 0.46875 * k for k in range(8))
    angular_zeta: Annotated[float, Field(ge=1)] = 69.4
    angle_shifts_rad: _Angles = tuple(math.pi / 16 + k * math.pi / 8 for k in range(8))

    @model_validator(mode='after')
    def _check(self) -> Self:
        if self.angular_cutoff_angstrom > self.radial_cutoff_angstrom:
            raise ValueError('angular_cutoff_angstrom must not be larger than radial_cutoff_angstrom')
        centre = self.angular_centre_angstrom
        span = max(centre, self.angular_cutoff_angstrom - centre)
        if self.angular_eta_per_angstrom2 * span**2 / 2 > _MAX_EXPONENT:
            raise ValueError('angular_eta_per_angstrom2 is too large for this angular_cutoff_angstrom')
        return self

    @property
    def angular_centre_angstrom(self) -> float:
        """The middle of the angular shifts, from which `descriptor` counts distances."""
        return (self.angular_shifts_angstrom[0] + self.angular_shifts_angstrom[-1]) / 2

    @property
    def n_radial(self) -> int:
        """The number of radial features of an atom."""
        return len(self.radial_shifts_angstrom)

    @property
    def n_angular(self) -> int:
        """The number of angular features of an atom."""
        return len(self.angular_shifts_angstrom) * len(self.angle_shifts_rad)

    @property
    def n_features(self) -> int:
        """The length of an atom's descriptor: the radial features, then the angular ones, shift major, angle minor."""
        return self.n_radial + self.n_angular


class ModelSettings(Settings):
    """An ensemble of networks on one shared descriptor (Smith et al., Nat. Commun. 12, 1257 (2021), section II.A).

    :param element: chemical symbol.
    :param hidden_layers: neurons of each hidden layer of a member.
    :param celu_alpha: alpha of the CELU activation, 1.0 being plain ELU.
    :param n_members: members of the ensemble.
    """

    element: Annotated[str, Field(pattern=r'^[A-Z][a-z]?$')] = 'Al'
    descriptor: DescriptorSettings = DescriptorSettings()
    hidden_layers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (96, 96, 64)
    celu_alpha: Positive = 0.1
    n_members: Annotated[int, Field(ge=1)] = 8

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Neurons from the descriptor to the energy, such as ``(96, 96, 96, 64, 1)``."""
        return (self.descriptor.n_features, *self.hidden_layers, 1)
