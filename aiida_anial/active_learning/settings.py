"""Settings of a campaign: all keys of a protocol, which overrides can change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from aiida_anial.common.settings import NonNegative, Positive, Settings, unknown_key
from aiida_anial.potential.settings import AnyPotentialSettings, EngineSettings, ModelSettings
from aiida_anial.pseudopotential import PSEUDO_FAMILY
from aiida_anial.sampling.settings import CellSettings, SamplingSettings, ScheduleSettings
from aiida_anial.training.settings import TrainingSettings

__all__ = (
    'KPOINTS_RULES',
    'BenchmarkStage',
    'CampaignInputs',
    'CampaignSettings',
    'JobSettings',
    'LabelSettings',
    'LabellerSettings',
    'QeSettings',
    'ThresholdRule',
    'TrainingStages',
)

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
MeshCount = Annotated[int, Field(ge=1, le=100)]


_NAMELISTS = ('CONTROL', 'SYSTEM', 'ELECTRONS')

# Keywords of pw.x that are set by other keys, or that AiiDA derives from the structure and the job.
_OURS = (
    *('calculation', 'tprnfor', 'tstress', 'occupations', 'smearing', 'degauss', 'ecutwfc', 'ecutrho', 'conv_thr'),
    *('pseudo_dir', 'outdir', 'prefix', 'ibrav', 'nat', 'ntyp', 'celldm', 'a', 'b', 'c', 'cosab', 'cosac', 'cosbc'),
)


def _lines(value: Any) -> Any:
    """Return the lines of a text or a list as a tuple, and anything else unchanged."""
    value = value.splitlines() if isinstance(value, str) else value
    return tuple(value) if isinstance(value, list) else value


def _directives(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that are not empty.

    :raises ValueError: if a line is not a directive: the shell would run it, or the scheduler would not read it.
    """
    single = [line.strip() for text in lines for line in text.splitlines() if line.strip()]
    for line in single:
        if not line.startswith('#'):
            raise ValueError(f'{line!r} is not a line for the scheduler, which begins with #, as #SBATCH does')
    return tuple(single)


def _word(text: str) -> str:
    """Return ``text`` if it is one word in the script of a job.

    :raises ValueError: if it is not.
    """
    if len(text.split()) != 1 or text != text.strip():
        raise ValueError('a name without blanks is needed')
    return text


Directives = Annotated[tuple[str, ...], BeforeValidator(_lines), AfterValidator(_directives)]
Word = Annotated[str, AfterValidator(_word)]


# The keys that choose k-points, of which exactly one is needed.
KPOINTS_RULES: Final = ('kpoints_mesh', 'kpoints_distance_per_angstrom', 'kpoints_per_reciprocal_atom')
"""Keys of the rules for k-points, of which labels by pw.x need one."""

_RESOURCES = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')


class CampaignSettings(Settings):
    """Sizes of a campaign, and when it ends.

    :param n_initial_cells: random cells labelled before the first training (paper: about 400).
    :param max_iterations: largest number of active-learning iterations.
    :param max_iterations_is_failure: whether reaching ``max_iterations`` without convergence gives exit code 600; if
        not, it is the planned end.
    :param n_trajectories: smallest and largest number of trajectories of an iteration, over all its cycles.
    :param trajectories_fraction: trajectories of an iteration as a fraction of the labels so far, within that range.
    :param n_cycles: sample-and-label cycles that run in parallel and join at the retraining (Fig. 1).
    :param label_completed_fraction: fraction of the trajectories that reach t_max whose candidate is labelled, too.
        The paper labels none (0).
    :param t_max_growth: growth of t_max from one iteration to the next, as a fraction of its initial value.
    """

    n_initial_cells: Count = 400
    max_iterations: Count = 40
    max_iterations_is_failure: bool = True
    n_trajectories: tuple[Count, Count] = (100, 400)
    trajectories_fraction: NonNegative = 0.25
    n_cycles: Count = 1
    label_completed_fraction: Fraction = 0.0
    t_max_growth: NonNegative = 0.0

    @model_validator(mode='after')
    def _check(self) -> Self:
        if self.n_trajectories[0] > self.n_trajectories[1]:
            raise ValueError(
                f'n_trajectories: the range is reversed, {self.n_trajectories[0]} > {self.n_trajectories[1]}'
            )
        if self.n_cycles > self.n_trajectories[0]:
            raise ValueError(
                f'n_cycles: {self.n_cycles} cycles need as many trajectories, but n_trajectories has fewer'
            )
        return self

    def trajectories(self, n_labels: int) -> int:
        """Return the number of trajectories of an iteration when there are ``n_labels`` labels."""
        low, high = self.n_trajectories
        return min(max(round(self.trajectories_fraction * n_labels), low), high)

    def t_max_scale(self, iteration: int) -> float:
        """Return t_max of an iteration, from 1, in units of that of the first."""
        return 1 + self.t_max_growth * (iteration - 1)

    def labels_completed(self, number: int) -> bool:
        """Return whether the trajectory that is the ``number``-th to reach t_max, from 1, is labelled.

        The fraction is taken evenly, so that no random draw is needed.
        """
        fraction = self.label_completed_fraction
        return int(number * fraction) > int((number - 1) * fraction)


