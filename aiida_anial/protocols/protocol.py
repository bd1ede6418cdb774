"""The inputs that a protocol and its overrides give."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from aiida_anial.common.errors import SettingsError
from aiida_anial.protocols.settings import CampaignInputs
from aiida_anial.sampling.random_cells import check_fillable

__all__ = ('campaign_inputs', 'changed_inputs', 'default_protocol', 'merged', 'protocols', 'read_overrides')


class _Loader(yaml.SafeLoader):
    """YAML that knows ``1e-3`` for a number, as YAML 1.2 does, but no aliases and no key twice.

    Aliases can make a file of gigabytes; of two equal keys the first would be forgotten.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f'line {mark.line + 1}: aliases (*name) are not supported')
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f'line {node.start_mark.line + 1}: the key {key!r} is given twice')
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float', re.compile(r'[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$'), list('-+.0123456789')
)


def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((files(__package__) / 'active_learning.yaml').read_text())
    return content


def protocols() -> dict[str, str]:
    """Return the description of each protocol."""
    return {name: inputs['description'] for name, inputs in _content()['protocols'].items()}


def default_protocol() -> str:
    """Return the name of the protocol that is used where none is named."""
    return str(_content()['default_protocol'])


def campaign_inputs(protocol: str | None = None, overrides: Mapping[str, Any] | None = None) -> CampaignInputs:
    """Return the inputs of a campaign: the defaults, changed by the protocol, changed by the overrides.

    :param protocol: one of ``protocols()``.
    :param overrides: nested mappings; a key that no setting has is an error, and lists are replaced as a whole.
    :raises SettingsError: one sentence that names the key.
    """
    content = _content()
    name = protocol or content['default_protocol']
    if name not in content['protocols']:
        close = difflib.get_close_matches(name, content['protocols'], n=1)
        hint = f'did you mean {close[0]!r}?' if close else f'known are {", ".join(content["protocols"])}.'
        raise SettingsError(f'protocol: unknown protocol {name!r}; {hint}')
    return _parse(merged(merged(content['default_inputs'], content['protocols'][name]), overrides or {}))


def changed_inputs(inputs: CampaignInputs, overrides: Mapping[str, Any]) -> CampaignInputs:
    """Return the inputs of a campaign, changed by the overrides.

    :raises SettingsError: one sentence that names the key.
    """
    return _parse(merged(inputs.to_dict(), overrides))


def _parse(values: Mapping[str, Any]) -> CampaignInputs:
    inputs = CampaignInputs.parse(values)
    try:
        check_fillable(inputs.cells)
    except SettingsError as exception:
        raise SettingsError(f'cells.{exception}') from exception
    return inputs


def read_overrides(path: Path) -> dict[str, Any]:
    """Return the overrides in a YAML file.

    :raises SettingsError: if the file is not YAML, or not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), Loader=_Loader)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError) as exception:
        raise SettingsError(f'{path}: cannot be read ({exception}).') from exception
    except (yaml.YAMLError, ValueError) as exception:  # a ValueError: a date that does not exist
        problem = ' '.join(str(exception).split())
        raise SettingsError(f'{path}: not valid YAML ({problem}).') from exception
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f'{path}: a mapping of keys to values is needed, not a {type(content).__name__}.')
    return content


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, both untouched."""
    result = deepcopy(dict(base))
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = deepcopy(value)
    return result
