"""Write a campaign to a folder ready to publish."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.plan import inputs_of
from aiida_anial.formats.files import check_name
from aiida_anial.properties.comparison.rendering import comparison_numbers, comparison_text
from aiida_anial.properties.comparison.table import comparison_table
from aiida_anial.properties.figures.write import write_figures
from aiida_anial.queries.benchmarks import compared_subjects
from aiida_anial.queries.kinds import KINDS
from aiida_anial.queries.rejections import reason_counts
from aiida_anial.report.claims import Claims
from aiida_anial.report.exports import write_archive, write_exports, write_pseudopotentials
from aiida_anial.report.facts import campaign_facts
from aiida_anial.report.parity import parity_on_test_blocks
from aiida_anial.report.plots import write_plots
from aiida_anial.report.sources import (
    ReleaseSources,
    published_columns,
    published_iterations,
    published_records,
    release_sources,
)
from aiida_anial.report.texts import Author, citation_file, data_card
from aiida_anial.runtime.interruption import all_or_nothing

__all__ = ('CHECKSUMS_FILE', 'file_sizes_and_checksums', 'write_checksums', 'write_release', 'write_table')

CHECKSUMS_FILE = 'SHA256SUMS'


def file_sizes_and_checksums(folder: Path) -> dict[str, tuple[int, str]]:
    """Return size in bytes and SHA-256 of every file under ``folder``, by its relative path."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(folder.rglob('*')):
        if path.is_file():
            with path.open('rb') as stream:
                digest = hashlib.file_digest(stream, 'sha256').hexdigest()
            found[path.relative_to(folder).as_posix()] = (path.stat().st_size, digest)
    return found


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS`` for all other files under ``folder``, in the format of ``sha256sum -c``."""
    lines = [f'{digest}  {name}\n' for name, (_, digest) in file_sizes_and_checksums(folder).items()]
    (folder / CHECKSUMS_FILE).write_text(''.join(lines), encoding='utf-8')


def write_table(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write ``NAME.csv`` and ``NAME.json``, and return their paths.

    :param rows: at least one row; all have the keys of the first, and plain values.
    """
    table, listing = folder / f'{name}.csv', folder / f'{name}.json'
    with table.open('w', encoding='utf-8', newline='') as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    listing.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    return [table, listing]


_ARCHIVE = 'campaign.aiida'
_SETTINGS = 'settings.yaml'
_PSEUDOPOTENTIALS = 'pseudopotentials'
_CONTENTS = {
    'CITATION.cff': 'how to cite this',
    _ARCHIVE: 'provenance, for AiiDA',
    'dataset.extxyz': 'the labels as extended XYZ',
    'dataset.h5': 'the labels as HDF5 in the layout of the ANI datasets',
    'ensemble.safetensors': 'the potential: weights, architecture and units',
    'ensemble.torchani.safetensors': 'the potential as the state of a torchani model, in hartree',
    'ensemble.pt': 'the potential as TorchScript, which needs only torch',
    'ensemble-neurochem': 'the potential in the layout of the published ANI-Al, float32',
    _PSEUDOPOTENTIALS: 'the pseudopotentials of the labels',
    _SETTINGS: 'the settings of the campaign, as overrides for `aiida-anial submit`',
}
_LISTED_APART = ('plots', 'tables')


