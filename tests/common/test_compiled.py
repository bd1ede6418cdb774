from numba.core import caching

from aiida_anial.common.compiled import compiled


def test_a_compiled_function_computes_the_same():
    def square(x: float) -> float:
        return x * x

    assert compiled(square)(3.0) == 9.0


def test_without_a_place_to_write_to_functions_are_compiled_all_the_same(monkeypatch):
    """As in a container whose files, the home directory among them, may only be read."""
    monkeypatch.setattr(caching.CacheImpl, '_locator_classes', [])

    def double(x: float) -> float:
        return 2 * x

    assert compiled(double)(3.0) == 6.0
