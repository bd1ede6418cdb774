"""Settings of random cells, schedules, dynamics and stop rules."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from ase.data import atomic_masses, atomic_numbers
from pydantic import AfterValidator, Field, model_validator

from aiida_anial.common.settings import NonNegative, Positive, Range, Settings

__all__ = ('CellFamily', 'CellSettings', 'SamplingSettings', 'ScheduleSettings', 'Thresholds')

AtomRange = tuple[Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=1, le=100_000)]]


class CellFamily(Settings):
    """One kind of random cell; the defaults are the paper's (Smith et al., Nat. Commun. 12, 1257 (2021), II.B.2).

    :param fraction: share of the cells in this family, relative to the sum over all families.
    :param edges_angstrom: range of each edge of the orthorhombic cell, uniformly distributed.
    :param n_atoms: smallest and largest number of atoms in a cell.
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
    """Return ``symbol`` if it is that of an element with a known mass.

    :raises ValueError: if it is not.
    """
    if not atomic_numbers.get(symbol) or not atomic_masses[atomic_numbers[symbol]] > 0:
        raise ValueError(f'{symbol!r} is not the symbol of an element')
    return symbol


class CellSettings(Settings):
    """How random cells are drawn; the defaults are the paper's.

    :param element: chemical symbol of all atoms.
    :param families: families of cells, such as small and large ones.
    :param density_g_per_cm3: range of the mass density, uniformly distributed.
    :param min_distance_angstrom: smallest distance of two atoms, periodic images included.
    """

    element: Annotated[str, AfterValidator(_check_element)] = 'Al'
    families: Annotated[tuple[CellFamily, ...], Field(min_length=1)] = (CellFamily(),)
    density_g_per_cm3: Range = (1.80, 4.05)
    min_distance_angstrom: Positive = 1.8

    @model_validator(mode='after')
    def _check_density(self) -> Self:
        if self.density_g_per_cm3[1] == 0:
            raise ValueError('density_g_per_cm3: a density of 0 leaves no atoms')
        if self.density_g_per_cm3[1] > 100:
            raise ValueError(f'density_g_per_cm3: {self.density_g_per_cm3[1]:g} g/cm3 is no density of matter')
        return self


class ScheduleSettings(Settings):
    """Ranges of the parameters of temperature schedules, uniformly distributed; the defaults are the paper's.

    See :class:`aiida_anial.sampling.schedules.Schedule` for the parameters. The paper has no quenches,
    and its cells do not change.

    :param quench_fraction: probability that a trajectory is a quench: it ends at a temperature from ``t_quench_k``,
        without modulation, so that its last frame is close to a minimum of the energy in its cell.
    :param t_quench_k: range of T_end of quenches.
    :param relaxed_fraction: probability that the cell of a trajectory follows the stress, to a pressure from
        ``pressure_gpa``. With a quench, a random cell then finds a crystal that no one has told it.
    :param pressure_gpa: range of that pressure.
    :param strain: largest absolute value of each component of the strain at the end, and of that of its modulation.
    :param dilation: largest absolute value of a linear strain, equal in all directions, that is added to both.
    """

    t_start_k: Range = (10.0, 1000.0)
    t_end_k: Range = (10.0, 600.0)
    t_mod_k: Range = (0.0, 2000.0)
    t_0_ps: Range = (10.0, 50.0)
    t_max_ps: Positive = 250.0
    quench_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    t_quench_k: Range = (0.0, 50.0)
    relaxed_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    pressure_gpa: Range = (0.0, 0.0)
    strain: NonNegative = 0.0
    dilation: NonNegative = 0.0

    @model_validator(mode='after')
    def _check_period(self) -> Self:
        # Both parts together, and three components in a row: beyond this a cell could turn inside out.
        if 2 * (3 * self.strain + self.dilation) >= 0.9:
            raise ValueError(f'strain: {self.strain:g}, with a dilation of {self.dilation:g}, may collapse a cell')
        if self.pressure_gpa[1] > 10_000:
            raise ValueError(f'pressure_gpa: {self.pressure_gpa[1]:g} GPa is beyond what potentials can describe')
        if self.t_0_ps[0] <= 0:
            raise ValueError('t_0_ps: a modulation of period 0 is impossible, the range must start above 0')
        return self


