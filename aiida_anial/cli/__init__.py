"""The command line ``aiida-anial``."""

import warnings

# AiiDA warns that it makes a folder which it was asked to make; it does so when it is imported.
warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')

from aiida_anial.cli.root import main  # noqa: E402 - after the filter

__all__ = ('main',)
