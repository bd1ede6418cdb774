"""The interface of a labeller, through which the rest of the package uses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from aiida import orm
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from aiida_anial.active_learning.label_settings import LabellerSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.level_of_theory import LevelOfTheory

if TYPE_CHECKING:
    from aiida_anial.labellers.trial import Trial

__all__ = ('Labeller', 'Nodes')

Nodes = Mapping[str, Any]
"""Codes and data that a labeller needs, by the name of the argument of ``campaign_builder``."""


class Labeller(ABC):
    """One way to label cells, used as a single object without state.

    Importing its module must not load a work chain or torch: queries and ``submit --help`` import all labellers.
    """

    name: str
    """Value of the setting ``label.labeller``."""

    namespace: ClassVar[str]
    """Namespace of the inputs of ``LabelWorkChain`` that chooses this labeller."""

    process_label: ClassVar[str]
    """Process label of the process that labels one cell, or all cells."""

    is_one_job: ClassVar[bool]
    """Whether one process labels all cells, instead of one process each."""

    dft_jobs: ClassVar[tuple[str, ...]] = ()
    """Entry points of the jobs whose results are reproduced within the tolerances of DFT, and not to the bit."""

    # From the settings and options of a user to the inputs of a campaign.

    def check(self, label: LabellerSettings) -> None:  # noqa: B027 - most have no settings of their own
        """Validate the labeller's own settings, before anything is stored.

        :raises SettingsError: one sentence that names the key.
        """

    @abstractmethod
    def resolve(
        self,
        options: Mapping[str, Any],
        inputs: CampaignInputs,
        *,
        old: Nodes | None = None,
        old_inputs: CampaignInputs | None = None,
    ) -> tuple[Nodes, CampaignInputs]:
        """Return the nodes that options of ``aiida-anial submit`` name, and the settings, completed.

        :param old: nodes of the campaign to continue, which hold unless options name others.
        :param old_inputs: its settings.
        :raises AnialError: one sentence that names the option or key.
        """

    @abstractmethod
    def inputs(self, label: LabellerSettings, nodes: Nodes, worker: Mapping[str, Any]) -> dict[str, Any]:
        """Return the namespace ``namespace`` of ``LabelWorkChain``; its nodes are shared by all labels.

        :param worker: ``code`` and ``engine`` of jobs of ``anial-worker``.
        :raises AnialError: if a node is missing.
        """

    @abstractmethod
    def level_of_theory(self, label: LabellerSettings, nodes: Nodes) -> LevelOfTheory:
        """Return the level of theory of the labels, as far as it is known before the first one."""

    def identity(self, label: LabellerSettings) -> dict[str, Any]:  # noqa: ARG002 - most have no settings of their own
        """Return the settings on which labels depend; two campaigns with the same have labels of the same kind."""
        return {}

    @abstractmethod
    def trial(self, cells: Sequence[orm.StructureData], inputs: Mapping[str, Any], *, side_by_side: int) -> Trial:
        """Label a few of the cells on this machine, in a temporary folder, and return what all would take.

        :param inputs: what ``inputs`` returned.
        :param side_by_side: how many run at once.
        :raises AnialError: if a label cannot be made here.
        """

    # From the inputs of an earlier campaign back to settings and nodes.

    @abstractmethod
    def read_name(self, inputs: Mapping[str, Any]) -> str:
        """Return the name of the labeller that this namespace chooses."""

    @abstractmethod
    def read_settings(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings under ``label`` from which ``inputs`` made this namespace."""

    @abstractmethod
    def read_nodes(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the nodes in this namespace."""

    # For ``LabelWorkChain``; ``chain`` is the running work chain.

    @classmethod
    @abstractmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Add the namespace to the inputs of ``LabelWorkChain``."""

    @abstractmethod
    def computer(self, chain: Any) -> orm.Computer | None:
        """Return the computer whose limit on calculations holds, or None if no limit does."""

    def prepare(self, chain: Any) -> None:  # noqa: B027 - most need none
        """Make what all launches share, such as meshes of k-points."""

    @abstractmethod
    def launch(self, chain: Any, key: str) -> Any:
        """Submit the process that labels the cell ``key``, or all cells, and return its node."""

    @abstractmethod
    def has_labels(self, node: Any) -> bool:
        """Return whether a process that has ended has all outputs that make a label."""

    @abstractmethod
    def deserves_another_try(self, node: Any) -> bool:
        """Return whether a process failed for a reason that may not occur in another run."""

    @abstractmethod
    def collect(self, chain: Any) -> dict[str, Any]:
        """Return ``dataset``, ``labels`` and ``rejected``, from this work chain and from what it adopted."""

    # For a campaign that continues another; ``adopted`` is the namespace of that name of ``LabelWorkChain``.

    @abstractmethod
    def taken_over(self, adopted: Mapping[str, Any]) -> Collection[str] | None:
        """Return the cells that have a label, or None if all of them have one."""

    @abstractmethod
    def labels_of(self, node: Any) -> dict[str, Any] | None:
        """Return the part of ``adopted`` that a process of another labelling gives; None if it left no label."""

    @abstractmethod
    def without(self, adopted: Mapping[str, Any], uuids: Collection[str]) -> dict[str, Any]:
        """Return ``adopted`` without the labels that the calculations ``uuids`` gave."""

    @abstractmethod
    def collect_adopted(
        self, adopted: Mapping[str, Any], cells: Mapping[str, orm.StructureData], inputs: Any, **common: orm.Dict
    ) -> dict[str, Any]:
        """Return ``dataset``, ``labels`` and ``rejected`` of a labelling that did not end.

        :param inputs: the namespace ``namespace`` of the campaign that it belongs to.
        :param common: ``settings`` and ``source`` of the labels.
        """