class ThresholdRule(Settings):
    """The disagreement above which a trajectory stops.

    ``fixed`` keeps ``energy_ev_per_sqrt_atom``. ``controlled`` starts at ``initial_factor`` times the median held-out
    error of the first ensemble, |E^ - E| / sqrt(N), and multiplies the threshold by exp(gain (f - target)) after each
    iteration, where f is the fraction of trajectories stopped by disagreement; it never goes below ``floor``.
    ``calibrated`` stops where the disagreement stands for an error of the energy or of the forces above
    ``error_factor`` times that of the newest ensemble on its validation blocks, until these come down to
    ``energy_error_mev_per_atom`` and ``force_error_ev_per_angstrom``. Each iteration compares the disagreement with
    the true errors on its fresh labels.

    :param energy_error_mev_per_atom: with ``calibrated``, the error of the energy in a cell of mean size.
    :param force_error_ev_per_angstrom: with ``calibrated``, the error of a force component, root mean square over the
        cell.
    :param error_factor: with ``calibrated``, the error at which trajectories stop while the ensemble is worse than
        that, relative to its error on validation blocks.
    :param force_mean_ev_per_angstrom: also stop when the mean force disagreement over atoms exceeds this;
        ``calibrated`` sets it instead.
    :param force_max_ev_per_angstrom: also stop when the largest force disagreement of an atom exceeds this.
    """

    mode: Literal['fixed', 'controlled', 'calibrated'] = 'fixed'
    energy_ev_per_sqrt_atom: Positive = 0.01
    initial_factor: Positive = 0.8
    gain: NonNegative = 0.8
    target_stopped_fraction: Fraction = 0.5
    floor_ev_per_sqrt_atom: Positive = 0.01
    energy_error_mev_per_atom: Positive = 2.0
    force_error_ev_per_angstrom: Positive = 0.06
    error_factor: Positive = 1.0
    force_mean_ev_per_angstrom: Positive | None = None
    force_max_ev_per_angstrom: Positive | None = None


class LabelSettings(Settings):
    """Settings that all labellers share.

    :param max_concurrent: largest number of calculations of a campaign that are alive at the same time.
    :param max_failed_fraction: if a larger fraction of labels fails, the labelling ends with an exit code.
    :param max_force_ev_per_angstrom: a label with a larger force on an atom is rejected as unphysical.
    """

    max_concurrent: Count = 2
    max_failed_fraction: Fraction = 0.2
    max_force_ev_per_angstrom: Positive = 50.0


