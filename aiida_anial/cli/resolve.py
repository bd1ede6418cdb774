"""Resolve the options of ``submit`` and ``benchmark`` to settings and nodes, and submit the process."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from aiida import orm
from aiida.engine import submit

from aiida_anial.active_learning.label_settings import QeSettings
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.cli.preflight import check_ready, codes_in
from aiida_anial.common.errors import AnialError
from aiida_anial.data.dataset import DatasetData
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded, loaded_code, loaded_ensemble
from aiida_anial.labellers.pw_inputs import pseudo_and_cutoffs
from aiida_anial.labellers.registry import labeller_named
from aiida_anial.potential.packaged import find
from aiida_anial.potential.source import EAM_SUFFIXES
from aiida_anial.properties.comparison.results import DFT
from aiida_anial.protocols.protocol import campaign_inputs, changed_inputs, read_overrides
from aiida_anial.protocols.reader import CampaignNodes
from aiida_anial.runtime.deaf_workers import end_deaf_workers

if TYPE_CHECKING:
    from aiida_anial.protocols.builder import BenchmarkSubjects

__all__ = (
    'WORKER_CODE',
    'benchmark_subjects',
    'dataset',
    'dft_nodes',
    'ensemble_node',
    'launched',
    'resolve_inputs',
    'resolve_nodes',
    'submitted',
)

WORKER_CODE = 'anial-worker@localhost'
# Options that only one labeller has a use for.
_OF_LABELLER: Final = {'potential': 'eam', 'teacher': 'ensemble'}


def resolve_inputs(options: dict[str, Any], old: CampaignInputs | None = None) -> CampaignInputs:
    """Return the settings that the command line asks for.

    :param old: settings of the campaign to continue. Without a protocol, they are the defaults; with one, only
        their seed and pseudopotential family are.
    """
    overrides = _overrides(options)
    if old is None:
        return campaign_inputs(options['protocol'], overrides)
    if options['protocol'] is None:
        return changed_inputs(old, overrides)
    base = campaign_inputs(options['protocol'], overrides).to_dict()
    if 'seed' not in overrides:
        base['seed'] = old.seed
    if 'pseudo_family' not in overrides.get('label', {}).get('qe', {}):
        base['label']['qe']['pseudo_family'] = old.label.qe.pseudo_family
    return CampaignInputs.parse(base)


def _overrides(options: dict[str, Any]) -> dict[str, Any]:
    """Return the overrides of the file and the command line, merged."""
    overrides = read_overrides(options['overrides']) if options['overrides'] else {}
    if options['seed'] is not None:
        overrides['seed'] = options['seed']
    if options['benchmark'] is not None:
        benchmark = overrides.setdefault('benchmark', {})
        if isinstance(benchmark, dict):
            benchmark['properties'] = options['benchmark']
    if options['pseudo_family'] is not None:
        label = overrides.setdefault('label', {})
        qe = label.setdefault('qe', {}) if isinstance(label, dict) else None
        if isinstance(qe, dict):
            qe['pseudo_family'] = options['pseudo_family']
    return overrides


def resolve_nodes(
    options: dict[str, Any],
    inputs: CampaignInputs,
    *,
    old: CampaignNodes | None = None,
    old_inputs: CampaignInputs | None = None,
) -> tuple[CampaignNodes, CampaignInputs]:
    """Return the codes and data that the labeller needs, and the settings with cutoffs.

    :param old: nodes of the campaign to continue, used unless others are given.
    :param old_inputs: settings of that campaign.
    """
    for option, needed in _OF_LABELLER.items():
        if options[option] is not None and inputs.label.labeller != needed:
            raise AnialError(
                f'--{option}: only the labeller {needed} takes it, and label.labeller is {inputs.label.labeller}.'
            )
    if options['worker_code'] is None and old is not None:
        worker = old.worker_code
    else:
        code = WORKER_CODE if options['worker_code'] is None else options['worker_code']
        worker = loaded_code(code, 'anial.train', '--worker-code')
    given = old.labeller if old is not None else None
    nodes, inputs = labeller_named(inputs.label.labeller).resolve(options, inputs, old=given, old_inputs=old_inputs)
    return CampaignNodes(worker, nodes), inputs


def dataset(identifier: str) -> DatasetData:
    """Return the dataset ``identifier``.

    :raises AnialError: if there is no such node, or it is not a dataset.
    """
    node = loaded(identifier, '--dataset')
    if not isinstance(node, DatasetData):
        raise AnialError(f'--dataset: node {identifier} is a {type(node).__name__}, not a DatasetData.')
    return node


def benchmark_subjects(subject: str | None, references: Sequence[str], *, pw_code: str) -> BenchmarkSubjects:
    """Return the potentials to benchmark.

    :param subject: pk, UUID, file or folder of the ensemble, or None for references alone.
    :param references: ``qe``, EAM files and other ensembles.
    :param pw_code: code of pw.x, for the reference ``qe``.
    :raises AnialError: if one of them cannot be resolved, or neither is given.
    """
    # Loads the work chains.
    from aiida_anial.protocols.builder import DFT_SETTINGS, BenchmarkSubjects

    if subject is None and not references:
        raise AnialError('ENSEMBLE: give an ensemble or a --reference.')
    found: dict[str, Any] = {'references': {}, 'potentials': {}}
    if subject is not None:
        found['ensemble'] = ensemble_node(subject, 'ENSEMBLE')
    for reference in dict.fromkeys(references):
        if reference == DFT:
            found |= dft_nodes(pw_code, DFT_SETTINGS)
        elif reference.endswith(EAM_SUFFIXES):
            found['potentials'][_name(Path(reference).name)] = _potential(Path(reference))
        else:
            node = ensemble_node(reference, '--reference')
            name = _name(Path(reference).stem if find(reference) else node.label or f'ensemble_{node.pk}')
            # Labels need not differ.
            found['references'][name if name not in found['references'] else f'{name}_{node.pk}'] = node
    return BenchmarkSubjects(**found)


def ensemble_node(identifier: str, option: str) -> EnsembleData:
    """Return the node of an ensemble.

    For a file, a folder or a potential of the package, that is an existing node with the same content, or a new one.
    """
    path = find(identifier)
    if path is None:
        return loaded_ensemble(identifier, option)
    from aiida_anial.potential.neurochem import read_neurochem
    from aiida_anial.potential.potential import potential_bytes, read_potential

    ensemble = read_neurochem(path) if path.is_dir() else read_potential(path)
    digest = hashlib.sha256(potential_bytes(ensemble)).hexdigest()
    query = orm.QueryBuilder().append(EnsembleData, filters={'attributes.sha256': digest})
    known: EnsembleData | None = query.first(flat=True)
    if known is not None:
        return known
    node = EnsembleData(ensemble)
    node.label = Path(identifier).stem
    return node


def _potential(path: Path) -> orm.SinglefileData:
    """Return an EAM file as an unstored node.

    :raises AnialError: if there is no such file, or it is not an EAM file.
    """
    if not path.is_file():
        raise AnialError(f'--reference: there is no file {str(path)!r}.')
    from aiida_anial.potential.source import read_eam

    read_eam(path)
    return orm.SinglefileData(path.absolute())


def dft_nodes(pw_code: str, settings: QeSettings) -> dict[str, Any]:
    """Return what DFT needs: a code, the pseudopotential of the package, and settings with its cutoffs."""
    code = loaded_code(pw_code, 'quantumespresso.pw', '--pw-code')
    pseudo, inputs = pseudo_and_cutoffs(campaign_inputs())
    cutoffs = {name: getattr(inputs.label.qe, name) for name in ('ecutwfc_ry', 'ecutrho_ry')}
    return {'pw_code': code, 'pseudo': pseudo, 'qe': settings.model_copy(update=cutoffs)}


def _name(text: str) -> str:
    """Return the text as a name of a potential that is valid in link labels."""
    name = re.sub(r'\W+', '_', text).strip('_')
    name = re.sub('_+', '_', name)
    return name if name[:1].isalpha() else f'potential_{name}'


def launched(builder: Any) -> Any:
    """Submit a process and return its node.

    :raises AnialError: if an input is invalid, or the process could not run; nothing is stored then.
    """
    check_ready(codes_in(builder))
    return submitted(builder)


def submitted(builder: Any) -> Any:
    """Submit a process that could run, after ending daemon workers that have lost the broker, and return its node.

    :raises AnialError: if an input is invalid; nothing is stored then.
    """
    if ended := end_deaf_workers():
        click.echo(f'{ended} daemon workers had lost the broker and were ended; the daemon starts new ones.', err=True)
    try:
        return submit(builder)
    except ValueError as exception:
        raise AnialError(str(exception)) from exception
