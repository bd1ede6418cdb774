"""The configuration of a trajectory that goes to the labelling queue."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers

from aiida_anial.data.structures import to_structure

__all__ = ('extract_candidate',)


@calcfunction
def extract_candidate(trajectory: orm.TrajectoryData) -> orm.StructureData:
    """Return the frame that the sampler marked as candidate."""
    frame = trajectory.base.attributes.get('candidate_frame')
    species = np.array([atomic_numbers[symbol] for symbol in trajectory.symbols])
    return to_structure(trajectory.get_array('positions')[frame], trajectory.get_array('cells')[frame], species)