class JobSettings(Settings):
    """Resources that one kind of job requests from the scheduler.

    :param max_wallclock_seconds: training and sampling stop shortly before, and continue in a new job.
    :param max_memory_kb: memory on each machine, in units of 1024 bytes; ``null`` leaves it to the scheduler.
    :param custom_scheduler_commands: lines copied to the scheduler script, such as ``#SBATCH --gres=gpu:1``; a list or
        one text.
    """

    num_machines: Count = 1
    num_mpiprocs_per_machine: Count = 1
    num_cores_per_mpiproc: Count | None = None
    max_wallclock_seconds: Annotated[int, Field(ge=10)] = 3600
    max_memory_kb: Annotated[int, Field(ge=1024)] | None = None
    withmpi: bool = False
    queue_name: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    custom_scheduler_commands: Directives = ()

    def options(self) -> dict[str, Any]:
        """Return the ``metadata.options`` of a CalcJob."""
        resources = {key: getattr(self, key) for key in ('num_machines', 'num_mpiprocs_per_machine')}
        if self.num_cores_per_mpiproc is not None:
            resources['num_cores_per_mpiproc'] = self.num_cores_per_mpiproc
        names = ('max_memory_kb', 'queue_name', 'account', 'qos')
        optional = {key: getattr(self, key) for key in names if getattr(self, key) is not None}
        if self.custom_scheduler_commands:
            optional['custom_scheduler_commands'] = '\n'.join(self.custom_scheduler_commands)
        return {
            'resources': resources,
            'max_wallclock_seconds': self.max_wallclock_seconds,
            'withmpi': self.withmpi,
            **optional,
        }

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the settings whose ``options()`` are the ``metadata.options`` of a CalcJob."""
        resources = {name: options['resources'].get(name) for name in _RESOURCES}
        known = {**resources, **options}
        return cls.parse({name: known[name] for name in cls.model_fields if known.get(name) is not None})


class QeSettings(Settings):
    """PBE with pw.x for metals: always with smearing, and always with forces and stress.

    :param pseudo_family: label of an installed aiida-pseudo family; the default one comes with the package.
    :param ecutwfc_ry: wavefunction cutoff in Ry; with ``null``, the family recommends both cutoffs.
    :param kpoints_mesh: Monkhorst-Pack mesh of all cells (paper: 3 x 3 x 3).
    :param kpoints_distance_per_angstrom: instead, the largest distance between k-points, for cells of different sizes.
    :param kpoints_per_reciprocal_atom: instead, the least product of the number of k-points and the number of atoms;
        cells of fewer than 20 atoms have more, in inverse proportion to their atoms.
    :param parameters: further entries of pw.x namelists, such as ``{'ELECTRONS': {'mixing_beta': 0.4}}``.
    """

    pseudo_family: str = PSEUDO_FAMILY
    ecutwfc_ry: Positive | None = None
    ecutrho_ry: Positive | None = None
    smearing: Literal['cold', 'gaussian', 'methfessel-paxton', 'fermi-dirac'] = 'cold'
    degauss_ry: Positive = 0.02
    conv_thr_ry: Positive = 1e-8
    kpoints_mesh: tuple[MeshCount, MeshCount, MeshCount] | None = None
    kpoints_distance_per_angstrom: Annotated[float, Field(ge=0.02, le=2)] | None = None
    kpoints_per_reciprocal_atom: Annotated[int, Field(ge=1, le=10**6)] | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    job: JobSettings = JobSettings()

    @model_validator(mode='after')
    def _check(self) -> Self:
        for namelist in self.parameters:
            if namelist not in _NAMELISTS:
                raise ValueError(f'parameters.{namelist}: no such namelist; known are {", ".join(_NAMELISTS)}')
        if sum(getattr(self, name) is not None for name in KPOINTS_RULES) != 1:
            raise ValueError(f'give one of {", ".join(KPOINTS_RULES)}')
        if (self.ecutwfc_ry is None) != (self.ecutrho_ry is None):
            raise ValueError('give both ecutwfc_ry and ecutrho_ry, or neither')
        # pw.x takes less than four times as much; for norm-conserving pseudopotentials it costs little accuracy.
        if self.ecutwfc_ry and self.ecutrho_ry and self.ecutrho_ry <= self.ecutwfc_ry:
            raise ValueError(f'ecutrho_ry: {self.ecutrho_ry:g} is not above ecutwfc_ry, {self.ecutwfc_ry:g}')
        for namelist, values in self.parameters.items():
            if taken := {key.lower() for key in values} & set(_OURS):
                raise ValueError(f'parameters.{namelist}.{min(taken)}: other keys or the cell determine this keyword')
        return self


class LabellerSettings(Settings):
    """The labeller and its settings.

    Labellers other than ``qe`` have their settings under their own name, next to these keys.

    :param labeller: ``qe`` is PBE with pw.x, one calculation for each cell. The others are potentials, which label all
        cells in one job, for tests and for studies of active learning itself: ``emt``, ``eam`` (a potential file),
        ``ensemble`` (a trained potential as teacher), ``calculator`` (an ASE calculator by name).
    """

    model_config = ConfigDict(**Settings.model_config | {'extra': 'allow'})

    labeller: str = 'qe'
    limits: LabelSettings = LabelSettings()
    qe: QeSettings = QeSettings(kpoints_mesh=(3, 3, 3))
    job: JobSettings = JobSettings()

    @model_validator(mode='after')
    def _check(self) -> Self:
        for key in self.__pydantic_extra__ or {}:
            if key != self.labeller:
                raise ValueError(unknown_key(key, [*type(self).model_fields, self.labeller]))
        return self

    @property
    def own(self) -> Any:
        """The settings under the name of the labeller, not yet validated."""
        return (self.__pydantic_extra__ or {}).get(self.labeller, {})


class TrainingStages(Settings):
    """Settings of the first training, of the retraining after each iteration, and of a last one.

    :param final: ``null`` keeps the ensemble of the last iteration.
    :param warm_start: whether a retraining starts from the weights of the ensemble before it.
    :param threads: CPU threads of a training, beside which a campaign has little else to do; ``null`` takes
        ``engine.threads``.
    """

    initial: TrainingSettings = TrainingSettings()
    retrain: TrainingSettings = TrainingSettings()
    final: TrainingSettings | None = None
    warm_start: bool = True
    threads: Count | None = None
    job: JobSettings = JobSettings()


class SamplingStage(Settings):
    """Settings of the dynamics and of its jobs."""

    dynamics: SamplingSettings = SamplingSettings()
    job: JobSettings = JobSettings()


class BenchmarkStage(Settings):
    """The benchmark of the ensemble of every iteration, which runs in parallel with the next iteration.

    :param properties: ``none``; ``quick``, which is cold curves, elastic constants and the vacancy and takes a minute;
        or ``full``.
    """

    properties: Literal['none', 'quick', 'full'] = 'none'
    job: JobSettings = JobSettings()


class CampaignInputs(Settings):
    """All settings of a campaign: the keys of a protocol, which overrides can change.

    :param seed: determines all random numbers of the campaign.
    """

    description: str = ''
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    campaign: CampaignSettings = CampaignSettings()
    model: AnyPotentialSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    cells: CellSettings = CellSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    sampling: SamplingStage = SamplingStage()
    thresholds: ThresholdRule = ThresholdRule()
    training: TrainingStages = TrainingStages()
    label: LabellerSettings = LabellerSettings()
    benchmark: BenchmarkStage = BenchmarkStage()

    @model_validator(mode='after')
    def _check(self) -> Self:
        dynamics, schedules = self.sampling.dynamics, self.schedules
        if self.model.element != 'Al':
            raise ValueError(f'model.element: only Al is supported, not {self.model.element}')
        if self.cells.element != self.model.element:
            raise ValueError(f'cells.element: {self.cells.element} is not model.element ({self.model.element})')
        if dynamics.min_time_ps >= schedules.t_max_ps:
            raise ValueError(
                f'sampling.dynamics.min_time_ps: disagreement would never count, for schedules.t_max_ps is '
                f'{schedules.t_max_ps:g}'
            )
        if self.cells.min_distance_angstrom < dynamics.min_contact_angstrom:
            raise ValueError(
                f'cells.min_distance_angstrom: {self.cells.min_distance_angstrom:g} is below '
                f'sampling.dynamics.min_contact_angstrom ({dynamics.min_contact_angstrom:g}), no cell could start'
            )
        hottest = max(schedules.t_start_k[1], schedules.t_end_k[1]) + schedules.t_mod_k[1]
        if hottest >= dynamics.max_temperature_k:
            raise ValueError(
                f'schedules: they reach {hottest:g} K, not below sampling.dynamics.max_temperature_k '
                f'({dynamics.max_temperature_k:g})'
            )
        return self
