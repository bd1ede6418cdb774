"""Base class of all settings: wrong values and unknown keys raise one sentence that names the key."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from aiida_anial.common.errors import SettingsError, one_line

__all__ = ('NonNegative', 'Positive', 'Range', 'Settings', 'check_range', 'unknown_key')


def check_range(value: tuple[float, float]) -> tuple[float, float]:
    """Return the pair ``(low, high)`` if ``low <= high``.

    :raises ValueError: if ``low > high``.
    """
    if value[0] > value[1]:
        raise ValueError(f'the range is reversed, {value[0]:g} > {value[1]:g}')
    return value


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Range = Annotated[tuple[NonNegative, NonNegative], AfterValidator(check_range)]


class Settings(BaseModel):
    """Immutable settings: unknown keys, numbers given as text and impossible values are errors.

    Keys end in their unit (``t_max_ps``), so values are plain numbers.
    """

    model_config = ConfigDict(frozen=True, extra='forbid', strict=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = '') -> Self:
        """Return the settings that ``values`` describe.

        :param values: nested dictionaries, as read from YAML or JSON.
        :param where: key of the parent settings, a prefix of every key in messages.
        :raises SettingsError: one sentence that names the key, about the first error.
        """
        try:
            # Strict JSON mode accepts lists for tuples and integers for floats, but no text for numbers.
            return cls.model_validate_json(json.dumps(values))
        except ValidationError as exception:
            raise SettingsError(one_line(_sentence(cls, exception, where))) from exception
        except TypeError as exception:
            key = '.'.join(([where] if where else []) + _foreign(values)) or 'the settings'
            raise SettingsError(one_line(f'{key}: {exception}.')) from exception
        except (RecursionError, ValueError) as exception:
            raise SettingsError(one_line(f'{where or "the settings"}: {exception}.')) from exception

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries and lists, from which ``parse`` makes the same settings."""
        return self.model_dump(mode='json')


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the message about an unknown key: it suggests a similar key, or else lists all known ones."""
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.4)
    hint = f'did you mean {close[0]!r}?' if close else f'known keys are {", ".join(sorted(known))}.'
    return f'{key}: unknown key {key!r}; {hint}'


def _foreign(values: Any) -> list[str]:
    """Return the path of keys to the first value inside ``values`` that JSON cannot represent."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        try:
            json.dumps({key: value})
        except TypeError:
            return [str(key), *_foreign(value)]
    return []


def _sentence(model: type[BaseModel], exception: ValidationError, where: str) -> str:
    """Return one sentence about the first error of ``exception``."""
    # Misspelling a required key gives two errors, unknown and missing; the unknown key is more helpful.
    errors = exception.errors()
    error = next((entry for entry in errors if entry['type'] == 'extra_forbidden'), errors[0])
    path = [str(part) for part in error['loc']]
    key = '.'.join(([where] if where else []) + path) or 'the settings'
    if error['type'] == 'extra_forbidden':
        text = unknown_key(path[-1], _known_keys(model, error['loc'][:-1]))
        return '.'.join([*key.split('.')[:-1], text])
    if error['type'] == 'model_type':
        return f'{key}: {error["input"]!r} is not a mapping of keys to values.'
    if error['type'] == 'missing':
        return f'{key}: this key is required.'
    message = error['msg'].removeprefix('Value error, ').removeprefix('Assertion failed, ')
    message = message.replace('Input should', 'it should')
    message = message[:1].lower() + message[1:]
    if 'input' in error and not isinstance(error['input'], Mapping):
        message = f'{error["input"]!r} is not allowed: {message}'
    # A validator of several keys begins its message with the key at fault.
    inner = re.match(r'[A-Za-z_][\w.]*(?=: )', message)
    message = message if message.endswith('?') else f'{message.rstrip(".")}.'
    return f'{key}{"." if inner else ": "}{message}'.removeprefix('the settings.')


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the settings class at ``path`` inside ``model``."""
    current: Any = model
    for part in path:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = _settings_class(field.annotation) if field is not None else None
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _settings_class(annotation: Any) -> type[BaseModel] | None:
    """Return the settings class inside an annotation such as ``X``, ``X | None``, ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, '__args__', ()):
        found = _settings_class(argument)
        if found is not None:
            return found
    return None
