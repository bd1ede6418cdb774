"""The parser of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm

from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.parsers.worker import WorkerParser

__all__ = ('EvaluateParser',)


class EvaluateParser(WorkerParser):
    """Store the labels, and the reasons for rejected cells by the labels of the cells."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished evaluation."""
        names = sorted(self.node.inputs.cells)
        by_number = {str(number): name for number, name in enumerate(names)}
        rejected = {by_number[number]: reason for number, reason in summary['rejected'].items()}
        labels = self.arrays(folder / EvaluateCalculation.LABELS, 'labels', 'energies', 'forces', 'stresses')
        self.out('labels', labels)
        self.out('rejected', orm.Dict(rejected))
