"""Write the page of a campaign."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from aiida_anial import __version__
from aiida_anial.common.errors import AnialError
from aiida_anial.continuation.plan import inputs_of
from aiida_anial.formats.files import replaced
from aiida_anial.report.page.accuracy import accuracy_section
from aiida_anial.report.page.course import course_section, time_section
from aiida_anial.report.page.dataset import dataset_section, rejected_section
from aiida_anial.report.page.dynamics import dynamics_section, trajectory_courses
from aiida_anial.report.page.elements import Section
from aiida_anial.report.page.properties import benchmark_section, properties_section
from aiida_anial.report.page.sources import PageSources
from aiida_anial.report.page.structures import label_structures
from aiida_anial.report.page.verdict import verdict_of

__all__ = ('write_page',)

_MARK: Final = '<meta name="generator" content="aiida-anial'
_SCRIPTS: Final = (
    'vendor/chart.umd.min.js',
    'vendor/chartjs-plugin-zoom.min.js',
    'vendor/3Dmol-min.js',
    'charts.js',
    'node.js',
    'page.js',
)
# Browsers would look for the file that it names.
_SOURCE_MAP: Final = re.compile(r'^//# sourceMappingURL=.*$', re.MULTILINE)
_SECTIONS: Final[tuple[Callable[[PageSources], Section | None], ...]] = (
    course_section,
    time_section,
    accuracy_section,
    dataset_section,
    dynamics_section,
    properties_section,
    benchmark_section,
    rejected_section,
)


def write_page(campaign: Any, path: Path) -> int:
    """Write the page of a campaign as far as it has come, in place of an earlier page, and return its size in bytes.

    :raises AnialError: if there is another file at ``path``, or it cannot be written.
    """
    _check_target(path)
    text = page_of(campaign)
    with replaced(path) as target:
        target.write_text(text, encoding='utf-8')
    return path.stat().st_size


def _check_target(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_file() or _MARK not in path.read_bytes()[:2000].decode('utf-8', errors='replace'):
        raise AnialError(f'OUT: {path} exists and is no page of a campaign; choose another name.')


def page_of(campaign: Any) -> str:
    """Return the page as HTML."""
    sources = PageSources(campaign)
    sections = [section.drawn for make in _SECTIONS if (section := make(sources)) is not None]
    environment = Environment(
        loader=PackageLoader('aiida_anial.report', 'page'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template('page.html.jinja').render(
        version=__version__,
        campaign=campaign,
        verdict=verdict_of(sources),
        sections=sections,
        settings=yaml.safe_dump(inputs_of(campaign).to_dict(), sort_keys=False, default_flow_style=None),
        written=datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z'),
        style=_file('page.css'),
        scripts=[_SOURCE_MAP.sub('', _file(name)) for name in _SCRIPTS],
        data=_json(_data(sources, sections)),
    )


def _data(sources: PageSources, sections: list[Section]) -> dict[str, Any]:
    """Return what the scripts of the page draw."""
    return {
        'charts': {section.key: [chart.to_dict() for chart in section.charts] for section in sections},
        'records': {name: records.to_dict() for name, records in sources.records().items()},
        'structures': label_structures(sources),
        'courses': trajectory_courses(sources),
    }


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that HTML may contain: without `<`, no part of it can end its element."""
    return json.dumps(data, allow_nan=False, separators=(',', ':')).replace('<', '\\u003c')


def _file(name: str) -> str:
    return (files('aiida_anial.report') / 'page' / name).read_text(encoding='utf-8')
