"""What a work chain takes over instead of paying for it again: from another campaign, or from a finished twin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from aiida import orm
from aiida.engine.processes.process_spec import ProcessSpec

from aiida_anial.calculations.worker import validate_checkpoint
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import FINGERPRINT

__all__ = ('adopted', 'define_adopted_labels', 'define_adopted_training', 'fingerprint', 'finished_twins')


def adopted(inputs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a namespace of the inputs as plain nested dictionaries, empty where nothing is given.

    :param names: the way to the namespace.
    """
    found: Any = inputs
    for name in names:
        found = found.get(name) or {}
    return _plain(found)


def _plain(namespace: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in namespace.items()}


def define_adopted_labels(spec: ProcessSpec, namespace: str) -> None:
    """Add the inputs of a labelling that has not come to its end."""
    spec.input_namespace(namespace, required=False, help='Labels that are done already, by cell label.')
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
    """Add the inputs of a training that is done, or was interrupted."""
    spec.input_namespace(namespace, required=False, help='A training that is done, or was interrupted.')
    spec.input(f'{namespace}.ensemble', valid_type=EnsembleData, required=False, help='The networks.')
    spec.input(f'{namespace}.summary', valid_type=orm.Dict, required=False, help='Summary of their training.')
    spec.input(
        f'{namespace}.checkpoint',
        valid_type=orm.FolderData,
        required=False,
        validator=validate_checkpoint,
        help='Where it was interrupted.',
    )


def fingerprint(**content: Any) -> str:
    """Return a SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def finished_twins(values: Collection[str]) -> dict[str, Any]:
    """Return the newest work chain with each of these fingerprints that finished well, where there is one."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode,
        filters={f'extras.{FINGERPRINT}': {'in': list(values)}, 'attributes.exit_status': 0},
        project=[f'extras.{FINGERPRINT}', '*'],
        tag='chain',
    )
    return dict(query.order_by({'chain': {'id': 'asc'}}).all())
