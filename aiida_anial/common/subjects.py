"""Names of what a benchmark is about, in the work chain, in its outputs and in what is asked about them."""

from __future__ import annotations

from typing import Final

__all__ = ('DFT', 'MAIN')

MAIN: Final = 'ensemble'
"""The ensemble that is benchmarked."""

DFT: Final = 'qe'
"""DFT, whose results the others are compared with."""
