"""A trained ensemble of ANI networks, loadable with or without AiiDA."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aiida.orm import Data

from aiida_anial.potential.ensemble import SCHEMA_VERSION, Ensemble, ensemble_bytes, parse_ensemble

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

__all__ = ('EnsembleData',)


class EnsembleData(Data):
    """The weights of all members over one descriptor, as one safetensors file.

    :param ensemble: the networks.
    """

    FILENAME = 'ensemble.safetensors'

    def __init__(self, ensemble: Ensemble | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if ensemble is None:
            return
        content = ensemble_bytes(ensemble)
        self.base.repository.put_object_from_bytes(content, self.FILENAME)
        self.base.attributes.set_many(
            {
                'schema_version': SCHEMA_VERSION,
                'sha256': hashlib.sha256(content).hexdigest(),
                'n_members': ensemble.n_members,
                'self_energy_ev': ensemble.self_energy,
                'model': ensemble.model.to_dict(),
            }
        )

    @property
    def ensemble(self) -> Ensemble:
        """The networks as plain arrays."""
        content = self.base.repository.get_object_content(self.FILENAME, mode='rb')
        return parse_ensemble(content, source=f'EnsembleData<{self.pk}>')

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the networks know."""
        return (self.base.attributes.get('model')['element'],)

    def get_ase_calculator(self) -> Calculator:
        """Return an ASE calculator for the mean of the members (loads torch)."""
        from aiida_anial.potential.calculator import AnialCalculator

        return AnialCalculator(self.ensemble)
