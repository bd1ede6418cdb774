"""Merge the defaults, a protocol and overrides into the settings of a campaign."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

from aiida_anial.active_learning.label_settings import KPOINTS_RULES
from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import SettingsError, is_printable, one_line
from aiida_anial.common.settings import Settings
from aiida_anial.potential.settings import DEFAULT_KIND
from aiida_anial.sampling.random_cells import check_fillable

__all__ = (
    'campaign_inputs',
    'changed_inputs',
    'default_protocol',
    'merged',
    'overridden',
    'protocols',
    'read_overrides',
)

S = TypeVar('S', bound=Settings)


# Limits far above the size of any settings. Parsing a file of keys takes about a second per million bytes.
_MAX_BYTES = 2**19
_MAX_DEPTH = 32
_MAX_DIGITS = 100
_NUMBERS = ('tag:yaml.org,2002:int', 'tag:yaml.org,2002:float')


class _Loader(yaml.SafeLoader):
    """A YAML loader that reads ``1e-3`` as a number, like YAML 1.2, and refuses aliases and repeated keys.

    Aliases can expand a small file to gigabytes, and the first of two equal keys would be lost silently. Characters
    that cannot be printed, such as those that move the cursor of a terminal, are refused as well.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f'{self._line()}: aliases (*name) are not supported')
        if self._depth > _MAX_DEPTH:
            raise yaml.YAMLError(f'{self._line()}: nested deeper than {_MAX_DEPTH}')
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        line = f'line {node.start_mark.line + 1}'
        if isinstance(value, str) and not is_printable(value.replace('\n', '').replace('\t', '')):
            raise yaml.YAMLError(f'{line}: a character that cannot be printed')
        if node.tag in _NUMBERS and len(value) > _MAX_DIGITS:
            raise yaml.YAMLError(f'{line}: a number of more than {_MAX_DIGITS} digits')
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        key, count = max(Counter(keys).items(), key=lambda pair: pair[1], default=(None, 1))
        if count > 1:
            raise yaml.YAMLError(f'line {node.start_mark.line + 1}: the key {key!r} is given twice')
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def _line(self) -> str:
        return f'line {self.peek_event().start_mark.line + 1}'  # type: ignore[no-untyped-call]


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
    """Return the name of the protocol that is used if none is given."""
    return str(_content()['default_protocol'])


def campaign_inputs(protocol: str | None = None, overrides: Mapping[str, Any] | None = None) -> CampaignInputs:
    """Return the settings of a campaign: the defaults, changed by the protocol, then by the overrides.

    :param protocol: one of ``protocols()``; None for the default one.
    :param overrides: nested mappings; an unknown key is an error, and lists are replaced as a whole.
    :raises SettingsError: if a value or the name of the protocol is wrong; one sentence that names the key.
    """
    content = _content()
    name = content['default_protocol'] if protocol is None else protocol
    if name not in content['protocols']:
        close = difflib.get_close_matches(name, content['protocols'], n=1)
        hint = f'did you mean {close[0]!r}?' if close else f'known are {", ".join(content["protocols"])}.'
        raise SettingsError(f'protocol: unknown protocol {name!r}; {hint}')
    return _parse(merged(merged(content['default_inputs'], content['protocols'][name]), overrides or {}))


def changed_inputs(inputs: CampaignInputs, overrides: Mapping[str, Any]) -> CampaignInputs:
    """Return the settings of a campaign, changed by the overrides.

    :raises SettingsError: if a value is wrong; one sentence that names the key.
    """
    return _parse(merged(inputs.to_dict(), overrides))


def _parse(values: Mapping[str, Any]) -> CampaignInputs:
    # This import loads AiiDA's engine, which `submit --help` does not need.
    from aiida_anial.labellers.registry import check_labeller

    inputs = CampaignInputs.parse(_with_present_names(values))
    check_labeller(inputs.label)
    try:
        check_fillable(inputs.cells)
    except SettingsError as exception:
        raise SettingsError(f'cells.{exception}') from exception
    return inputs


def _with_present_names(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values with current names: earlier versions called ``label.labeller`` ``label.engine``."""
    label = values.get('label')
    if not isinstance(label, Mapping) or 'engine' not in label:
        return values
    return {**values, 'label': {('labeller' if key == 'engine' else key): value for key, value in label.items()}}


def read_overrides(path: Path) -> dict[str, Any]:
    """Return the overrides in a YAML file.

    :raises SettingsError: if the file cannot be read, is not valid YAML or not a mapping, or is too large.
    """
    try:
        content = _parsed(_text(path))
    except (OSError, UnicodeDecodeError) as exception:
        raise SettingsError(one_line(f'{path}: cannot be read ({exception}).')) from exception
    # The loader raises these for dates that do not exist, numbers that are too large, and lists as keys.
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exception:
        raise SettingsError(one_line(f'{path}: not valid YAML ({exception}).')) from exception
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(one_line(f'{path}: a mapping of keys to values is needed, not a {type(content).__name__}.'))
    return content


def overridden(settings: S, path: Path | None) -> S:
    """Return settings with the overrides in a YAML file, if there is one.

    :raises SettingsError: if the file cannot be read, or a value is wrong; one sentence that names the key.
    """
    if path is None:
        return settings
    return type(settings).parse(merged(settings.to_dict(), read_overrides(path)), where=str(path))


def _text(path: Path) -> str:
    """Return the text of a file, up to the largest size that settings may have.

    :raises OSError: if it is not a file, or is larger.
    """
    if not path.is_file():
        raise OSError('it is not a file')
    with path.open('rb') as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(f'it has more than {_MAX_BYTES} bytes')
    return content.decode('utf-8')


def _parsed(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with nested ``changes`` applied, leaving both arguments unchanged.

    Settings of a potential of another kind replace those in ``base``, because the two kinds have other keys. A rule for
    k-points replaces that in ``base``, because they exclude each other.
    """
    result = deepcopy(dict(base))
    if any(changes.get(rule) is not None for rule in KPOINTS_RULES):
        result.update(dict.fromkeys(KPOINTS_RULES))
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and not _is_other(result[key], value):
            result[key] = merged(result[key], value)
        else:
            result[key] = deepcopy(value)
    return result


def _is_other(base: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Return whether ``changes`` name another kind of potential than ``base`` has."""
    return 'kind' in changes and changes['kind'] != base.get('kind', DEFAULT_KIND)
