"""The command line ``aiida-anial``."""

from aiida_anial.cli.root import main

__all__ = ('main',)
