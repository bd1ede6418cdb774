"""Interatomic potentials for aluminium by active learning, with every step in an AiiDA graph."""

__version__ = '0.1.0'
