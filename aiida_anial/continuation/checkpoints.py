"""Checkpoints that are still in work directories."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.calcfunctions.fetch_checkpoint import fetch_checkpoint, has_checkpoint

__all__ = ('with_checkpoints',)


def with_checkpoints(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with the checkpoints fetched; those that are gone are left out, and the work is begun anew."""
    found: dict[str, Any] = {}
    for name, value in namespace.items():
        if isinstance(value, dict):
            found[name] = with_checkpoints(value)
        elif not isinstance(value, orm.RemoteData):
            found[name] = value
        elif has_checkpoint(value):
            found[name] = fetch_checkpoint(value)
    return found
