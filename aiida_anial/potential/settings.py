"""Settings of a potential: its kind and architecture, and how it is evaluated."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)

from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import NonNegative, Positive, Settings

__all__ = (
    'COSINE_GUARD',
    'DEFAULT_KIND',
    'POTENTIALS',
    'AnyPotentialSettings',
    'DescriptorSettings',
    'EngineSettings',
    'ModelSettings',
    'PotentialSettings',
    'loaded',
    'of_kind',
)

# The kind of settings and files that name none, written before there were kinds.
DEFAULT_KIND = 'ani'

POTENTIALS = {'ani': 'aiida_anial.potential.ensemble:Ensemble'}
"""For each ``model.kind`` the class that implements :class:`~aiida_anial.potential.potential.Potential`.

The daemon imports these modules to check inputs, so they must not import torch or compile anything.
"""


def of_kind(registry: Mapping[str, str], kind: object, *, where: str = 'model.kind') -> Any:
    """Import and return the object that ``registry`` names for a kind of potential.

    :param registry: ``module:name`` by kind, such as ``POTENTIALS``.
    :param kind: value of ``model.kind``.
    :param where: its key, for the message.
    :raises SettingsError: if the kind is unknown.
    """
    if not isinstance(kind, str) or kind not in registry:
        raise SettingsError(f'{where}: unknown kind {str(kind)[:40]!r}; known kinds are {", ".join(sorted(registry))}.')
    return loaded(registry[kind])


def loaded(path: str) -> Any:
    """Import and return the object at ``module:name``."""
    module, _, name = path.partition(':')
    return getattr(importlib.import_module(module), name)


class EngineSettings(Settings):
    """How a potential is evaluated; it changes results by rounding only.

    :param engine: ``numba``, compiled kernels for the CPU; ``torch``, which runs on any device and is the reference;
        ``auto``, the faster one for the device.
    :param device: ``cpu``, ``cuda`` or ``cuda:1``.
    :param dtype: precision of descriptors and networks; sums over atoms are always in float64.
    :param threads: CPU threads of the numba kernels, and of torch in programs that set them for the whole process.
    """

    engine: Literal['auto', 'numba', 'torch'] = 'auto'
    device: Annotated[str, Field(pattern=r'^(cpu|cuda(:\d+)?)$')] = 'cpu'
    dtype: Literal['float32', 'float64'] = 'float32'
    threads: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode='after')
    def _check_device(self) -> Self:
        if self.engine == 'numba' and self.device != 'cpu':
            raise ValueError(f'engine: numba runs on the CPU only, not on device {self.device!r}')
        return self


class PotentialSettings(Settings):
    """Settings that all kinds of potentials share.

    :param kind: kind of the potential.
    :param element: chemical symbol.
    :param n_members: number of members of the ensemble.
    """

    kind: str
    element: Annotated[str, Field(pattern=r'^[A-Z][a-z]?$')] = 'Al'
    n_members: Annotated[int, Field(ge=1, le=1000)] = 8

    @property
    def cutoff_angstrom(self) -> float:
        """The distance beyond which atoms do not interact."""
        raise NotImplementedError

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = '') -> Self:
        """Return the settings that ``values`` describe; called on this base class, those of the kind in ``values``.

        :raises SettingsError: see ``Settings.parse``; also if the kind is unknown.
        """
        if cls is not PotentialSettings or not isinstance(values, Mapping):
            return super().parse(values, where=where)
        key = f'{where}.kind' if where else 'kind'
        potential = of_kind(POTENTIALS, values.get('kind', DEFAULT_KIND), where=key)
        settings: Self = potential.SETTINGS.parse(values, where=where)
        return settings


def _of_its_kind(values: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return the settings of the kind in ``values``; pydantic reports anything that is not a mapping."""
    return PotentialSettings.parse(values) if isinstance(values, Mapping) else validate(values)


AnyPotentialSettings = Annotated[SerializeAsAny[PotentialSettings], WrapValidator(_of_its_kind)]
"""Type of a field for the settings of any kind of potential."""

# Multiplies the cosines of angles: keeps sines away from zero, where the derivative of the angle is infinite.
COSINE_GUARD = 0.95

# Largest exponent in the factors of a Gaussian in `descriptor`: its exponential is far from overflow in float32.
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
    The angles are pi/16 + k pi/8; a model read from NeuroChem files has them rounded to the eight digits in the files.
    """

    radial_cutoff_angstrom: Annotated[Positive, Field(le=30)] = 7.0
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
        """The middle of the angular shifts s_m, from which `descriptor` measures distances."""
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
        """The length of a descriptor: the radial features, then the angular ones, where the angle varies fastest."""
        return self.n_radial + self.n_angular


class ModelSettings(PotentialSettings):
    """An ensemble of networks on one shared descriptor (Smith et al., Nat. Commun. 12, 1257 (2021), section II.A).

    :param kind: kind of the potential; ``ani`` means networks on atomic environment vectors.
    :param element: chemical symbol.
    :param hidden_layers: neurons of each hidden layer of a member.
    :param celu_alpha: alpha of the CELU activation; 1.0 is plain ELU.
    :param n_members: number of members of the ensemble.
    """

    kind: Literal['ani'] = 'ani'
    descriptor: DescriptorSettings = DescriptorSettings()
    hidden_layers: Annotated[tuple[Annotated[int, Field(ge=1, le=10_000)], ...], Field(min_length=1)] = (96, 96, 64)
    celu_alpha: Positive = 0.1

    @model_serializer(mode='wrap')
    def _without_kind(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the kind, so that files, nodes and their hashes are the same as before there were kinds."""
        values: dict[str, Any] = serialize(self)
        del values['kind']
        return values

    @property
    def cutoff_angstrom(self) -> float:
        """The distance beyond which atoms do not interact."""
        return self.descriptor.radial_cutoff_angstrom

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Numbers of neurons from the descriptor to the energy, such as ``(96, 96, 96, 64, 1)``."""
        return (self.descriptor.n_features, *self.hidden_layers, 1)
