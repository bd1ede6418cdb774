"""Write the AiiDA archive of a release."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.tools.archive.create import EXPORT_LOGGER, create_archive
from aiida.tools.archive.exceptions import ExportValidationError
from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip

__all__ = ('Archive', 'write_archive')


@dataclass(frozen=True)
class Archive:
    """The content of an archive.

    :param is_whole: whether it contains the campaign itself and all processes that it called.
    :param n_nodes: number of nodes.
    """

    is_whole: bool
    n_nodes: int


def write_archive(path: Path, campaign: Any, results: Sequence[Any]) -> Archive:
    """Archive the campaign and its results with all their ancestors and everything that the campaign called.

    AiiDA does not archive running processes. For a running campaign, only the results and the calculations and data
    behind them are written.

    :param results: data of the campaign, and the processes that exported them.
    """
    try:
        _create(path, [campaign, *results])
    except ExportValidationError:
        _create(path, list(results), with_callers=False)
        return Archive(False, _n_nodes(path))
    return Archive(True, _n_nodes(path))


def _create(path: Path, entities: list[Any], *, with_callers: bool = True) -> None:
    with _quietly():
        create_archive(entities, filename=path, call_calc_backward=with_callers, call_work_backward=with_callers)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep AiiDA from printing its long report."""
    level = EXPORT_LOGGER.level
    EXPORT_LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        EXPORT_LOGGER.setLevel(level)


def _n_nodes(path: Path) -> int:
    with ArchiveFormatSqlZip().open(path, mode='r') as reader:
        return int(reader.querybuilder().append(orm.Node).count())
