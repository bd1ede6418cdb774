"""The settings of all properties, and the sets of properties that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import create_model

from aiida_anial.common.errors import SettingsError
from aiida_anial.common.settings import Settings
from aiida_anial.properties.registry import PROPERTIES, with_requirements

__all__ = ('BenchmarkSettings', 'benchmark_set', 'check_properties', 'chosen_properties')


class _SettingsByProperty(Settings):
    """Settings by property; the defaults are those of the full benchmark."""

    def for_dft(self) -> Self:
        """Return the settings that DFT uses in their place."""
        return self.model_copy(update={name: one.for_dft(getattr(self, name)) for name, one in PROPERTIES.items()})

    def part(self, name: str) -> dict[str, Any]:
        """Return what of the settings decides the property ``name``, and nothing else: the cache looks at it."""
        return {key: getattr(self, key).to_dict() for key in with_requirements([name])}


if TYPE_CHECKING:

    class BenchmarkSettings(_SettingsByProperty):
        """For a type checker, which does not know what is made from the properties."""

else:
    BenchmarkSettings = create_model(
        'BenchmarkSettings',
        __base__=_SettingsByProperty,
        __module__=__name__,
        __doc__=_SettingsByProperty.__doc__,
        **{name: (type(one.defaults), one.defaults) for name, one in PROPERTIES.items()},
    )


def benchmark_set(*, quick: bool) -> tuple[tuple[str, ...], BenchmarkSettings]:
    """Return the names of the properties of the full set, or of the quick one, and their settings.

    The quick set takes seconds, and watches over the active learning.
    """
    if not quick:
        return tuple(PROPERTIES), BenchmarkSettings()
    chosen = {name: one.quick for name, one in PROPERTIES.items() if one.quick is not None}
    return tuple(chosen), BenchmarkSettings().model_copy(update=chosen)


def chosen_properties(text: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return the properties that ``text`` names, with commas between them; ``names`` if it is None.

    :raises SettingsError: if there is no such property.
    """
    if text is None:
        return tuple(names)
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(',')))
    check_properties(chosen)
    return chosen


def check_properties(names: Sequence[str]) -> None:
    """Refuse a name that is no property.

    :raises SettingsError: one sentence that names it.
    """
    for name in names:
        if name not in PROPERTIES:
            raise SettingsError(f'properties: there is no {name!r}; known are {", ".join(PROPERTIES)}.')
