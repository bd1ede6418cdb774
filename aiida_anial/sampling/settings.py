"""What the random cells, the schedules, the dynamics and the stop rules are set to."""

from __future__ import annotations

from typing import Annotated, Self

from ase.data import atomic_masses, atomic_numbers
from pydantic import AfterValidator, Field, model_validator

from aiida_anial.common.settings import NonNegative, Positive, Range, Settings

__all__ = ('CellFamily', 'CellSettings', 'SamplingSettings', 'ScheduleSettings', 'Thresholds')

AtomRange = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class CellFamily(Settings):
    """One kind of random cell; the defaults are the paper's (Smith et al., Nat. Commun. 12, 1257 (2021), II.B.2).

    :param fraction: share of the cells that are of this family; the shares are relative to their sum.
    :param edges_angstrom: each edge of the orthorhombic cell is uniform in this range.
    :param n_atoms: least and greatest number of atoms in a cell.
    """

    fraction: Positive = 1.0
    edges_angstrom: Range = (10.5, 17.0)
    n_atoms: AtomRange = (55, 250)

    @model_validator(mode='after')
    def _check_ranges(self) -> Self:
        if self.edges_angstrom[0] <= 0:
            raise ValueError('edges_angstrom: an edge of 0 makes no cell')
        if self.edges_angstrom[1] > 1000:
            raise ValueError('edges_angstrom: edges above 1000 angstrom are not supported')
        if self.n_atoms[0] > self.n_atoms[1]:
            raise ValueError(f'n_atoms: the range is reversed, {self.n_atoms[0]} > {self.n_atoms[1]}')
        return self


def _check_element(symbol: str) -> str:
    """Return the symbol of an element that has a mass.

    :raises ValueError: if it is not one.
    """
    if not atomic_numbers.get(symbol) or not atomic_masses[atomic_numbers[symbol]] > 0:
        raise ValueError(f'{symbol!r} is not the symbol of an element')
    return symbol


class CellSettings(Settings):
    """How random cells are drawn; the defaults are the paper's.

    :param element: of all atoms.
    :param families: kinds of cells, for mixtures of small and large ones.
    :param density_g_per_cm3: the mass density is uniform in this range.
    :param min_distance_angstrom: no two atoms are closer, periodic images included.
    """

    element: Annotated[str, AfterValidator(_check_element)] = 'Al'
    families: Annotated[tuple[CellFamily, ...], Field(min_length=1)] = (CellFamily(),)
    density_g_per_cm3: Range = (1.80, 4.05)
    min_distance_angstrom: Positive = 1.8

    @model_validator(mode='after')
    def _check_density(self) -> Self:
        if self.density_g_per_cm3[1] == 0:
            raise ValueError('density_g_per_cm3: a density of 0 leaves no atoms')
        return self


class ScheduleSettings(Settings):
    """Ranges of the temperature schedules; each parameter is uniform in its range, the defaults are the paper's.

    See :class:`aiida_anial.sampling.schedules.Schedule` for what the parameters do.
    """

    t_start_k: Range = (10.0, 1000.0)
    t_end_k: Range = (10.0, 600.0)
    t_mod_k: Range = (0.0, 2000.0)
    t_0_ps: Range = (10.0, 50.0)
    t_max_ps: Positive = 250.0

    @model_validator(mode='after')
    def _check_period(self) -> Self:
        if self.t_0_ps[0] <= 0:
            raise ValueError('t_0_ps: a modulation of period 0 is impossible, the range must begin above 0')
        return self


class Thresholds(Settings):
    """Disagreement of the ensemble above which a trajectory stops.

    :param energy_ev_per_sqrt_atom: of the energy: standard deviation over the members / sqrt(atoms).
    :param force_mean_ev_per_angstrom: of the forces, mean over atoms; None: not looked at.
    :param force_max_ev_per_angstrom: of the forces, largest of all atoms; None: not looked at.

    The forces of each member cost about as much again as the mean's, so they are computed only if one of their
    thresholds is given.
    """

    energy_ev_per_sqrt_atom: Positive
    force_mean_ev_per_angstrom: Positive | None = None
    force_max_ev_per_angstrom: Positive | None = None

    @property
    def need_forces(self) -> bool:
        """Whether the forces of each member are needed."""
        return self.force_mean_ev_per_angstrom is not None or self.force_max_ev_per_angstrom is not None


class SamplingSettings(Settings):
    """Dynamics, and when a trajectory is looked at.

    :param time_step_fs: time step.
    :param friction_per_fs: Langevin friction; 0 makes the dynamics Newton's.
    :param check_interval: steps between checks of the stop rules.
    :param min_time_ps: disagreement counts from this time on. Every random cell is far from what the ensemble knows,
        so counting from the first step would stop all trajectories there and sample nothing but random cells.
    :param frame_interval: steps between stored frames, a multiple of ``check_interval``.
    :param min_contact_angstrom: a closer contact is unphysical. Random cells begin at 1.8, and while they
        relax on the published ANI-Al, up to 3000 K, their atoms come no closer than 1.72. At 1.5 the cores of a
        pseudopotential of 1.4 angstrom overlap by half, and a label would mean nothing.
    :param max_temperature_k: a higher kinetic temperature is unphysical. A random cell of a few atoms on the published
        ANI-Al reaches 15,500 K for some femtoseconds when it relaxes; a broken potential passes any limit at once.
    :param skin_angstrom: margin of the neighbour lists; that of a trajectory is renewed when one of its atoms has moved
        half of it.
    :param batch_size: trajectories that step together; None: all of the task, which keeps the machine busy for longest
        if there is memory for it. It changes no trajectory.
    :param refill: whether the next trajectory of the task begins when one ends, instead of the next batch when all
        have ended. It changes no trajectory.
    """

    time_step_fs: Positive = 1.0
    friction_per_fs: NonNegative = 0.01
    check_interval: Annotated[int, Field(ge=1)] = 10
    min_time_ps: NonNegative = 0.1
    frame_interval: Annotated[int, Field(ge=1)] = 100
    min_contact_angstrom: NonNegative = 1.5
    max_temperature_k: Positive = 30000.0
    skin_angstrom: Positive = 0.5
    batch_size: Annotated[int, Field(ge=1)] | None = None
    refill: bool = True

    @model_validator(mode='after')
    def _check_intervals(self) -> Self:
        if self.frame_interval % self.check_interval:
            raise ValueError(
                f'frame_interval: {self.frame_interval} steps are not a multiple of check_interval '
                f'({self.check_interval}), and frames are stored at checks'
            )
        return self
