"""What a work chain takes over from a campaign that it continues.

These are inputs, so that the graph says what was taken over. They cannot be found by equality, as a child or its twin
is (``aiida_anial.runtime.launch_once``): a campaign may continue another with other settings, keep its labels without
its networks, and begin in the middle of a labelling, of the dynamics or of a training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine.processes.process_spec import ProcessSpec

from aiida_anial.calculations.worker import validate_checkpoint
from aiida_anial.data.ensemble import EnsembleData

__all__ = ('adopted', 'define_adopted_labels', 'define_adopted_training')


def adopted(inputs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a namespace of the inputs as plain nested dictionaries, empty where nothing is given.

    :param names: names of the nested namespaces, outermost first.
    """
    found: Any = inputs
    for name in names:
        found = found.get(name) or {}
    return _plain(found)


def _plain(namespace: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in namespace.items()}


def define_adopted_labels(spec: ProcessSpec, namespace: str) -> None:
    """Add the inputs for the results of a labelling that was cut short."""
    spec.input_namespace(namespace, required=False, help='Finished labels, by cell label.')
    spec.input_namespace(
        f'{namespace}.parameters', valid_type=orm.Dict, dynamic=True, help='Output parameters of `pw.x`.'
    )
    spec.input_namespace(
        f'{namespace}.trajectories', valid_type=orm.TrajectoryData, dynamic=True, help='Forces and stress of `pw.x`.'
    )
    spec.input(
        f'{namespace}.failures', valid_type=orm.Dict, required=False, help='Reasons, of cells that are not tried again.'
    )
    spec.input(
        f'{namespace}.labels', valid_type=orm.ArrayData, required=False, help='Labels of all cells by a potential.'
    )
    spec.input(f'{namespace}.rejected', valid_type=orm.Dict, required=False, help='Reasons, beside `labels`.')


def define_adopted_training(spec: ProcessSpec, namespace: str) -> None:
    """Add the inputs for the results of a training that finished or was interrupted."""
    spec.input_namespace(namespace, required=False, help='Results of a training that finished or was interrupted.')
    spec.input(f'{namespace}.ensemble', valid_type=EnsembleData, required=False, help='The networks.')
    spec.input(f'{namespace}.summary', valid_type=orm.Dict, required=False, help='Summary of their training.')
    spec.input(
        f'{namespace}.checkpoint',
        valid_type=orm.FolderData,
        required=False,
        validator=validate_checkpoint,
        help='Checkpoint of an interrupted training.',
    )
