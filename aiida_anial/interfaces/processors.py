"""The processors that kernels can be compiled for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ('PROCESSORS', 'compiler_environment', 'features_needed')

# What numba reads as NUMBA_CPU_NAME and NUMBA_CPU_FEATURES; nothing for this machine.
_TARGETS: Final = {
    'host': {},
    'avx2': {'NUMBA_CPU_NAME': 'haswell', 'NUMBA_CPU_FEATURES': '+avx2,+fma,+bmi,+bmi2'},
    'avx512': {
        'NUMBA_CPU_NAME': 'skylake-avx512',
        'NUMBA_CPU_FEATURES': '+avx2,+fma,+bmi,+bmi2,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl',
    },
}
PROCESSORS: Final = tuple(_TARGETS)
# Features that the compilers of the C++ sources can look for.
_KNOWN: Final = ('avx2', 'fma', 'bmi', 'bmi2', 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl')


def compiler_environment(processor: str) -> Mapping[str, str]:
    """Return the environment variables by which numba compiles for a processor.

    :param processor: one of ``PROCESSORS``.
    """
    return _TARGETS[processor]


def features_needed(processor: str) -> tuple[str, ...]:
    """Return the features of x86 without which code for a processor does not run."""
    from llvmlite import binding

    text = _TARGETS[processor].get('NUMBA_CPU_FEATURES') or binding.get_host_cpu_features().flatten()
    has = text.split(',')
    return tuple(name for name in _KNOWN if f'+{name}' in has)
