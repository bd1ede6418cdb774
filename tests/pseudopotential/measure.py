"""Equations of state of aluminium with the package's own pseudopotential.

The script regenerates ``Al.upf`` on request, computes the FCC, BCC and diamond equations of
state of aluminium at several plane-wave cutoffs with ``pw.x``, prints them beside PseudoDojo's
figures, and writes them as JSON.  It is the source of every number in
``docs/reference/pseudopotential.md``.

Run it from the repository root::

    python tests/pseudopotential/measure.py
    python tests/pseudopotential/measure.py --generate
    python tests/pseudopotential/measure.py --contacts
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase.eos import EquationOfState
from ase.units import GPa, Ry

from aiida_anial.pseudopotential import AL_PBE_UPF, CHARGE_DENSITY_CUTOFF_RY, WAVEFUNCTION_CUTOFF_RY

RESULTS: Final = Path(__file__).with_name('results.json')
ANGSTROM_PER_BOHR: Final = 0.529177210903
STRAINS: Final = np.linspace(0.94, 1.06, 7)
# Cutoffs of wavefunctions and density.
CUTOFFS_RY: Final = ((12.0, 48.0), (14.0, 56.0), (16.0, 40.0), (16.0, 64.0), (20.0, 80.0), (30.0, 120.0))
# What the file says for programs that need all components of the density.
HEADER_DENSITY_CUTOFF_RY: Final = 4 * WAVEFUNCTION_CUTOFF_RY
RECOMMENDED_RY: Final = (WAVEFUNCTION_CUTOFF_RY, CHARGE_DENSITY_CUTOFF_RY)
PSEUDODOJO: Final = {'a0_A': 4.0406, 'B_GPa': 76.6, 'bcc_fcc_meV': 96.8, 'diamond_fcc_meV': 756.7}
HARD_RADII_BOHR: Final = {'3S': 1.8, '3P': 1.9, '3D': 1.9}
HARD_CORE_RADIUS_BOHR: Final = 1.1
HARD_CUTOFFS_RY: Final = (60.0, 240.0)
CONTACTS_A: Final = (3.0, 2.7, 2.4, 2.2, 2.0, 1.8, 1.6, 1.4)
BASIS_DIAMOND: Final = ((0.0, 0.0, 0.0), (0.25, 0.25, 0.25))
BASIS_ONE: Final = ((0.0, 0.0, 0.0),)


@dataclass(frozen=True)
class Lattice:
    """A cubic crystal of aluminium in its primitive cell.

    :param ibrav: Bravais-lattice index of ``pw.x``.
    :param volume: centre of the volume window, in cubic angstrom per atom.
    :param points: primitive cells per conventional cube.
    :param mesh: divisions of the unshifted Monkhorst-Pack mesh along each axis.
    :param basis: positions, in units of the cubic lattice parameter.
    """

    ibrav: int
    volume: float
    points: int
    mesh: int
    basis: tuple[tuple[float, float, float], ...]

    def lattice_parameter(self, volume: float) -> float:
        """Return the cubic lattice parameter in angstrom at `volume` (cubic angstrom per atom)."""
        return float((self.points * len(self.basis) * volume) ** (1 / 3))


LATTICES: Final = {
    'fcc': Lattice(2, 16.5, 4, 12, BASIS_ONE),
    'bcc': Lattice(3, 16.9, 2, 14, BASIS_ONE),
    'diamond': Lattice(2, 27.2, 4, 8, BASIS_DIAMOND),
}


@dataclass(frozen=True)
class Fit:
    """Birch-Murnaghan fit of one equation of state, per atom.

    :param volume: equilibrium volume, in cubic angstrom per atom.
    :param energy: energy at that volume, in eV per atom.
    :param bulk_modulus: bulk modulus, in GPa.
    :param cpu_seconds: processor time of its calculations, in seconds.
    """

    volume: float
    energy: float
    bulk_modulus: float
    cpu_seconds: float


def finalise_upf(text: str) -> str:
    """Return the UPF of ``ld1.x`` without its date and with the recommended cutoffs in the header.

    The date is the only thing in the file that changes from run to run, and ``ld1.x`` has no
    input for the cutoffs (it writes zero).
    """
    text = re.sub(r'^ *Generation date:.*\n', '', text, flags=re.MULTILINE)
    text = re.sub(r' date="[^"]*"', ' date=""', text)
    for name, value in (('wfc_cutoff', WAVEFUNCTION_CUTOFF_RY), ('rho_cutoff', HEADER_DENSITY_CUTOFF_RY)):
        text = re.sub(rf'{name}="[^"]*"', f'{name}="{value:.1f}"', text)
    for name, value in (('wavefunctions', WAVEFUNCTION_CUTOFF_RY), ('charge density', HEADER_DENSITY_CUTOFF_RY)):
        text = re.sub(rf'(cutoff for {name}:).*', rf'\g<1> {value:.1f} Ry', text)
    return text


def generate(ld1_input: Path, upf: Path) -> str:
    """Run ``ld1.x`` on `ld1_input`, write the finished potential to `upf`, return the log."""
    with tempfile.TemporaryDirectory() as scratch:
        log = subprocess.run(
            ['ld1.x'], input=ld1_input.read_text(), cwd=scratch, capture_output=True, text=True, check=True
        ).stdout
        upf.write_text(finalise_upf((Path(scratch) / 'Al.upf').read_text()))
    return log


def pw_text(cell: str, sites: str, mesh: str, cutoffs: tuple[float, float], upf: Path) -> str:
    """Return a ``pw.x`` input with the settings all calculations here share.

    :param cell: the cell's and atom count's lines of the ``system`` namelist.
    :param sites: the ``ATOMIC_POSITIONS`` card.
    :param mesh: the ``K_POINTS`` card.
    :param cutoffs: those of wavefunctions and density, in Ry.
    :param upf: the pseudopotential.
    """
    return f"""&control
  calculation = 'scf', prefix = 'al', outdir = '.', pseudo_dir = '{upf.parent}', disk_io = 'none'
