"""The parser of the computation of a property."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm

from aiida_anial.calculations.property import PropertyCalculation
from aiida_anial.parsers.worker import WorkerParser

__all__ = ('PropertyParser',)


class PropertyParser(WorkerParser):
    """Store the quantities and the curves."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished computation."""
        name = self.node.inputs.property.value
        quantities = {'property': name, 'quantities': dict(summary['quantities']), 'notes': list(summary['notes'])}
        self.out('curves', self.arrays(folder / PropertyCalculation.CURVES, 'curves'))
        self.out('quantities', orm.Dict(quantities))
