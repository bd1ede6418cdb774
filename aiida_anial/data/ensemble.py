"""A potential as a node; its file can also be read without AiiDA."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aiida.orm import Data

from aiida_anial.common.tensors import tensor_bytes
from aiida_anial.potential.potential import Potential, parse_potential

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

__all__ = ('EnsembleData',)


class EnsembleData(Data):
    """The weights of all members of a potential, in one safetensors file.

    The attributes are the metadata of the file except the units, the version of its layout, and its SHA-256.

    :param ensemble: the potential.
    """

    FILENAME = 'ensemble.safetensors'

    def __init__(self, ensemble: Potential | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if ensemble is None:
            return
        file = ensemble.to_file()
        content = tensor_bytes(file)
        self.base.repository.put_object_from_bytes(content, self.FILENAME)
        self.base.attributes.set_many(
            {
                'schema_version': file.schema_version,
                'sha256': hashlib.sha256(content).hexdigest(),
                'n_members': ensemble.model.n_members,
                **{key: value for key, value in file.metadata.items() if key != 'units'},
            }
        )

    @property
    def ensemble(self) -> Potential:
        """The potential."""
        content = self.base.repository.get_object_content(self.FILENAME, mode='rb')
        return parse_potential(content, source=f'EnsembleData<{self.pk}>')

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the potential describes."""
        return (self.base.attributes.get('model')['element'],)

    def get_ase_calculator(self) -> Calculator:
        """Return an ASE calculator for the mean of the members."""
        from aiida_anial.potential.calculator import AnialCalculator

        return AnialCalculator(self.ensemble)