/
&system
  {cell}, ntyp = 1
  ecutwfc = {cutoffs[0]}, ecutrho = {cutoffs[1]}
  occupations = 'smearing', smearing = 'cold', degauss = 0.02
/
&electrons
  conv_thr = 1e-10, mixing_beta = 0.4
/
ATOMIC_SPECIES
Al 26.9815 {upf.name}
{sites}
{mesh}
"""


def pw_input(lattice: Lattice, volume: float, cutoffs: tuple[float, float], upf: Path) -> str:
    """Return the ``pw.x`` input of `lattice` at `volume` (cubic angstrom per atom) and `cutoffs` (Ry)."""
    celldm = lattice.lattice_parameter(volume) / ANGSTROM_PER_BOHR
    cell = f'ibrav = {lattice.ibrav}, celldm(1) = {celldm:.10f}, nat = {len(lattice.basis)}'
    atoms = '\n'.join(f'Al {x} {y} {z}' for x, y, z in lattice.basis)
    mesh = f'K_POINTS automatic\n{lattice.mesh} {lattice.mesh} {lattice.mesh} 0 0 0'
    return pw_text(cell, f'ATOMIC_POSITIONS alat\n{atoms}', mesh, cutoffs, upf)


def dimer_input(distance: float, cutoffs: tuple[float, float], upf: Path) -> str:
    """Return the ``pw.x`` input of two atoms `distance` angstrom apart in a 12 x 12 x 16.8 bohr box."""
    cell = 'ibrav = 6, celldm(1) = 12.0, celldm(3) = 1.4, nat = 2'
    sites = f'ATOMIC_POSITIONS angstrom\nAl 0 0 {-distance / 2}\nAl 0 0 {distance / 2}'
    return pw_text(cell, sites, 'K_POINTS gamma', cutoffs, upf)


def run_pw(text: str) -> str:
    """Run ``pw.x`` serially on the input `text` and return its output."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        run = subprocess.run(
            ['pw.x'], input=text, cwd=scratch, env=environment, capture_output=True, text=True, check=False
        )
    if 'JOB DONE' not in run.stdout:
        raise RuntimeError(f'pw.x failed:\n{run.stdout[-2000:]}{run.stderr[-500:]}')
    return run.stdout


def total_energy(output: str) -> float:
    """Return the total (free) energy of a ``pw.x`` output, in eV."""
    found = re.findall(r'^!\s+total energy\s+=\s+(\S+) Ry', output, flags=re.MULTILINE)
    return float(float(found[-1]) * Ry)


def cpu_seconds(output: str) -> float:
    """Return the processor time of a ``pw.x`` output, in seconds; unlike wall time, a busy machine leaves it alone."""
    minutes, seconds = re.findall(r'^ +PWSCF +: +(?:(\d+)m *)?(\d+\.\d+)s CPU', output, flags=re.MULTILINE)[-1]
    return 60 * int(minutes or 0) + float(seconds)


def equation_of_state(lattice: Lattice, cutoffs: tuple[float, float], upf: Path) -> Fit:
    """Return the Birch-Murnaghan fit of `lattice` with the potential `upf` at `cutoffs` (Ry)."""
    volumes = lattice.volume * STRAINS
    atoms = len(lattice.basis)
    outputs = [run_pw(pw_input(lattice, volume, cutoffs, upf)) for volume in volumes]
    energies = [total_energy(output) / atoms for output in outputs]
    volume, energy, modulus = EquationOfState(volumes, energies, eos='birchmurnaghan').fit()
    return Fit(float(volume), float(energy), float(modulus / GPa), sum(map(cpu_seconds, outputs)))


