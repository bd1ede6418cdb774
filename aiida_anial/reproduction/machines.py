"""What the jobs of a step ran on, and in what two runs of it differ."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm

from aiida_anial.calculations.worker import WorkerCalculation

__all__ = ('machine_differences', 'version_differences')


def machine_differences(original: Any, again: Any) -> dict[str, tuple[str, str]]:
    """Return what differs between the machines of two runs, by name: there and here; nothing if they are of one kind.

    Jobs of ``anial-worker`` write it into ``output.json``, which is retrieved.
    """
    there, here = _machines(original), _machines(again)
    return {
        name: (there.get(name, 'not recorded'), here.get(name, 'not recorded'))
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    }


def version_differences(original: Any, again: Any) -> dict[str, tuple[str, str]]:
    """Return the versions of AiiDA and of the plugin that differ, by name: there and here."""
    there, here = (node.base.attributes.get('version', {}) for node in (original, again))
    names = {'core': 'aiida-core', 'plugin': 'the plugin'}
    return {
        names.get(name, name): (str(there.get(name)), str(here.get(name)))
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    }


def _machines(node: Any) -> dict[str, str]:
    """Return the machine of all jobs of a step, a line by name; several values where they ran on several."""
    lines: dict[str, set[str]] = {}
    for job in _jobs(node):
        for name, value in _record(job).items():
            lines.setdefault(name, set()).add(value)
    return {name: ', '.join(sorted(values)) for name, values in lines.items()}


def _jobs(node: Any) -> list[Any]:
    return [job for job in (node, *node.called_descendants) if isinstance(job, orm.CalcJobNode)]


def _record(job: Any) -> dict[str, str]:
    """Return what a job noted about its machine; nothing if it is none of the worker's, or left nothing."""
    if 'retrieved' not in job.outputs:
        return {}
    repository = job.outputs.retrieved.base.repository
    if WorkerCalculation.OUTPUT not in repository.list_object_names():
        return {}
    try:
        machine = json.loads(repository.get_object_content(WorkerCalculation.OUTPUT, 'r')).get('machine') or {}
    except ValueError:
        return {}
    versions = machine.pop('versions', {})
    lines = {
        name: ' '.join(map(str, value)) if isinstance(value, list) else str(value) for name, value in machine.items()
    }
    return lines | {f'version of {name}': str(version) for name, version in versions.items()}
