"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

# AiiDA makes its configuration folder when it is imported: not in the home of whoever builds the pages.
_FOLDER = tempfile.TemporaryDirectory(prefix='aiida-anial-docs-')
os.environ['AIIDA_PATH'] = _FOLDER.name
warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')
sys.path.insert(0, str(Path(__file__).parent / '_ext'))

from aiida.manage.configuration import get_config  # noqa: E402 - AIIDA_PATH is set before
from sphinx.application import Sphinx  # noqa: E402

from aiida_anial import __version__  # noqa: E402

# autodoc looks at every attribute of AiiDA's classes, the deprecated ones too.
get_config(create=True).set_option('warnings.showdeprecations', False)
logging.getLogger('alembic').setLevel(logging.WARNING)

project = 'aiida-anial'
copyright = 'the aiida-anial developers'
version = release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx_click',
    'sphinx_copybutton',
    'anial_reference',
]

exclude_patterns = ['_build', '_ext', 'howto/extend-potential.md']
html_theme = 'furo'
html_title = 'aiida-anial'

myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
# The validation of pydantic is told in the settings table; its methods would drown the rest.
autodoc_default_options = {
    'members': True,
    'show-inheritance': True,
    'exclude-members': 'model_config, model_post_init',
}

# Prompts and output stay behind when a console block is copied.
copybutton_prompt_text = r'\$ |>>> |\.\.\. '
copybutton_prompt_is_regexp = True


def plain_text(text: str) -> str:
    """Return a line with the characters escaped that mean something to RST, but not in code.

    Formulas in docstrings are plain text: |x|, x*y.
    """
    parts = re.split(r'(``.*?``)', text)
    return ''.join(part if part.startswith('``') else re.sub(r'(?<!\\)([|*])', r'\\\1', part) for part in parts)


def process_docstring(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Escape a docstring."""
    lines[:] = [plain_text(line) for line in lines]


def process_description(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    """Escape the help of a command; a bar at its beginning keeps a line as it is broken."""
    lines[:] = [line[:2] + plain_text(line[2:]) if line.startswith('| ') else plain_text(line) for line in lines]


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect('autodoc-process-docstring', process_docstring)
    app.connect('sphinx-click-process-description', process_description)
