"""Sphinx directives that generate reference tables from the code, so that they always agree with it.

``anial-settings``   every key of a campaign with type, default, unit and meaning
``anial-protocols``  the keys in which the protocols differ
``anial-properties``  every property of a benchmark with its quantities, curves and settings
``anial-api``        autodoc of every module of a package
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from docutils import nodes
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.properties.property import Property
from aiida_anial.properties.registry import PROPERTIES
from aiida_anial.protocols.protocol import campaign_inputs, protocols
from aiida_anial.sampling.schedules import Schedule

__all__ = ('Key', 'settings_keys', 'setup')

# Units by the suffix of a key; a longer suffix comes before a shorter one that it ends with.
UNITS = {
    '_ev_per_sqrt_atom': 'eV/√atom',
    '_ev_per_angstrom': 'eV/Å',
    '_g_per_cm3': 'g/cm³',
    '_per_angstrom2': '1/Å²',
    '_per_angstrom': '1/Å',
    '_per_fs': '1/fs',
    '_angstrom': 'Å',
    '_seconds': 's',
    '_gib': 'GiB',
    '_rad': 'rad',
    '_kb': 'KiB',
    '_ry': 'Ry',
    '_fs': 'fs',
    '_ps': 'ps',
    '_k': 'K',
    '_s': 's',
}

# Meanings that the docstrings of the settings classes leave out.
MEANINGS = {
    'description': 'Description of the campaign; every protocol has its own.',
    'campaign': 'Size and end of the campaign.',
    'model': 'Descriptor and networks.',
    'engine': 'Evaluation of ensembles.',
    'cells': 'Random cells.',
    'schedules': 'Ranges of the temperature schedules.',
    'sampling': 'Dynamics and its job.',
    'sampling.dynamics': 'Dynamics, and how often a trajectory is checked.',
    'thresholds': 'The disagreement at which a trajectory stops.',
    'training': 'The first training, the retraining and the final training.',
    'label': 'The labeller and its settings.',
    'benchmark': 'Properties to compute for the ensemble of every iteration.',
    'label.limits': 'Limits of all labellers.',
    'label.qe': 'PBE with `pw.x`.',
    'descriptor': 'The atomic environment vector.',
    'radial_cutoff_angstrom': 'Cutoff of the radial terms.',
    'angular_cutoff_angstrom': 'Cutoff of the angular terms.',
    'radial_eta_per_angstrom2': 'Width of the radial Gaussians.',
    'radial_shifts_angstrom': 'Centres of the radial Gaussians.',
    'angular_eta_per_angstrom2': 'Width of the angular Gaussians.',
    'angular_shifts_angstrom': 'Centres of the angular Gaussians.',
    'angular_zeta': 'Exponent of the angular terms.',
    'angle_shifts_rad': 'Angles of the angular terms.',
    'job': 'Options of the job for the scheduler.',
    'num_machines': 'Number of machines of a job.',
    'num_mpiprocs_per_machine': 'Number of MPI processes per machine.',
    'num_cores_per_mpiproc': 'Number of cores per MPI process; `null` leaves it to the scheduler.',
    'withmpi': 'Start the executable through `mpirun`.',
    'queue_name': 'Queue or partition; `null` means the default of the scheduler.',
    'account': 'Account to charge; `null` means the default of the scheduler.',
    'qos': 'Quality of service; `null` means the default of the scheduler.',
    'initial': 'Training of the first ensemble.',
    'retrain': 'Training after each iteration.',
    'mode': '`fixed`, `controlled` or `calibrated`.',
    'energy_ev_per_sqrt_atom': 'Threshold in mode `fixed`, or the first one if there is no held-out error.',
    'initial_factor': 'Ratio of the first threshold to the median held-out error of the first ensemble.',
    'gain': 'Gain with which the threshold follows the fraction of stopped trajectories.',
    'target_stopped_fraction': 'Fraction of stopped trajectories at which the threshold does not change.',
    'floor_ev_per_sqrt_atom': 'Smallest threshold.',
    'smearing': 'Kind of smearing.',
    'degauss_ry': 'Width of the smearing.',
    'conv_thr_ry': 'Convergence threshold of the self-consistent energy.',
    'ecutrho_ry': 'Cutoff of the charge density; must be given together with `ecutwfc_ry`.',
}


@dataclass(frozen=True)
class Key:
    """One setting of a campaign.

    :param path: full key, joined by dots.
    :param annotation: type annotation.
    :param default: default value, or None for a group of settings.
    :param meaning: description in the docstring of its class.
    """

    path: str
    annotation: Any
    default: Any
    meaning: str
    is_group: bool

    @property
    def unit(self) -> str:
        """The unit given by the suffix of the name, for numbers."""
        if self.is_group:
            return ''
        return next((unit for ending, unit in UNITS.items() if self.path.endswith(ending)), '')


def settings_keys(model: type[BaseModel] = CampaignInputs, prefix: str = '') -> Iterator[Key]:
    """Return every key under ``model`` in the order of the classes, each group before its keys."""
    meanings = parameters(model)
    for name, field in model.model_fields.items():
        path = f'{prefix}{name}'
        group = settings_class(field.annotation)
        meaning = meanings.get(name) or MEANINGS.get(path) or MEANINGS.get(name, '')
        default = field.get_default(call_default_factory=True)
        # The settings of a potential are those of the kind that is the default.
        group = type(default) if isinstance(default, BaseModel) else group
        yield Key(path, field.annotation, None if default is PydanticUndefined else default, meaning, group is not None)
        if group is not None:
            listed = get_origin(field.annotation) is tuple
            yield from settings_keys(group, f'{path}[].' if listed else f'{path}.')


def parameters(model: type[BaseModel]) -> dict[str, str]:
    """Return the text of each ``:param:`` in the docstring of ``model``, including the quantities of its ranges."""
    documented = [model] if model.__name__ != 'ScheduleSettings' else [Schedule, model]
    text = '\n'.join(inspect.getdoc(cls) or '' for cls in documented)
    entries = re.findall(r'^:param (\w+): (.*?)(?=^:|^\S|\Z)', text, re.MULTILINE | re.DOTALL)
    return {name: sentence(body) for name, body in entries}


def sentence(text: str) -> str:
    """Return the text in one line with a full stop and a capital, except for symbols such as t_0."""
    line = ' '.join(text.split()).rstrip('.')
    start = line[:1] if re.match(r'\w*_', line) else line[:1].upper()
    return f'{start}{line[1:]}.' if line else ''


def settings_class(annotation: Any) -> type[BaseModel] | None:
    """Return the settings class in an annotation such as ``X``, ``X | None`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := settings_class(part))), None)


def type_name(annotation: Any) -> str:
    """Describe the values that a YAML file may have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, '__metadata__'):
        return type_name(arguments[0])
    if origin is Literal:
        return ', '.join(f'`{value}`' for value in arguments)
    if origin in (Union, types.UnionType):
        return ' or '.join('`null`' if part is type(None) else type_name(part) for part in arguments)
    if origin is tuple:
        return 'list' if Ellipsis in arguments else f'{len(arguments)} of {type_name(arguments[0])}'
    if origin is dict:
        return 'mapping'
    return {float: 'number', int: 'integer', bool: 'true or false', str: 'text'}.get(annotation, str(annotation))


def value_text(value: Any) -> str:
    """Format a value as in YAML, with long lists shortened."""
    if value is None:
        return '`null`'
    if isinstance(value, bool):
        return f'`{str(value).lower()}`'
    if isinstance(value, float):
        return f'`{value:g}`'
    if isinstance(value, list | tuple):
        parts = [f'{part:.6g}' if isinstance(part, float) else str(part) for part in value]
        shown = parts if len(parts) <= 4 else [parts[0], parts[1], '…', parts[-1]]
        return f'`[{", ".join(shown)}]`' + (f' ({len(parts)})' if len(parts) > 4 else '')
    return f'`{value}`' if str(value) else '(empty)'


def table(heading: list[str], rows: list[list[str]], widths: str) -> list[str]:
    """Return a list-table in RST."""
    lines = ['.. list-table::', '   :header-rows: 1', f'   :widths: {widths}', '']
    for row in [heading, *rows]:
        lines += [f'   {"* -" if index == 0 else "  -"} {rst(cell)}' for index, cell in enumerate(row)]
    return [*lines, '']


def rst(text: str) -> str:
    """Replace single backticks around code by the double ones of RST."""
    return re.sub(r'(?<!`)`([^`]+)`(?!`)', r'``\1``', text).replace('|', r'\|')


