"""Potentials that come with the package, each in a folder as ``aiida-anial release`` writes it.

>>> from aiida_anial.potentials import load
>>> atoms.calc = load('Al-laptop')
"""

from __future__ import annotations

from aiida_anial.potential.packaged import load, names

__all__ = ('load', 'names')
