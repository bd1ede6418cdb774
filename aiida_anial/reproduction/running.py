"""Run a stored step again from its own inputs, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import ValidationError
from aiida.engine import run_get_node

from aiida_anial.common.errors import AnialError
from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.reproduction.steps import INPUT_LINKS, StepKind, describe, kind_of
from aiida_anial.runtime.caching import without_cache
from aiida_anial.runtime.remote_folders import clean

__all__ = ('Codes', 'StepFailedError', 'check_codes', 'run_again')


class StepFailedError(AnialError):
    """A step that succeeded originally could not be run again."""


@dataclass(frozen=True)
class Codes:
    """Codes that replace those of the originals.

    :param pw: code of ``pw.x``.
    :param worker: code of ``anial-worker``.
    """

    pw: orm.AbstractCode | None = None
    worker: orm.AbstractCode | None = None

    def instead_of(self, step: Any) -> orm.AbstractCode | None:
        """Return the code that replaces that of ``step``, or None."""
        return self.pw if kind_of(step) == StepKind.DFT else self.worker


def check_codes(steps: Iterable[Any], codes: Codes) -> None:
    """Check that the codes of the steps can be used here, each code once.

    :raises AnialError: if a computer is not configured, or an executable does not exist.
    """
    looked_at: set[str] = set()
    for step in steps:
        links = step.base.links.get_incoming(node_class=orm.AbstractCode, link_type=INPUT_LINKS).all()
        for code in [codes.instead_of(step) or link.node for link in links]:
            if code.uuid in looked_at:
                continue
            looked_at.add(code.uuid)
            if (fault := _fault(code)) is not None:
                option = '--pw-code' if kind_of(step) == StepKind.DFT else '--worker-code'
                raise AnialError(
                    f'PK: the code {code.full_label} of {describe(step)} cannot be used, {fault}; '
                    f'give another code with {option}.'
                )


def _fault(code: Any) -> str | None:
    """Return why a code cannot be used, as part of a sentence, or None."""
    if code.computer is not None and not code.computer.is_configured:
        return f'its computer {code.computer.label!r} is not configured'
    if isinstance(code, orm.InstalledCode):
        try:
            code.validate_filepath_executable()
        except ValidationError as exception:
            return f'{" ".join(str(exception).split()).rstrip(".")}'
    return None


def run_again(original: Any, codes: Codes) -> Any:
    """Run a step again without changing the original, and return the new process.

    Nothing comes from the cache. The new process, its descendants and their outputs carry the UUID of the original in
    the extra ``reproduces``, and its work directory is cleaned if that of the original is.

    :raises StepFailedError: if its inputs are now refused, or it raises an exception.
    """
    try:
        process, inputs = original.process_class, _inputs(original, codes.instead_of(original))
    except ValueError as exception:
        raise StepFailedError(f'its process cannot be loaded: {_sentence(exception)}') from exception
    try:
        _, again = without_cache(lambda: run_get_node(process, **inputs))
    except Exception as exception:  # whatever a calcfunction raises
        raise StepFailedError(f'it stopped on {type(exception).__name__}: {_sentence(exception)}') from exception
    _mark(original, again)
    _clean(original, again)
    return again


def _sentence(exception: Exception) -> str:
    return ' '.join(str(exception).split())


def _inputs(original: Any, code: orm.AbstractCode | None) -> dict[str, Any]:
    """Return the stored inputs of a process, with the options with which it ran."""
    inputs = original.base.links.get_incoming(link_type=INPUT_LINKS).nested()
    # Set for a job that only parsed files already in a folder; these have been cleaned, so the program runs again.
    inputs.pop('remote_folder', None)
    orm.ProcessNode.recursive_merge(inputs, deepcopy(original.get_metadata_inputs() or {}))
    inputs = _adapted(inputs, code)
    inputs.setdefault('metadata', {}).update(label=f'again {describe(original)}', disable_cache=True)
    return inputs


def _adapted(inputs: Mapping[str, Any], code: orm.AbstractCode | None) -> dict[str, Any]:
    """Return the inputs with another code, and with caching disabled for every job."""
    adapted: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            adapted[name] = _adapted(value, code) if name != 'metadata' else dict(value)
        else:
            adapted[name] = code if isinstance(value, orm.AbstractCode) and code is not None else value
    # The inputs of a job, or the namespace of a work chain with the inputs of its jobs.
    if 'code' in adapted:
        adapted.setdefault('metadata', {})['disable_cache'] = True
    # Only a calling work chain may set the label of the call link.
    if 'metadata' in adapted:
        adapted['metadata'].pop('call_link_label', None)
    return adapted


def _mark(original: Any, again: Any) -> None:
    """Mark a repetition, so that queries leave it out."""
    for process in (again, *again.called_descendants):
        made = process.base.links.get_outgoing(link_type=LinkType.CREATE).all_nodes()
        for node in (process, *made):
            node.base.extras.set(REPRODUCES, original.uuid)


def _clean(original: Any, again: Any) -> None:
    """Clean the work directory of a job if that of the original is."""
    if 'remote_folder' in original.outputs and 'remote_folder' in again.outputs:
        folder = again.outputs.remote_folder
        if original.outputs.remote_folder.is_cleaned and not folder.is_cleaned:
            clean(folder)
