"""Compiled functions of many cells on all threads that torch may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import torch

__all__ = ('map_in_threads',)

_T = TypeVar('_T')


@lru_cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix='anial')


def map_in_threads(function: Callable[..., _T], *arguments: Iterable[Any]) -> list[_T]:
    """Return what ``function`` gives for each of the arguments; it must not leave the work to torch's own threads."""
    n_threads = torch.get_num_threads()
    mapped = map(function, *arguments) if n_threads == 1 else _pool(n_threads).map(function, *arguments)
    return list(mapped)
