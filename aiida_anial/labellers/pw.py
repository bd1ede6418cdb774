"""Labels by pw.x (PBE): one calculation for each cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from aiida import orm
from aiida.common import AttributeDict, LinkType
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.data.nodes import loaded_code
from aiida_anial.labellers.labeller import Labeller, Nodes
from aiida_anial.labellers.pw_inputs import n_electrons, pseudo_and_cutoffs, pw_inputs, read_pw_settings, with_bands

if TYPE_CHECKING:
    from aiida_anial.labellers.trial import Trial

__all__ = ('LABELLERS', 'PW_CODE', 'PwLabeller')

PW_CODE = 'pw@localhost'

# No files, no output, the output or the XML missing, unreadable or cut short; a machine that failed.
_CUT_SHORT = (100, 140, 301, 302, 303, 305, 310, 311, 312, 320, 321, 322)
# pw.x writes this file when it stops by itself, with the reason.
_CRASH = 'CRASH'
# The outputs that make a label: energy, and forces with stress.
_OUTPUTS = ('output_parameters', 'output_trajectory')
# Arguments of the rule that chooses meshes, and the inputs that are their values.
_RULES = {'distance': 'kpoints_distance', 'force_parity': 'kpoints_force_parity', 'density': 'kpoints_density'}


class PwLabeller(Labeller):
    """Label each cell by a ``PwBaseWorkChain``."""

    name = 'qe'
    namespace: ClassVar[str] = 'qe'
    process_label: ClassVar[str] = 'PwBaseWorkChain'
    is_one_job: ClassVar[bool] = False
    dft_jobs: ClassVar[tuple[str, ...]] = ('anial.pw', 'quantumespresso.pw')

    def resolve(
        self,
        options: Mapping[str, Any],
        inputs: CampaignInputs,
        *,
        old: Nodes | None = None,
        old_inputs: CampaignInputs | None = None,
    ) -> tuple[Nodes, CampaignInputs]:
        """Return the code of pw.x and the pseudopotential, and the settings with its cutoffs."""
        given, code = options['pw_code'], (old or {}).get('pw_code')
        if given is not None or code is None:
            code = loaded_code(PW_CODE if given is None else given, 'quantumespresso.pw', '--pw-code')
        pseudo = _old_pseudo(inputs, old, old_inputs)
        if pseudo is None:
            pseudo, inputs = pseudo_and_cutoffs(inputs)
        return {'pw_code': code, 'pseudo': pseudo}, inputs

    def inputs(self, label: LabellerSettings, nodes: Nodes, worker: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the inputs of every ``PwBaseWorkChain``."""
        return pw_inputs(label.qe, nodes.get('pw_code'), nodes.get('pseudo'))

    def trial(self, cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> Trial:
        """Time pw.x on cells of different cost."""
        from aiida_anial.labellers.pw_trial import mean_trial
        from aiida_anial.labellers.trial import check_is_here

        check_is_here(inputs['pw']['code'])
        return mean_trial(cells, inputs, side_by_side=side_by_side)

    def level_of_theory(self, label: LabellerSettings, nodes: Nodes) -> LevelOfTheory:
        """Return the settings of pw.x; its version and the functional are known only after the first label."""
        qe, pseudo = label.qe, nodes.get('pseudo')
        return LevelOfTheory(
            code='pw.x',
            pseudo_md5=pseudo.md5 if pseudo is not None else None,
            ecutwfc_ry=qe.ecutwfc_ry,
            ecutrho_ry=qe.ecutrho_ry,
            smearing=qe.smearing,
            degauss_ry=qe.degauss_ry,
            kpoints_mesh=qe.kpoints_mesh,
            kpoints_distance_per_angstrom=qe.kpoints_distance_per_angstrom,
            kpoints_per_reciprocal_atom=qe.kpoints_per_reciprocal_atom,
        )

    def read_settings(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of pw.x; keywords without a key of their own are under ``parameters``."""
        return {'qe': read_pw_settings(inputs)}

    def read_nodes(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the code of pw.x and the pseudopotential."""
        return {'pw_code': inputs['pw']['code'], 'pseudo': inputs['pw']['pseudos']['Al']}

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Expose the inputs of ``PwBaseWorkChain`` but for the cell."""
        from aiida_anial.labellers.pw_base import PwBaseWorkChain

        options: dict[str, Any] = {
            'required': False,
            'populate_defaults': False,
            'help': 'Inputs of every calculation by pw.x.',
        }
        spec.expose_inputs(
            PwBaseWorkChain, namespace=cls.namespace, exclude=('pw.structure',), namespace_options=options
        )
        spec.inputs[cls.namespace]['clean_workdir'].default = lambda: orm.Bool(True)
        spec.input(
            f'{cls.namespace}.kpoints_density',
            valid_type=orm.Int,
            required=False,
            help='K-points per reciprocal atom, in place of a mesh or a distance.',
        )

    def computer(self, chain: Any) -> orm.Computer:
        """Return the computer of pw.x."""
        computer: orm.Computer = chain.inputs.qe.pw.code.computer
        return computer

    def prepare(self, chain: Any) -> None:
        """Make the meshes and parameters of all cells at once, which saves processes and nodes."""
        from aiida_anial.calcfunctions.make_meshes import make_meshes

        given = chain.inputs.qe
        chain.ctx.rule = {name: given[key] for name, key in _RULES.items() if key in given}
        cells = {label: chain.inputs.cells[label] for label in chain.ctx.waiting}
        chain.ctx.meshes = make_meshes(**chain.ctx.rule, **cells) if cells and 'kpoints' not in given else {}
        electrons = {n_electrons(cell, given.pw.pseudos) for cell in cells.values()}
        chain.ctx.parameters = {str(number): with_bands(given.pw.parameters, number) for number in sorted(electrons)}

    def launch(self, chain: Any, key: str) -> Any:
        """Submit the calculation of the cell ``key``."""
        from aiida_anial.calcfunctions.make_meshes import mesh_name
        from aiida_anial.labellers.pw_base import PwBaseWorkChain

        inputs = AttributeDict(chain.exposed_inputs(PwBaseWorkChain, self.namespace))
        inputs.pw.structure = chain.inputs.cells[key]
        inputs.pw.parameters = chain.ctx.parameters[str(n_electrons(inputs.pw.structure, inputs.pw.pseudos))]
        if chain.ctx.meshes:
            for name in _RULES.values():
                inputs.pop(name, None)
            inputs.kpoints = chain.ctx.meshes[mesh_name(inputs.pw.structure, **chain.ctx.rule)]
        inputs.metadata.call_link_label = f'{key}_again' if key in chain.ctx.again else key
        inputs.metadata.label = key
        return chain.submit(PwBaseWorkChain, **inputs)

    def has_labels(self, node: Any) -> bool:
        """Return whether a ``PwBaseWorkChain`` finished well with energy, forces and stress."""
        links = node.base.links.get_outgoing(link_type=LinkType.RETURN) if node.is_finished_ok else None
        return links is not None and set(_OUTPUTS) <= set(links.all_link_labels())

    def deserves_another_try(self, node: Any) -> bool:
        """Return whether the last job of a ``PwBaseWorkChain`` never began or was ended from outside.

        Neither physics nor convergence explains that, so another run may succeed.
        """
        jobs = [child for child in getattr(node, 'called', []) if isinstance(child, orm.CalcJobNode)]
        if not node.is_finished or not jobs:
            return False
        last = max(jobs, key=attrgetter('pk'))
        retrieved = last.outputs.retrieved.base.repository.list_object_names() if 'retrieved' in last.outputs else []
        return last.exit_status in _CUT_SHORT and _CRASH not in retrieved

    def collect(self, chain: Any) -> dict[str, Any]:
        """Return the labels of this work chain and those that it adopted, as one shard."""
        done = chain.adopted
        parameters = {label: done['parameters'][label] for label in chain.ctx.taken_over}
        trajectories = {label: done['trajectories'][label] for label in chain.ctx.taken_over}
        for label, *found in _outputs_of_children(chain.node):
            parameters[label], trajectories[label] = found
        return _collect(
            chain.inputs.cells,
            parameters,
            trajectories,
            chain.inputs.qe,
            settings=chain.inputs.limits,
            source=chain.inputs.source,
            failures=orm.Dict(chain.ctx.failures),
        )

    def identity(self, label: LabellerSettings) -> dict[str, Any]:
        """Return the settings of pw.x without the name of the pseudopotential family and the options of the job."""
        return {key: value for key, value in label.qe.to_dict().items() if key not in {'job', 'pseudo_family'}}

    def read_name(self, inputs: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the only name that this namespace stands for."""
        return self.name

    def taken_over(self, adopted: Mapping[str, Any]) -> Collection[str]:
        """Return the cells whose calculation is done."""
        return list(adopted.get('parameters', ()))

    def labels_of(self, node: Any) -> dict[str, Any] | None:
        """Return the outputs of the calculation of one cell."""
        outputs = _complete_outputs(node)
        if outputs is None:
            return None
        return {
            'parameters': {node.label: outputs.output_parameters},
            'trajectories': {node.label: outputs.output_trajectory},
        }

    def without(self, adopted: Mapping[str, Any], uuids: Collection[str]) -> dict[str, Any]:
        """Return the outputs without those of the calculations ``uuids``."""
        return {
            kind: {name: node for name, node in adopted.get(kind, {}).items() if node.creator.uuid not in uuids}
            for kind in ('parameters', 'trajectories')
        }

    def collect_adopted(
        self, adopted: Mapping[str, Any], cells: Mapping[str, orm.StructureData], inputs: Any, **common: orm.Dict
    ) -> dict[str, Any]:
        """Return the labels of a labelling that did not end, as one shard."""
        return _collect(cells, adopted['parameters'], adopted['trajectories'], inputs, **common, failures=orm.Dict({}))


LABELLERS = (PwLabeller(),)


def _old_pseudo(inputs: CampaignInputs, old: Nodes | None, old_inputs: CampaignInputs | None) -> Any:
    """Return the pseudopotential of the campaign to continue, unless the family changes or cutoffs are missing."""
    if old is None or old_inputs is None or inputs.label.qe.ecutwfc_ry is None:
        return None
    return old.get('pseudo') if inputs.label.qe.pseudo_family == old_inputs.label.qe.pseudo_family else None


def _collect(
    cells: Mapping[str, Any], parameters: dict[str, Any], trajectories: dict[str, Any], inputs: Any, **common: orm.Dict
) -> dict[str, Any]:
    from aiida_anial.calcfunctions.collect_labels import collect_labels

    rule = {name: inputs[name] for name in ('kpoints_distance', 'kpoints_density') if name in inputs}
    found: dict[str, Any] = collect_labels(
        **rule,
        **common,
        cells={label: cells[label] for label in parameters},
        parameters=parameters,
        trajectories=trajectories,
    )
    return found


def _outputs_of_children(node: orm.ProcessNode) -> list[list[Any]]:
    """Return the name of each cell that ``node`` labelled, in order, with the outputs of its calculation."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': node.pk}, tag='this')
    sound = {'attributes.exit_status': 0}
    query.append(orm.WorkChainNode, with_incoming='this', filters=sound, project='label', tag='calculation')
    for output in _OUTPUTS:
        query.append(orm.Data, with_incoming='calculation', edge_filters={'label': output}, project='*')
    found: list[list[Any]] = query.all()
    return sorted(found, key=itemgetter(0))


def _complete_outputs(base: Any) -> Any:
    """Return the outputs of a ``PwBaseWorkChain``, or of the last job of one that was cut short, if complete."""
    jobs = [node for node in base.called if isinstance(node, orm.CalcJobNode) and node.is_finished_ok]
    if base.is_finished_ok:
        found: Any = base.outputs
    elif not base.is_finished and jobs and _has_enough_bands(jobs[-1]):
        found = jobs[-1].outputs
    else:
        return None
    return found if all(name in found for name in _OUTPUTS) else None


def _has_enough_bands(job: Any) -> bool:
    """Return whether the highest band is empty, as ``PwBaseWorkChain`` demands."""
    from aiida_quantumespresso.utils.bands import get_highest_occupied_band

    try:
        get_highest_occupied_band(job.outputs.output_band)
    except (AttributeError, ValueError):
        return False
    return True
