"""Write a campaign to a folder ready to publish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.plan import inputs_of
from aiida_anial.formats.files import check_name
from aiida_anial.report.cards import dataset_front_matter, write_descriptions
from aiida_anial.report.checksums import file_sizes_and_checksums, write_checksums
from aiida_anial.report.description import ISOLATED_ATOMS_FILE
from aiida_anial.report.exports import write_archive, write_exports, write_pseudopotentials
from aiida_anial.report.facts import campaign_facts
from aiida_anial.report.isolated import isolated_atoms, write_isolated_atoms
from aiida_anial.report.sources import release_sources
from aiida_anial.report.tables import write_records
from aiida_anial.report.texts import Author, citation_file, data_card
from aiida_anial.runtime.interruption import all_or_nothing

__all__ = ('write_release',)

_ARCHIVE = 'campaign.aiida'
_SETTINGS = 'settings.yaml'
_PSEUDOPOTENTIALS = 'pseudopotentials'
_CONTENTS = {
    'CITATION.cff': 'how to cite this',
    _ARCHIVE: 'provenance, for AiiDA',
    'dataset.extxyz': 'the labels as extended XYZ',
    'dataset.h5': 'the labels as HDF5 in the layout of the ANI datasets',
    'dataset.parquet': 'the labels as Parquet with the columns of ColabFit',
    'ensemble.safetensors': 'the potential: weights, architecture and units',
    'ensemble.torchani.safetensors': 'the potential as the state of a torchani model, in hartree',
    'ensemble.pt': 'the potential as TorchScript, which needs only torch',
    'ensemble-neurochem': 'the potential in the layout of the published ANI-Al, float32',
    ISOLATED_ATOMS_FILE: 'energies of isolated atoms as extended XYZ',
    'metadata.json': 'the facts of this card for programs, in Croissant',
    'MODEL.md': 'the card of the potential',
    _PSEUDOPOTENTIALS: 'the pseudopotentials of the labels',
    _SETTINGS: 'the settings of the campaign, as overrides for `aiida-anial submit`',
}
_LISTED_APART = ('plots', 'tables')


def write_release(
    campaign: Any,
    target: Path,
    *,
    title: str,
    authors: Sequence[Author],
    license_id: str,
    isolated: Sequence[Any] = (),
) -> dict[str, Any]:
    """Write the folder ``target``, which appears only once it is complete, and return the facts of the data card.

    :param isolated: calculations of isolated atoms by pw.x.
    :raises AnialError: if ``target`` exists, the campaign has no labels or no ensemble, or a calculation in
        ``isolated`` cannot be compared with the labels.
    """
    _check_target(target)
    sources = release_sources(campaign)
    atoms = isolated_atoms(isolated, [shard.level_of_theory for shard in sources.shards.values()])
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
        if atoms:
            write_isolated_atoms(folder / ISOLATED_ATOMS_FILE, atoms)
        facts |= {
            'exports': exports.records(),
            'left_out': exports.left_out,
            **write_records(sources, folder),
            'archive': write_archive(
                folder / _ARCHIVE,
                campaign,
                [sources.ensemble, *exports.processes.values(), *sources.benchmarks, *isolated],
            ),
        }
        abstract = f'{facts["n_labels"]} labelled configurations of aluminium, and a potential trained on them.'
        citation = citation_file(title=title, authors=authors, license_id=license_id, abstract=abstract)
        (folder / 'CITATION.cff').write_text(citation, encoding='utf-8')
        described = write_descriptions(folder)
        facts |= {'described': described, 'files': _files(folder)}
        (folder / 'README.md').write_text(dataset_front_matter(described) + data_card(facts), encoding='utf-8')
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


def _files(folder: Path) -> list[dict[str, Any]]:
    """Return size, checksum and description of everything in ``folder`` except tables and plots."""
    found: dict[str, dict[str, Any]] = {}
    for path, (size, digest) in file_sizes_and_checksums(folder).items():
        name, _, inside = path.partition('/')
        if name not in _LISTED_APART:
            entry = {'path': name, 'size': 0, 'sha256': '' if inside else digest, 'content': _CONTENTS.get(name, '')}
            found.setdefault(name, entry)['size'] += size
    return list(found.values())