def write_release(
    campaign: Any, target: Path, *, title: str, authors: Sequence[Author], license_id: str
) -> dict[str, Any]:
    """Write the folder ``target``, which appears only once it is complete, and return the facts of the data card.

    :raises AnialError: if ``target`` exists, or the campaign has no labels or no ensemble.
    """
    _check_target(target)
    sources = release_sources(campaign)
    with _beside(target) as folder, all_or_nothing() as note:
        facts: dict[str, Any] = {
            'title': title,
            'authors': [str(author) for author in authors],
            'license_id': license_id,
            **campaign_facts(sources),
        }
        settings = yaml.safe_dump(inputs_of(campaign).to_dict(), sort_keys=False, default_flow_style=None)
        (folder / _SETTINGS).write_text(settings, encoding='utf-8')
        exports = write_exports(sources, folder, note)
        write_pseudopotentials(sources, folder / _PSEUDOPOTENTIALS)
        facts |= {
            'exports': exports.records(),
            'left_out': exports.left_out,
            **_write_records(sources, folder),
            'archive': write_archive(
                folder / _ARCHIVE,
                campaign,
                [sources.ensemble, *exports.processes.values(), *sources.benchmarks],
            ),
        }
        abstract = f'{facts["n_labels"]} labelled configurations of aluminium, and a potential trained on them.'
        citation = citation_file(title=title, authors=authors, license_id=license_id, abstract=abstract)
        (folder / 'CITATION.cff').write_text(citation, encoding='utf-8')
        facts['files'] = _files(folder)
        (folder / 'README.md').write_text(data_card(facts), encoding='utf-8')
        write_checksums(folder)
    return facts


def _check_target(target: Path) -> None:
    check_name(target.absolute().name)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise AnialError(f'DIR: {target} exists already and is not an empty folder.')
    if not target.absolute().parent.is_dir():
        raise AnialError(f'DIR: there is no folder {target.absolute().parent}.')


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Provide a folder that is renamed to ``target`` at the end, and removed if the block raises.

    :raises AnialError: if the folder cannot be written.
    """
    try:
        with TemporaryDirectory(prefix=f'.{target.name}-', dir=target.absolute().parent) as outer:
            folder = Path(outer) / 'release'
            folder.mkdir()
            yield folder
            folder.rename(target)
    except OSError as exception:
        raise AnialError(f'DIR: {target} cannot be written ({exception.strerror or exception}).') from exception


def _write_records(sources: ReleaseSources, folder: Path) -> dict[str, Any]:
    """Write tables and plots, and return their entries for the data card."""
    labelled = sources.trained_on
    parity = parity_on_test_blocks(sources.ensemble.ensemble, labelled)
    found = published_records(sources.campaign)
    tables = {'iterations': ('The campaign by iteration.', published_iterations(sources.status['iterations']))}
    tables |= {name: (KINDS[name].help, rows) for name, rows in found.items()}
    if parity is not None:
        tables['test_errors'] = ('Errors of each member on its test block.', list(parity.records(labelled)))
    (folder / 'tables').mkdir()
    for name, (_, rows) in tables.items():
        write_table(folder / 'tables', name, rows)
    subjects, reference = compared_subjects(sources.benchmarks)
    compared = comparison_table(subjects, reference=reference)
    if compared:
        numbers = comparison_numbers(compared)
        tables['properties'] = ('Properties of the potential, of other potentials, and from the literature.', numbers)
        write_table(folder / 'tables', 'properties', numbers)
    write_table(folder / 'tables', 'columns', published_columns(found))
    (folder / 'plots').mkdir()
    captions = write_plots(
        folder / 'plots',
        iterations=sources.status['iterations'],
        labels=sources.labels,
        curves=sources.curves,
        parity=parity,
        claims=Claims.of(sources.fresh_errors),
    )
    for path in write_figures(subjects, folder / 'plots'):
        captions[path.stem] = f'Benchmark: {path.stem.replace("_", " ")}.'
    return {
        'tables': [{'name': name, 'n_rows': len(rows), 'content': text} for name, (text, rows) in tables.items()],
        'plots': captions,
        'has_properties': bool(compared),
        'properties': comparison_text(compared),
        'hottest': max((row['max_temperature_k'] for row in found.get('trajectories', [])), default=None),
        'stops': reason_counts(row['stop_reason'] for row in found.get('trajectories', [])),
    }


def _files(folder: Path) -> list[dict[str, Any]]:
    """Return size, checksum and description of everything in ``folder`` except tables and plots."""
    found: dict[str, dict[str, Any]] = {}
    for path, (size, digest) in file_sizes_and_checksums(folder).items():
        name, _, inside = path.partition('/')
        if name not in _LISTED_APART:
            entry = {'path': name, 'size': 0, 'sha256': '' if inside else digest, 'content': _CONTENTS.get(name, '')}
            found.setdefault(name, entry)['size'] += size
    return list(found.values())