def under(path: str, group: str) -> bool:
    """Return whether ``path`` is ``group`` or one of the keys under it."""
    return re.match(rf'{re.escape(group)}($|[.\[])', path) is not None


def flatten(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return the values by their full keys, joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f'{prefix}{name}.')
        else:
            flat[f'{prefix}{name}'] = value
    return flat


class _Directive(SphinxDirective):
    """Base of directives that generate RST and parse it."""

    has_content = False

    def lines(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        container = nodes.Element()
        self.state.nested_parse(StringList(self.lines(), source='anial_reference'), self.content_offset, container)
        return container.children


class SettingsTable(_Directive):
    """The keys under the group given as argument, except those under the groups in ``without``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {'without': str.split}

    def lines(self) -> list[str]:
        """Return the table."""
        group, without = self.arguments[0], self.options.get('without', [])
        chosen = (key for key in settings_keys() if under(key.path, group) and not key.is_group)
        rows = [
            [f'`{key.path}`', type_name(key.annotation), value_text(key.default), key.unit, key.meaning]
            for key in chosen
            if not any(under(key.path, part) for part in without)
        ]
        return table(['key', 'type', 'default', 'unit', 'meaning'], rows, '30 14 16 8 40')


class ProtocolTable(_Directive):
    """The table of keys in which the protocols differ."""

    def lines(self) -> list[str]:
        """Return a list of descriptions and the table."""
        names = list(protocols())
        flat = {name: flatten(campaign_inputs(name).to_dict()) for name in names}
        known = list(dict.fromkeys(key for values in flat.values() for key in values if key != 'description'))
        different = [key for key in known if self._differs([values[key] for values in flat.values() if key in values])]
        rows = [[f'`{key}`', *(self._cell(flat[name], key) for name in names)] for key in different]
        described = [f'* ``{name}``: {description}' for name, description in protocols().items()]
        return [*described, '', *table(['key', *names], rows, '31 23 23 23')]

    @staticmethod
    def _differs(values: list[Any]) -> bool:
        """Return whether the protocols differ in a key, or one of them unsets a whole group."""
        return len({repr(value) for value in values}) > 1 or (len(values) < len(protocols()) and values[0] is None)

    @staticmethod
    def _cell(values: dict[str, Any], key: str) -> str:
        if key not in values:
            return '—'
        value = values[key]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return '; '.join(', '.join(f'{name} {value_text(part)}' for name, part in item.items()) for item in value)
        return value_text(value)


class PropertyTables(_Directive):
    """Every property of a benchmark, as its class describes it."""

    def lines(self) -> list[str]:
        """Return a heading, the docstring and three tables for each."""
        return [line for one in PROPERTIES.values() for line in property_lines(one)]


def property_lines(one: type[Property[Any]]) -> list[str]:
    """Return what there is to say about one property."""
    quantities = [
        [f'`{column.quantity}`', column.unit, f'{column.help}.', f'`{column.key}`' if column.key else '']
        for column in one.columns
    ]
    curves = [[f'`{name}`', sentence(meaning)] for name, meaning in one.curves]
    keys = [
        [f'`{key.path}`', type_name(key.annotation), value_text(key.default), key.meaning]
        for key in settings_keys(type(one.defaults), f'{one.name}.')
    ]
    facts = {
        'Starts from': one.requires,
        'Figures': dict.fromkeys(panel.figure for panel in one.panels),
    }
    shown = [f'{fact}: {", ".join(f"``{name}``" for name in names)}.' for fact, names in facts.items() if names]
    if one.quick is not None:
        shown.append('Part of the quick set.')
    if one.is_dynamic:
        shown.append('From dynamics: computed only if it is named, and not by DFT.')
    return [
        f'.. rubric:: {one.name}',
        '',
        *(inspect.getdoc(one) or '').splitlines(),
        '',
        ' '.join(shown),
        '',
        *table(['quantity', 'unit', 'meaning', 'column of queries'], quantities, '25 15 40 20'),
        *(table(['curve', 'meaning'], curves, '40 60') if curves else []),
        *table(['setting', 'type', 'default', 'meaning'], keys, '30 15 20 35'),
    ]


HOOK_FIELDS = {
    'hook': 'Builds on',
    'changes': 'Changes',
    'why': 'Why',
    'upstream': 'Upstream',
    'until': 'Can go when',
}


def hooks(package: str = 'aiida_anial.runtime') -> dict[str, dict[str, str]]:
    """Return what each module of hooks says about itself: ``title`` and the keys of ``HOOK_FIELDS``, by its name."""
    found = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        text = inspect.getdoc(importlib.import_module(f'{package}.{module.name}')) or ''
        title, _, rest = text.partition('\n')
        fields = re.findall(r'^:(\w+): (.*?)(?=^:\w+:|\Z)', rest, re.MULTILINE | re.DOTALL)
        if fields:
            found[module.name] = {'title': title.rstrip('.'), **{name: ' '.join(body.split()) for name, body in fields}}
    return found


class HookTables(_Directive):
    """What each hook into AiiDA says about itself."""

    def lines(self) -> list[str]:
        """Return a rubric and a list of fields for each module."""
        lines: list[str] = []
        for name, said in hooks().items():
            lines += [f'.. rubric:: {said["title"]}', '', f'``aiida_anial/runtime/{name}.py``', '']
            lines += [f':{words}: {said[field]}' for field, words in HOOK_FIELDS.items()]
            lines.append('')
        return lines


class ApiModules(_Directive):
    """Autodoc of every public module of the package given as argument."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return an automodule for each module with ``__all__``."""
        package = importlib.import_module(self.arguments[0])
        names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
        lines: list[str] = []
        for name in names:
            full = f'{package.__name__}.{name}'
            if getattr(importlib.import_module(full), '__all__', ()):
                lines += [f'.. rubric:: {full}', '', f'.. automodule:: {full}', '']
        return lines


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive('anial-settings', SettingsTable)
    app.add_directive('anial-protocols', ProtocolTable)
    app.add_directive('anial-properties', PropertyTables)
    app.add_directive('anial-hooks', HookTables)
    app.add_directive('anial-api', ApiModules)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
