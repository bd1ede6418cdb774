"""Labels by a potential: all cells in one job of ``anial-worker``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.job_settings import JobSettings
from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.calcfunctions.collect_evaluated import collect_evaluated, level_of_theory
from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.nodes import loaded_ensemble
from aiida_anial.formats.files import check_name
from aiida_anial.labellers.labeller import Labeller, Nodes

if TYPE_CHECKING:
    from aiida_anial.labellers.trial import Trial

__all__ = ('LABELLERS', 'PotentialLabeller')

_LINK = 'evaluate'


class PotentialLabeller(Labeller):
    """Label all cells by one ``EvaluateCalculation``; by itself EMT, the effective medium theory of ASE."""

    name = 'emt'
    namespace: ClassVar[str] = 'evaluate'
    process_label: ClassVar[str] = 'EvaluateCalculation'
    is_one_job: ClassVar[bool] = True

    def source(self, label: LabellerSettings) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Return the ``PotentialSource`` that the job evaluates, as plain values."""
        return {'kind': self.name}

    def files(self, nodes: Nodes) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Return the inputs of the job that hold the potential.

        :raises AnialError: if one is missing.
        """
        return {}

    def resolve(
        self,
        options: Mapping[str, Any],  # noqa: ARG002 - for subclasses
        inputs: CampaignInputs,
        *,
        old: Nodes | None = None,  # noqa: ARG002
        old_inputs: CampaignInputs | None = None,  # noqa: ARG002
    ) -> tuple[Nodes, CampaignInputs]:
        """Return the nodes that hold the potential."""
        return {}, inputs

    def inputs(self, label: LabellerSettings, nodes: Nodes, worker: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of every ``EvaluateCalculation``."""
        return {
            **worker,
            **self.files(nodes),
            'labeller': orm.Dict(self.source(label)),
            'metadata': {'options': label.job.options()},
        }

    def trial(self, cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> Trial:  # noqa: ARG002
        """Time a job for all cells."""
        from aiida_anial.calculations.evaluate import EvaluateCalculation
        from aiida_anial.labellers.trial import Trial, check_is_here, dry_run, run_script

        check_is_here(inputs['code'])
        builder: Any = EvaluateCalculation.get_builder()
        for name, value in inputs.items():
            builder[name] = value
        builder.cells = {f'cell_{index:04d}': cell for index, cell in enumerate(cells)}
        with TemporaryDirectory() as scratch:
            seconds = run_script(dry_run(builder, Path(scratch)))
        return Trial(seconds / len(cells), None, len(cells), None)

    def level_of_theory(self, label: LabellerSettings, nodes: Nodes) -> LevelOfTheory:
        """Return the potential, with the SHA-256 of its file."""
        return level_of_theory(self.source(label), **self.files(nodes))

    def read_name(self, inputs: Mapping[str, Any]) -> str:
        """Return the kind of potential."""
        return str(inputs['labeller']['kind'])

    def read_settings(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the job."""
        return {'job': JobSettings.from_options(inputs['metadata']['options']).to_dict()}

    def read_nodes(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the nodes that hold the potential."""
        names = {'potential': 'potential', 'teacher': 'ensemble'}
        return {ours: inputs[theirs] for ours, theirs in names.items() if theirs in inputs}

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Expose the inputs of ``EvaluateCalculation`` but for the cells."""
        from aiida_anial.calculations.evaluate import EvaluateCalculation

        options: dict[str, Any] = {'required': False, 'populate_defaults': False, 'help': 'A potential.'}
        spec.expose_inputs(EvaluateCalculation, namespace=cls.namespace, exclude=('cells',), namespace_options=options)

    def computer(self, chain: Any) -> orm.Computer | None:  # noqa: ARG002
        """Return None: the limit of a computer counts expensive calculations."""
        return None

    def launch(self, chain: Any, key: str) -> Any:  # noqa: ARG002 - there is one job
        """Submit the job for all cells."""
        from aiida_anial.calculations.evaluate import EvaluateCalculation

        inputs = AttributeDict(chain.exposed_inputs(EvaluateCalculation, self.namespace))
        inputs.cells = chain.inputs.cells
        inputs.metadata.call_link_label = _LINK
        return chain.submit(EvaluateCalculation, **inputs)

    def has_labels(self, node: Any) -> bool:
        """Return whether the job finished well."""
        return bool(node.is_finished_ok)

    def deserves_another_try(self, node: Any) -> bool:  # noqa: ARG002
        """Return False: the job is cheap, and names the cells that it rejects."""
        return False

    def collect(self, chain: Any) -> dict[str, Any]:
        """Return the labels of the job, or of the one that was adopted, as one shard."""
        jobs = [node for node in chain.node.called if node.process_label == self.process_label]
        done = self.labels_of(jobs[-1]) if jobs else chain.adopted
        assert done is not None
        common = {'settings': chain.inputs.limits, 'source': chain.inputs.source}
        return self.collect_adopted(done, chain.inputs.cells, None, **common)

    def taken_over(self, adopted: Mapping[str, Any]) -> Collection[str] | None:
        """Return all cells if the job is done, and none otherwise."""
        return None if 'labels' in adopted else []

    def labels_of(self, node: Any) -> dict[str, Any] | None:
        """Return the labels of a job and the cells that it rejected."""
        if not node.is_finished_ok:
            return None
        return {'labels': node.outputs.labels, 'rejected': node.outputs.rejected}

    def without(self, adopted: Mapping[str, Any], uuids: Collection[str]) -> dict[str, Any]:
        """Return the labels, unless the job is one of ``uuids``."""
        if 'labels' not in adopted or adopted['labels'].creator.uuid in uuids:
            return {}
        return {'labels': adopted['labels'], 'rejected': adopted['rejected']}

    def collect_adopted(
        self,
        adopted: Mapping[str, Any],
        cells: Mapping[str, orm.StructureData],
        inputs: Any,  # noqa: ARG002
        **common: orm.Dict,
    ) -> dict[str, Any]:
        """Return the labels of a job as one shard."""
        found: dict[str, Any] = collect_evaluated(
            **common, labels=adopted['labels'], failures=adopted['rejected'], cells=dict(cells)
        )
        return found


class EamLabeller(PotentialLabeller):
    """Label by an EAM file of LAMMPS."""

    name = 'eam'

    def files(self, nodes: Nodes) -> dict[str, Any]:
        """Return the file."""
        if nodes.get('potential') is None:
            raise AnialError('label.labeller: the labeller eam needs a potential file.')
        return {'potential': nodes['potential']}

    def resolve(
        self,
        options: Mapping[str, Any],
        inputs: CampaignInputs,
        *,
        old: Nodes | None = None,
        old_inputs: CampaignInputs | None = None,  # noqa: ARG002
    ) -> tuple[Nodes, CampaignInputs]:
        """Return the file that ``--potential`` names."""
        kept = (old or {}).get('potential') if options['potential'] is None else None
        return {'potential': kept or _potential_file(options['potential'])}, inputs


class TeacherLabeller(PotentialLabeller):
    """Label by a trained ensemble, the teacher."""

    name = 'ensemble'

    def files(self, nodes: Nodes) -> dict[str, Any]:
        """Return the ensemble."""
        if nodes.get('teacher') is None:
            raise AnialError('label.labeller: the labeller ensemble needs a trained potential as teacher.')
        return {'ensemble': nodes['teacher']}

    def resolve(
        self,
        options: Mapping[str, Any],
        inputs: CampaignInputs,
        *,
        old: Nodes | None = None,
        old_inputs: CampaignInputs | None = None,  # noqa: ARG002
    ) -> tuple[Nodes, CampaignInputs]:
        """Return the ensemble that ``--teacher`` names."""
        kept = (old or {}).get('teacher') if options['teacher'] is None else None
        return {'teacher': kept or loaded_ensemble(options['teacher'])}, inputs


LABELLERS = (PotentialLabeller(), EamLabeller(), TeacherLabeller())


def _potential_file(path: Path | None) -> orm.SinglefileData:
    """Return an EAM file as an unstored node.

    :raises AnialError: if none is given, it is no EAM file with aluminium, or its name does not tell its style.
    """
    # Loads scipy.
    from aiida_anial.potential.source import EAM_SUFFIXES, read_eam

    if path is None:
        raise AnialError('--potential: the labeller eam needs a potential file.')
    if not path.name.endswith(EAM_SUFFIXES):
        raise AnialError(f'--potential: {path.name!r} must end in {" or ".join(EAM_SUFFIXES)}.')
    try:
        check_name(path.name)
        read_eam(path)
    except AnialError as exception:
        raise AnialError(f'--potential: {exception}') from exception
    return orm.SinglefileData(path.absolute())
