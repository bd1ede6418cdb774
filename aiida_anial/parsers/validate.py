"""The parser of a validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm

from aiida_anial.calculations.validate import ValidateCalculation
from aiida_anial.parsers.worker import WorkerParser

__all__ = ('ValidateParser',)


class ValidateParser(WorkerParser):
    """Store the errors by configuration, and their summary."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished validation."""
        self.out('errors', self.arrays(folder / ValidateCalculation.ERRORS, 'errors', 'n_atoms'))
        self.out('summary', orm.Dict(summary))
