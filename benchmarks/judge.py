"""Training outside AiiDA, and what is known of a potential in half a minute: errors, and some of its properties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import numpy as np

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.common.labels import LabelledCells
from aiida_anial.potential.calculator import AnialCalculator
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.potential import Potential
from aiida_anial.potential.settings import EngineSettings
from aiida_anial.properties.registry import benchmark_set, run_properties
from aiida_anial.training.settings import TrainingSettings
from aiida_anial.training.trainers import TrainingResult, trainer_of

__all__ = ('judged', 'summary_line', 'train_on')

# Quantities of the benchmark in the lines on the progress.
_SHOWN: Final = (
    'a0',
    'b',
    'b0_fit',
    'c11',
    'c12',
    'c44',
    'hcp_minus_fcc',
    'bcc_minus_fcc',
    'sc_minus_fcc',
    'diamond_minus_fcc',
)


def train_on(
    inputs: CampaignInputs,
    data: LabelledCells,
    settings: TrainingSettings,
    *,
    seed: int,
    initial: Potential | None = None,
) -> TrainingResult:
    """Return a potential trained on labels with the model and engine of a campaign.

    :param settings: those of one of the stages of its training.
    :param initial: potential to start from; random weights if left out.
    """
    with TemporaryDirectory() as folder:
        return trainer_of(inputs.model.kind)(
            data,
            model=inputs.model,
            settings=settings,
            seed=seed,
            initial=initial,
            checkpoint=Path(folder) / 'checkpoint',
            interrupted=lambda: False,
            report=lambda _: None,
            engine=inputs.engine,
        )


def judged(potential: Potential, heldout: LabelledCells, engine: EngineSettings) -> dict[str, Any]:
    """Return the errors and properties of a potential.

    Errors of energies are about their mean over the configurations, since a constant has no effect.

    :param heldout: configurations that the potential was not trained on.
    """
    found = make_engine(potential, engine).evaluate(heldout.cells, forces=True)
    assert found.forces is not None
    per_atom = 1000 * (found.energies - heldout.energies) / heldout.cells.n_atoms
    return {
        'heldout_energy_mev_per_atom': float(np.std(per_atom)),
        'heldout_force_ev_per_angstrom': float(np.sqrt(np.mean((found.forces - heldout.forces) ** 2))),
        'deviations_mev_per_atom': (per_atom - per_atom.mean()).round(2).tolist(),
        'quantities': _quantities(potential),
    }


def summary_line(row: Mapping[str, Any]) -> str:
    """Return what ``judged`` found in one line."""
    energy, force = row['heldout_energy_mev_per_atom'], row['heldout_force_ev_per_angstrom']
    quantities = row['quantities']
    shown = ', '.join(f'{name} {quantities[name]:.5g}' for name in _SHOWN if name in quantities)
    return f'held out {energy:.2f} meV/atom, {force:.4f} eV/angstrom; {shown}'


def _quantities(potential: Potential) -> dict[str, float]:
    """Return the quick properties without the vacancy; none if one of them fails, as with a potential still poor."""
    names, settings = benchmark_set(quick=True)
    chosen = [name for name in names if name != 'vacancy']
    try:
        results = run_properties(chosen, settings, AnialCalculator(potential))
    except AnialError as exception:
        common.progress(str(exception))
        return {}
    return {name: one.value for result in results.values() for name, one in result.quantities.items()}
