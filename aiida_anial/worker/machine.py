"""What a job ran on: where the last bits of its results come from."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

__all__ = ('machine_record',)

_CPU_INFO = Path('/proc/cpuinfo')

# Sets of vector instructions after which compiled code, and a BLAS, takes another path.
_VECTORS = ('avx', 'avx2', 'fma', 'avx512f', 'avx512_fp16', 'amx_tile', 'asimd', 'sve', 'sve2')

_LIBRARIES = ('numpy', 'numba', 'torch')


def machine_record() -> dict[str, Any]:
    """Return the processors (``cpu``, ``instructions``, ``gpu``), ``threads``, and ``versions`` of what is loaded.

    Two jobs with equal records and equal inputs give the same bits. No name of a machine and no time is in it.
    """
    entries = _cpu_info()
    flags = (entries.get('flags') or entries.get('Features') or '').split()
    threads = os.environ.get('OMP_NUM_THREADS', '')
    return {
        'cpu': entries.get('model name') or platform.processor() or platform.machine(),
        'instructions': [platform.machine(), *(name for name in _VECTORS if name in flags)],
        'gpu': _gpu(),
        'threads': int(threads) if threads.isdecimal() else None,
        'versions': {
            'python': platform.python_version(),
            **{name: str(sys.modules[name].__version__) for name in _LIBRARIES if name in sys.modules},
        },
    }


def _cpu_info() -> dict[str, str]:
    """Return what Linux says about the first core; nothing elsewhere."""
    if not _CPU_INFO.is_file():
        return {}
    first = _CPU_INFO.read_text(encoding='utf-8').split('\n\n', maxsplit=1)[0]
    pairs = (line.partition(':') for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gpu() -> str | None:
    """Return the name of the GPU, if torch has used one."""
    torch: Any = sys.modules.get('torch')
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())
