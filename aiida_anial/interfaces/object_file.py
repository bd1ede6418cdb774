"""An ensemble as an object file of kernels and weights, and the header that describes it to C++.

Run as a program, it writes them; ``write_object`` runs it, since numba reads the processor that it compiles for when it
is imported::

    python -m aiida_anial.interfaces.object_file ENSEMBLE FOLDER DTYPE PROCESSOR
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from llvmlite import binding, ir

from aiida_anial import __version__
from aiida_anial.common.errors import AnialError
from aiida_anial.interfaces.processors import compiler_environment, features_needed
from aiida_anial.potential.ensemble import Ensemble
from aiida_anial.potential.potential import read_potential

__all__ = ('write_object',)

_OBJECT: Final = 'anial.o'
_HEADER: Final = 'anial_model.h'
_KERNEL: Final = 'anial_kernel'
_MODEL: Final = 'anial_model'


def write_object(file: Path, folder: Path, *, dtype: str, processor: str) -> None:
    """Write ``anial.o`` and ``anial_model.h`` into a folder, which takes half a minute.

    :param file: the ensemble, as a file of this package.
    :param dtype: precision of the kernels, ``float32`` or ``float64``.
    :param processor: one of ``PROCESSORS``.
    :raises AnialError: if they cannot be compiled.
    """
    command = [sys.executable, '-m', __name__, str(file), str(folder), dtype, processor]
    environment = {**os.environ, **compiler_environment(processor)}
    result = subprocess.run(  # noqa: S603 - a list, no shell
        command, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ['no message'])[-1]
        raise AnialError(f'--cpu {processor}: the kernels could not be compiled: {last}')


def _header(ensemble: Ensemble, *, dtype: str, processor: str, work_bytes: int) -> str:
    """Return what the sources in C++ need to know."""
    from aiida_anial.potential.kernels.foreign import CHUNK, MOST_NEIGHBOURS

    values = {
        'VERSION': f'"{__version__}"',
        'SYMBOL': f'"{ensemble.model.element}"',
        'REAL': {'float32': 'float', 'float64': 'double'}[dtype],
        'MEMBERS': ensemble.model.n_members,
        'CUTOFF': repr(ensemble.model.descriptor.radial_cutoff_angstrom),
        'SELF_ENERGY': repr(ensemble.self_energy),
        'CHUNK': CHUNK,
        'MOST_NEIGHBOURS': MOST_NEIGHBOURS,
        'WORK_BYTES': work_bytes,
        'FEATURES': ' '.join(f'ANIAL_CHECK("{name}")' for name in features_needed(processor)),
    }
    lines = [f'#define ANIAL_{name} {value}' for name, value in values.items()]
    return '\n'.join(['// Written by the export of aiida-anial. Units: eV, angstrom.', '#pragma once', *lines, ''])


def _object(llvm: str, symbol: str, model: bytes) -> bytes:
    """Return the object file of a function, with the block ``model`` beside it."""
    module = binding.parse_assembly(llvm.replace(symbol, _KERNEL))
    module.link_in(binding.parse_assembly(str(_constants(model, module.triple))))
    name = os.environ.get('NUMBA_CPU_NAME') or binding.get_host_cpu_name()
    features = os.environ.get('NUMBA_CPU_FEATURES') or binding.get_host_cpu_features().flatten()
    target = binding.Target.from_triple(module.triple)
    machine = target.create_target_machine(cpu=name, features=features, opt=3, reloc='pic', codemodel='small')
    emitted: bytes = machine.emit_object(module)
    return emitted


def _constants(model: bytes, triple: str) -> ir.Module:
    module = ir.Module()
    module.triple = triple
    kind = ir.ArrayType(ir.IntType(8), len(model))
    block = ir.GlobalVariable(module, kind, _MODEL)
    block.initializer = ir.Constant(kind, bytearray(model))
    block.global_constant = True
    block.align = 64
    return module


def main(arguments: Sequence[str]) -> None:
    """Write the files; see the head of this module for the arguments."""
    from aiida_anial.potential.kernels.foreign import foreign_kernel

    file, folder, dtype, processor = arguments
    ensemble = read_potential(Path(file))
    assert isinstance(ensemble, Ensemble)
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    kernel = foreign_kernel(ensemble, np.dtype(dtype))
    (Path(folder) / _OBJECT).write_bytes(_object(kernel.llvm, kernel.symbol, kernel.model))
    header = _header(ensemble, dtype=dtype, processor=processor, work_bytes=kernel.work_bytes)
    (Path(folder) / _HEADER).write_text(header)


if __name__ == '__main__':
    main(sys.argv[1:])