def measure(cutoffs: tuple[float, float], upf: Path) -> dict[str, float]:
    """Return lattice parameter, bulk modulus and structural energies at `cutoffs` (Ry)."""
    fits = {name: equation_of_state(lattice, cutoffs, upf) for name, lattice in LATTICES.items()}
    fcc = fits['fcc']
    return {
        'ecutwfc_Ry': cutoffs[0],
        'ecutrho_Ry': cutoffs[1],
        'a0_A': LATTICES['fcc'].lattice_parameter(fcc.volume),
        'B_GPa': fcc.bulk_modulus,
        'bcc_fcc_meV': 1000 * (fits['bcc'].energy - fcc.energy),
        'diamond_fcc_meV': 1000 * (fits['diamond'].energy - fcc.energy),
        'fcc_energy_eV': fcc.energy,
        'bcc_volume_A3': fits['bcc'].volume,
        'diamond_volume_A3': fits['diamond'].volume,
        'cpu_seconds': sum(fit.cpu_seconds for fit in fits.values()),
    }


def hard_potential(folder: Path) -> Path:
    """Generate a potential with much shorter radii in `folder` and return its path.

    It shares the frozen core and the functional, so what it shows is the effect of the radii alone.
    """
    text = AL_PBE_UPF.with_name('Al.ld1.in').read_text()
    text = re.sub(r'rcore = \S+,', f'rcore = {HARD_CORE_RADIUS_BOHR},', text)
    for label, radius in HARD_RADII_BOHR.items():
        text = re.sub(rf'^({label} .*?)\S+ +\S+$', rf'\g<1>{radius}  {radius}', text, flags=re.MULTILINE)
    source = folder / 'Al.ld1.in'
    source.write_text(text)
    generate(source, folder / 'Al.upf')
    return folder / 'Al.upf'


def contact_curve(cutoffs: tuple[float, float], upf: Path) -> list[float]:
    """Return the dimer's energies at `CONTACTS_A` relative to the longest distance, in eV."""
    energies = [total_energy(run_pw(dimer_input(distance, cutoffs, upf))) for distance in CONTACTS_A]
    return [energy - energies[0] for energy in energies]


def contacts(upf: Path) -> dict[str, list[float]]:
    """Return, and print, the dimer's curve with `upf` and with the short-radius potential, in eV."""
    with tempfile.TemporaryDirectory() as scratch:
        hard = contact_curve(HARD_CUTOFFS_RY, hard_potential(Path(scratch)))
    soft = contact_curve(RECOMMENDED_RY, upf)
    print('  distance/A  Al.upf/eV  short radii/eV')
    for distance, energy, reference in zip(CONTACTS_A, soft, hard, strict=True):
        print(f'{distance:12.1f} {energy:10.4f} {reference:15.4f}')
    return {'distance_A': list(CONTACTS_A), 'energy_eV': soft, 'short_radii_energy_eV': hard}


def format_row(row: dict[str, float]) -> str:
    """Return one line of the printed table."""
    return (
        f'{row["ecutwfc_Ry"]:7.1f} {row["ecutrho_Ry"]:6.1f} {row["a0_A"]:9.4f} {row["B_GPa"]:8.2f} '
        f'{row["bcc_fcc_meV"]:9.2f} {row["diamond_fcc_meV"]:9.2f} {row["cpu_seconds"]:8.1f}'
    )


def arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--upf', type=Path, default=AL_PBE_UPF, help='potential to measure')
    parser.add_argument('--output', type=Path, default=RESULTS, help='JSON file to write')
    parser.add_argument('--generate', action='store_true', help='first regenerate the UPF from Al.ld1.in')
    parser.add_argument('--contacts', action='store_true', help='also compare close contacts with short radii')
    return parser.parse_args()


def main() -> int:
    """Measure the potential at all cutoffs, print the table and write it as JSON."""
    options = arguments()
    upf = options.upf.resolve()
    if options.generate:
        generate(upf.with_name('Al.ld1.in'), upf)
    print('   cutoffs/Ry     a0/A    B/GPa  bcc/meV  diam./meV    CPU/s')
    rows = []
    for cutoffs in CUTOFFS_RY:
        rows.append(measure(cutoffs, upf))
        print(format_row(rows[-1]), flush=True)
    record: dict[str, object] = {'potential': upf.name, 'pseudodojo_30_Ry': PSEUDODOJO, 'rows': rows}
    record['lattices'] = {name: asdict(lattice) for name, lattice in LATTICES.items()}
    if options.contacts:
        record['contacts'] = contacts(upf)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
