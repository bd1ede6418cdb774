"""The option that chooses the profile of a command, and loads it."""

from __future__ import annotations

import functools
import re
from typing import Any, Final

import click
from aiida.cmdline.params import options, types
from aiida.common.exceptions import MissingConfigurationError
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config
from aiida.manage.configuration.settings import AiiDAConfigDir

from aiida_anial.common.errors import AnialError

__all__ = ('in_profile', 'profile_option')

# A command inside a sentence.
_COMMAND: Final = re.compile(r'`(verdi|aiida-anial)( [^`]*)?`')


def in_profile(text: str) -> str:
    """Return a text in which each command in backticks names the loaded profile, unless that is the default one."""
    profile = get_manager().get_profile()
    if profile is None or profile.name == get_config().default_profile_name:
        return text
    return _COMMAND.sub(lambda found: f'`{_named(found[1], found[2] or "", profile.name)}`', text)


def _named(program: str, rest: str, profile: str) -> str:
    if re.search(r' (-p|--profile)\b', rest):
        return program + rest
    # Subcommands of verdi do not take the option, the program does.
    return f'{program} -p {profile}{rest}' if program == 'verdi' else f'{program}{rest} -p {profile}'


class _LoadedProfile(types.ProfileParamType):
    """A profile that is loaded, and must exist."""

    def __init__(self) -> None:
        super().__init__(load_profile=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Load the profile.

        :raises AnialError: if there is none of this name.
        """
        if not isinstance(value, Profile) and value not in _names():
            raise AnialError(_missing(f'there is no profile {str(value)!r}'))
        return super().convert(value, param, ctx)


def _default() -> str:
    """Return the name of the default profile.

    :raises AnialError: if there is none.
    """
    names = _names()
    name = get_config().default_profile_name if names else None
    if name is None:
        raise AnialError(_missing('there is no profile' if not names else 'no profile is the default'))
    return str(name)


def _names() -> list[str]:
    try:
        return list(get_config().profile_names)
    except MissingConfigurationError:
        return []


def _missing(what: str) -> str:
    """Return a sentence on what is missing, with what there is."""
    folder, names = AiiDAConfigDir.get(), _names()
    if not names:
        return f'-p: {what} in {folder} (see AIIDA_PATH); create one with `aiida-anial setup`.'
    return f'-p: {what} in {folder} (see AIIDA_PATH); there are {", ".join(sorted(names))}.'


profile_option = functools.partial(
    options.PROFILE, type=_LoadedProfile(), default=_default, expose_value=False, show_default=False
)
