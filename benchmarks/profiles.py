"""AiiDA profiles of their own, for measuring and for tests: in the folder ``AIIDA_PATH``, without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ('make_profile', 'sqlite_storage')


def sqlite_storage(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the storage backend SQLite and its configuration.

    :param folder: of the database and the file repository.
    """
    return 'core.sqlite_dos', {'filepath': str(folder.absolute())}


def make_profile(name: str, storage: tuple[str, dict[str, Any]]) -> None:
    """Make the profile ``name``, load it, and set up its computer, codes and pseudopotential."""
    # AiiDA makes its folder as soon as it is imported.
    from aiida import load_profile
    from aiida.manage.configuration import create_profile, get_config

    from aiida_anial.cli import installation

    backend, settings = storage
    config = get_config(create=True)
    create_profile(config, name=name, email='benchmark@localhost', storage_backend=backend, storage_config=settings)
    config.store()
    load_profile(name)
    installation._computer()
    for label, program, plugin in (
        (installation.PW_CODE, 'pw.x', 'quantumespresso.pw'),
        (installation.WORKER_CODE, 'anial-worker', 'anial.train'),
    ):
        installation._code(label, installation._executable(None, program, hint='run: make install'), plugin)
    installation._pseudo_family()
