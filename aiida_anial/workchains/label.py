"""Labels for any number of cells, never more than a few calculations at once."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.label_settings import LabelSettings
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.validation import settings_validator, validate_aluminium
from aiida_anial.labellers.labeller import Labeller
from aiida_anial.labellers.registry import known_labellers, labeller_of
from aiida_anial.runtime.work_chain import AnialWorkChain
from aiida_anial.workchains.adopted import adopted, define_adopted_labels
from aiida_anial.workchains.reasons import reason

__all__ = ('LabelWorkChain',)

# Key of the one job that labels all cells; the keys of cells begin with a letter.
_ONE_JOB = '*'


class LabelWorkChain(AnialWorkChain):
    """Label cells with energies, forces and stresses; reject those that fail, with their reasons.

    The inputs hold the namespace of exactly one labeller, which is asked for everything that differs between them.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'cells', valid_type=orm.StructureData, dynamic=True, validator=validate_aluminium, help='What to label.'
        )
        spec.input(
            'limits',
            valid_type=orm.Dict,
            default=lambda: orm.Dict(LabelSettings().to_dict()),
            validator=settings_validator(LabelSettings, 'limits'),
            help='`max_concurrent`, `max_failed_fraction`, `max_force_ev_per_angstrom`.',
        )
        spec.input(
            'source',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({'iteration': 0, 'origin': 'random'}),
            help='`iteration` and `origin` that the labels carry.',
        )
        define_adopted_labels(spec, 'adopted')
        for labeller in {one.namespace: one for one in known_labellers().values()}.values():
            labeller.define(spec)
        spec.inputs.validator = cls.validate_labeller
        spec.outline(
            cls.setup,
            cls.prepare,
            while_(cls.should_run_calculations)(
                cls.run_calculations,
            ),
            cls.inspect_calculations,
            cls.collect,
            cls.results,
        )
        spec.output('dataset', valid_type=DatasetData, required=False, help='The valid labels.')
        spec.output('rejected', valid_type=orm.Dict, help='Reasons by cell label, for the rejected cells.')
        spec.exit_code(
            410,
            'ERROR_TOO_MANY_FAILED',
            message='{failed} of {total} labels failed, more than the fraction {allowed} that is allowed.',
        )
        spec.exit_code(420, 'ERROR_EVALUATION_FAILED', message='The evaluation of the cells failed: {reason}')

    @staticmethod
    def validate_labeller(inputs: dict[str, Any], ports: Any) -> str | None:
        """Refuse inputs without a labeller, with two of them, or without cells."""
        names = sorted({labeller.namespace for labeller in known_labellers().values()}, reverse=True)
        given = [name for name in names if inputs.get(name)]
        if len(given) != 1:
            return f'give exactly one labeller, {" or ".join(f"`{name}`" for name in names)}, not {len(given)}.'
        if 'cells' in ports and not inputs.get('cells'):
            return 'cells: there is nothing to label.'
        return None

    @property
    def labeller(self) -> Labeller:
        """The labeller that the inputs choose."""
        return labeller_of(self.inputs)

    @property
    def adopted(self) -> dict[str, Any]:
        """The labels that are taken over from another labelling."""
        return adopted(self.inputs, 'adopted')

    def setup(self) -> None:
        """Queue the cells that have no label yet, or one job for all of them."""
        done, labeller = self.adopted, self.labeller
        failures = done['failures'].get_dict() if 'failures' in done else {}
        failures = {label: failures[label] for label in sorted(failures) if label in self.inputs.cells}
        if self._too_many_failed(len(failures)):
            # The cause, such as a computer that was misconfigured, may be gone; otherwise they end this one, too.
            self.report(f'{len(failures)} labels had failed, more than may; they are calculated again')
            failures = {}
        self.ctx.failures = failures
        labelled = labeller.taken_over(done)
        self.ctx.taken_over = sorted(self.inputs.cells if labelled is None else set(labelled) & set(self.inputs.cells))
        waiting = sorted(set(self.inputs.cells) - set(self.ctx.taken_over) - set(failures))
        # The largest first: the last to end is then a short one, beside which few slots stand empty.
        self.ctx.waiting = sorted(waiting, key=lambda label: -_n_atoms(self.inputs.cells[label]))
        if labeller.is_one_job and self.ctx.waiting:
            self.ctx.waiting = [_ONE_JOB]
        self.ctx.n_labelled = 0
        self.ctx.again = []
        if self.ctx.taken_over:
            self.report(f'{len(self.ctx.taken_over)} of {len(self.inputs.cells)} cells are labelled already')

    def prepare(self) -> None:
        """Let the labeller make what all launches share."""
        self.labeller.prepare(self)

    def should_run_calculations(self) -> bool:
        """Return whether cells wait, or calculations are alive."""
        return bool(self.ctx.waiting or self.alive)

    def run_calculations(self) -> None:
        """Record the calculations that have ended, and fill the slots."""
        for key, node in self.ended().items():
            self._note(key, node)
        if self.ctx.waiting and self._too_many_failed(len(self.ctx.failures)):
            self.report(f'{len(self.ctx.failures)} labels failed; no more are launched, {len(self.ctx.waiting)} waited')
            self.ctx.waiting = []
        done = len(self.ctx.taken_over) + self.ctx.n_labelled + len(self.ctx.failures)
        total, labeller = len(self.inputs.cells), self.labeller
        self.ctx.stage = f'evaluating {total} cells' if labeller.is_one_job else f'{done} of {total} labels done'
        self.fill(self._limits.max_concurrent, labeller.computer(self), self._launch)

    def inspect_calculations(self) -> ExitCode | None:
        """Fail with the reason if the one job for all cells failed."""
        why = self.ctx.failures.get(_ONE_JOB)
        if why is None:
            return None
        code: ExitCode = self.exit_codes.ERROR_EVALUATION_FAILED
        return code.format(reason=why)

    def collect(self) -> None:
        """Collect the valid labels in one shard."""
        self.ctx.collected = self.labeller.collect(self)

    def results(self) -> ExitCode | None:
        """Attach the outputs, and then fail if too many labels failed; cells that waited then are not labelled."""
        # Labels are found through the process that made them; a further link to each would say nothing new.
        self.out_many({name: node for name, node in self.ctx.collected.items() if name != 'labels'})
        total, failed = len(self.inputs.cells), len(self.ctx.collected['rejected'].get_dict())
        shard = self.ctx.collected.get('dataset')
        self.report(f'labelled {0 if shard is None else shard.n_configurations} of {total} cells')
        if not self._too_many_failed(failed):
            return None
        code: ExitCode = self.exit_codes.ERROR_TOO_MANY_FAILED
        allowed = str(self._limits.max_failed_fraction)
        return code.format(failed=str(failed), total=str(total), allowed=allowed)

    def _too_many_failed(self, number: int) -> bool:
        return number > self._limits.max_failed_fraction * len(self.inputs.cells)

    @property
    def _limits(self) -> LabelSettings:
        return LabelSettings.parse(self.inputs.limits.get_dict())

    def _launch(self, key: str) -> None:
        """Submit the process that labels a cell, or all cells."""
        node = self.labeller.launch(self, key)
        self.start(key, node)
        what = f'{len(self.inputs.cells)} cells'
        if key != _ONE_JOB:
            what = f'{key}: {len(self.alive)} alive, {len(self.ctx.waiting)} waiting, {self.ctx.n_labelled} done'
        self.report(f'launching {node.process_label}<{node.pk}> for {what}')

    def _note(self, key: str, node: Any) -> None:
        """Record the label, or the reason why there is none."""
        labeller = self.labeller
        if labeller.has_labels(node):
            self.ctx.n_labelled += 1
        elif labeller.deserves_another_try(node) and key not in self.ctx.again:
            self.ctx.again.append(key)
            self.ctx.waiting.append(key)
            self.report(f'{key} was cut short: {reason(node)}; action taken: launch it once more')
        elif key == _ONE_JOB:
            self.ctx.failures[key] = reason(node)
            self.report(f'{node.process_label}<{node.pk}> failed with exit status {node.exit_status}')
        else:
            self.ctx.failures[key] = reason(node)
            self.report(f'{key} rejected: {self.ctx.failures[key]}')


def _n_atoms(cell: orm.StructureData) -> int:
    return len(cell.base.attributes.get('sites'))
