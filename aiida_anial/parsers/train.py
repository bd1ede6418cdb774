"""The parser of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_anial.calculations.train import TrainEnsembleCalculation
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.parsers.worker import WorkerParser
from aiida_anial.potential.potential import read_potential

__all__ = ('TrainEnsembleParser',)


class TrainEnsembleParser(WorkerParser):
    """Store the ensemble, the learning curves and the errors."""

    def read(self, folder: Path, summary: dict[str, Any]) -> None:
        """Attach the outputs of a finished training."""
        curves = self.arrays(folder / TrainEnsembleCalculation.CURVES, 'learning_curves', 'step')
        errors = self.arrays(folder / TrainEnsembleCalculation.ERRORS, 'errors', 'n_atoms')
        self.out('ensemble', EnsembleData(read_potential(folder / TrainEnsembleCalculation.ENSEMBLE)))
        self.out('learning_curves', curves)
        self.out('errors', errors)
        self.out('summary', orm.Dict(summary))

    def failed(self, output: dict[str, Any]) -> ExitCode:
        """Return the exit code of a failed training or, for any other failure, that of the base class."""
        if dict(output['summary']).get('error') == 'TrainingFailed':
            return self._exit('ERROR_NOT_TRAINED', reason=output['message'])
        return super().failed(output)
