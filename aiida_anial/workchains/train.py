"""Training over as many jobs as it needs."""

from __future__ import annotations

from aiida_anial.calculations.train import TrainEnsembleCalculation
from aiida_anial.workchains.checkpointed import CheckpointedWorkChain

__all__ = ('TrainWorkChain',)


class TrainWorkChain(CheckpointedWorkChain):
    """Train an ensemble."""

    _process_class = TrainEnsembleCalculation
