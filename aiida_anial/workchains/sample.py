"""Sampling over as many jobs as it needs."""

from __future__ import annotations

from aiida_anial.calculations.sample import SampleCalculation
from aiida_anial.workchains.checkpointed import CheckpointedWorkChain

__all__ = ('SampleWorkChain',)


class SampleWorkChain(CheckpointedWorkChain):
    """Run a batch of trajectories."""

    _process_class = SampleCalculation
