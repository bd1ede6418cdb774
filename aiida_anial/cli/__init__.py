"""The command line ``aiida-anial``."""

import warnings

# On import, AiiDA warns that it creates the configuration folder it was asked to create.
warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')

from aiida_anial.cli.root import main  # noqa: E402 - must follow the filter

__all__ = ('main',)