class Thresholds(Settings):
    """Disagreement of the ensemble above which a trajectory stops.

    The forces of each member cost about as much again as the mean force, so they are computed only if one of their
    thresholds is given.

    :param energy_ev_per_sqrt_atom: energy disagreement: standard deviation over the members / sqrt(atoms).
    :param force_mean_ev_per_angstrom: force disagreement, mean over atoms; None means no threshold.
    :param force_max_ev_per_angstrom: force disagreement, largest of all atoms; None means no threshold.
    :param energy_error_mev_per_atom: error of the energy that the energy threshold stands for in a cell of mean size;
        None if the disagreement is not calibrated. It stops nothing.
    :param force_error_ev_per_angstrom: error of a force component that ``force_mean_ev_per_angstrom`` stands for.
    :param novelty: novelty above which a trajectory stops; see :mod:`aiida_anial.sampling.novelty`.
    """

    energy_ev_per_sqrt_atom: Positive
    force_mean_ev_per_angstrom: Positive | None = None
    force_max_ev_per_angstrom: Positive | None = None
    energy_error_mev_per_atom: Positive | None = None
    force_error_ev_per_angstrom: Positive | None = None
    novelty: Positive | None = None

    @property
    def need_forces(self) -> bool:
        """Whether checks need the forces of each member."""
        return self.force_mean_ev_per_angstrom is not None or self.force_max_ev_per_angstrom is not None


class SamplingSettings(Settings):
    """Settings of the dynamics and of the checks of trajectories.

    :param time_step_fs: time step.
    :param friction_per_fs: Langevin friction; 0 gives Newtonian dynamics.
    :param check_interval: steps between checks of the stop rules.
    :param min_time_ps: disagreement counts from this time on. Random cells are far from the training data, so counting
        it from the first step would stop all trajectories at once and sample only random cells.
    :param frame_interval: steps between stored frames, a multiple of ``check_interval``.
    :param min_contact_angstrom: a closer contact is unphysical. Random cells start with at least 1.8, and
        while they relax on the published ANI-Al at up to 3000 K, atoms come no closer than 1.72. At 1.5 the cores of
        pseudopotentials with radii of 1.4 angstrom overlap by half, and a label would be meaningless.
    :param max_temperature_k: a higher kinetic temperature is unphysical. Relaxing on the published ANI-Al, a random
        cell of a few atoms reaches 15,500 K for some femtoseconds; a broken potential exceeds any limit at once.
    :param skin_angstrom: margin of the neighbour lists; a list is renewed when an atom has moved by half of it.
    :param batch_size: trajectories that are integrated together; None means all of the task, which uses the machine
        best if there is enough memory. It does not change trajectories.
    :param candidate_at_t_max: candidate for a label on a trajectory that reaches t_max: its ``last`` frame, or the
        check with the ``highest`` energy disagreement since ``min_time_ps``.
    :param selection: what is labelled. ``active``: where the members disagree. The others are there to measure what
        active learning gains: ``thermal`` ends each trajectory at a random time, and no disagreement stops it;
        ``random`` takes the initial cells, without dynamics.
    :param duplicate_novelty: a candidate is a duplicate, and not labelled, if none of its environments is further than
        this from one of an earlier candidate of the task, nor the other way round, in the unit of
        :mod:`aiida_anial.sampling.novelty`; None labels duplicates.
    :param refill: whether the next trajectory starts as soon as one ends, instead of the next batch when all have
        ended. It does not change trajectories.
    """

    time_step_fs: Annotated[Positive, Field(le=10)] = 1.0
    friction_per_fs: Annotated[NonNegative, Field(le=1)] = 0.01
    check_interval: Annotated[int, Field(ge=1)] = 10
    min_time_ps: NonNegative = 0.1
    frame_interval: Annotated[int, Field(ge=1)] = 100
    min_contact_angstrom: NonNegative = 1.5
    max_temperature_k: Positive = 30000.0
    skin_angstrom: Positive = 0.5
    batch_size: Annotated[int, Field(ge=1)] | None = None
    candidate_at_t_max: Literal['last', 'highest'] = 'last'
    selection: Literal['active', 'thermal', 'random'] = 'active'
    duplicate_novelty: Positive | None = None
    refill: bool = True

    def counts_at(self, time_ps: float) -> bool:
        """Return whether disagreement counts at this time."""
        return time_ps >= self.min_time_ps * (1 - 1e-9)

    def compares(self, thresholds: Thresholds) -> bool:
        """Return whether the labelled configurations are needed, to measure novelty."""
        return self.duplicate_novelty is not None or thresholds.novelty is not None

    @property
    def origin(self) -> str:
        """The origin of the labels."""
        return 'active_learning' if self.selection == 'active' else self.selection

    @model_validator(mode='after')
    def _check_intervals(self) -> Self:
        if self.frame_interval % self.check_interval:
            raise ValueError(
                f'frame_interval: {self.frame_interval} steps are not a multiple of check_interval '
                f'({self.check_interval}), and frames are stored at checks'
            )
        return self
