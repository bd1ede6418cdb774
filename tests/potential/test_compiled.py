"""Compiled functions, with and without a cache on disk."""

from numba.core import caching

from aiida_anial.potential.kernels.machine import compiled


def test_a_compiled_function_computes_the_same():
    def square(x: float) -> float:
        return x * x

    assert compiled(square)(3.0) == 9.0


def test_without_a_place_to_write_to_functions_are_compiled_all_the_same(monkeypatch):
    """As in a container with a read-only file system."""
    monkeypatch.setattr(caching.CacheImpl, '_locator_classes', [])

    def double(x: float) -> float:
        return 2 * x

    assert compiled(double)(3.0) == 6.0
