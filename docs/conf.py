"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# AiiDA makes its configuration folder when it is imported: not in the home of whoever builds the pages.
os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='aiida-anial-docs-')
sys.path.insert(0, str(Path(__file__).parent / '_ext'))

from aiida_anial import __version__  # noqa: E402 - after AIIDA_PATH is set

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

exclude_patterns = ['_build', '_ext']
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
