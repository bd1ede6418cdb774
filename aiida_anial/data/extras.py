"""Extras by which nodes are told apart."""

from __future__ import annotations

__all__ = ('FINGERPRINT', 'REPRODUCES', 'WAITS_FOR')

REPRODUCES = 'reproduces'
"""On whatever ran or was made when a step was reproduced: the UUID of that step. Queries leave such nodes out."""

FINGERPRINT = 'fingerprint'
"""On a calculation of a benchmark by DFT: what it was of. One that finished is not paid for again."""

WAITS_FOR = 'waits_for'
"""On a labelling that a computer has no room for now: the UUID of the computer."""
