"""The committed pseudopotential is what ``ld1.x`` makes of its input, and it describes aluminium."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from pseudopotential import measure

from aiida_anial.pseudopotential import AL_PBE_UPF, WAVEFUNCTION_CUTOFF_RY

# FCC lattice parameter on the 8 x 8 x 8 mesh, from docs/reference/pseudopotential.md.
LATTICE_PARAMETER_A = 4.0415
ARRAYS = ('PP_MESH/PP_R', 'PP_MESH/PP_RAB', 'PP_LOCAL', 'PP_NLCC', 'PP_RHOATOM', 'PP_NONLOCAL/PP_DIJ')
NUMBERED = (('PP_NONLOCAL/PP_BETA', 2), ('PP_PSWFC/PP_CHI', 2))
# The other fields of the header are the program's version, the date and the cutoffs, which ld1.x leaves at zero.
HEADER_NUMBERS = ('z_valence', 'total_psenergy', 'l_max', 'l_local', 'mesh_size', 'number_of_wfc', 'number_of_proj')
HEADER_LABELS = ('element', 'pseudo_type', 'relativistic', 'core_correction', 'functional', 'is_ultrasoft', 'is_paw')


def require(program: str) -> None:
    """Fail, and say what to do, where a program that the installation provides is missing."""
    if shutil.which(program) is None:
        pytest.fail(f'{program} of Quantum ESPRESSO is not on the PATH; `make install` installs it', pytrace=False)


def read(path: Path) -> ElementTree.Element:
    """Return the root element of a UPF file."""
    return ElementTree.parse(path).getroot()


def find(root: ElementTree.Element, path: str) -> ElementTree.Element:
    """Return the element at `path`, which must exist."""
    element = root.find(path)
    assert element is not None, path
    return element


def array(root: ElementTree.Element, path: str) -> np.ndarray:
    """Return the numbers of the element at `path`."""
    return np.array((find(root, path).text or '').split(), dtype=float)


def paths() -> list[str]:
    """Return the paths of every numeric array in the file."""
    return [*ARRAYS, *(f'{stem}.{index}' for stem, count in NUMBERED for index in range(1, count + 1))]


@pytest.fixture(scope='module')
def committed() -> ElementTree.Element:
    """Return the committed potential."""
    return read(AL_PBE_UPF)


@pytest.fixture(scope='module')
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> ElementTree.Element:
    """Return the potential that ``ld1.x`` makes of the committed input."""
    require('ld1.x')
    folder = tmp_path_factory.mktemp('ld1')
    text = AL_PBE_UPF.with_name('Al.ld1.in').read_text()
    subprocess.run(['ld1.x'], input=text, text=True, cwd=folder, check=True, capture_output=True, timeout=60)
    return read(folder / 'Al.upf')


@pytest.mark.parametrize('path', paths())
def test_array_is_regenerated(committed: ElementTree.Element, regenerated: ElementTree.Element, path: str) -> None:
    expected, found = array(committed, path), array(regenerated, path)
    assert expected.size > 1
    assert np.any(expected != 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def test_every_array_is_compared(committed: ElementTree.Element) -> None:
    known = {path.rsplit('/', maxsplit=1)[-1] for path in paths()}
    text = {'PP_INFO', 'PP_INPUTFILE', 'PP_HEADER'}
    leaves = {element.tag for element in committed.iter() if len(element) == 0 and (element.text or '').strip()}
    assert leaves - text == known


def test_header_is_regenerated(committed: ElementTree.Element, regenerated: ElementTree.Element) -> None:
    expected, found = (find(root, 'PP_HEADER').attrib for root in (committed, regenerated))
    for name in HEADER_NUMBERS:
        assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-8), name
    assert {name: found[name] for name in HEADER_LABELS} == {name: expected[name] for name in HEADER_LABELS}


def test_mesh_attributes_are_regenerated(committed: ElementTree.Element, regenerated: ElementTree.Element) -> None:
    expected, found = (find(root, 'PP_MESH').attrib for root in (committed, regenerated))
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}
    )


def test_header_describes_the_potential(committed: ElementTree.Element) -> None:
    header = find(committed, 'PP_HEADER').attrib
    assert header['element'].strip() == 'Al'
    assert float(header['z_valence']) == 3
    assert header['functional'].strip() == 'PBE'
    assert header['pseudo_type'] == 'NC'
    assert header['relativistic'] == 'scalar'
    assert header['core_correction'] == 'true'
    assert header['is_ultrasoft'] == header['is_paw'] == header['has_so'] == 'false'


def test_header_has_cutoffs_at_which_the_density_is_complete(committed: ElementTree.Element) -> None:
    header = find(committed, 'PP_HEADER').attrib
    assert float(header['wfc_cutoff']) == WAVEFUNCTION_CUTOFF_RY
    assert float(header['rho_cutoff']) == 4 * WAVEFUNCTION_CUTOFF_RY


def test_file_carries_no_date(committed: ElementTree.Element) -> None:
    assert find(committed, 'PP_HEADER').attrib['date'] == ''
    assert 'date' not in AL_PBE_UPF.read_text().split('<PP_HEADER', maxsplit=1)[0].lower()


def test_finished_file_is_regenerated_by_the_script(tmp_path: Path) -> None:
    require('ld1.x')
    measure.generate(AL_PBE_UPF.with_name('Al.ld1.in'), tmp_path / 'Al.upf')
    expected, found = (find(read(path), 'PP_HEADER').attrib for path in (AL_PBE_UPF, tmp_path / 'Al.upf'))
    assert {name for name in expected if expected[name] != found[name]} <= {'generated', 'total_psenergy'}


def test_fcc_lattice_parameter() -> None:
    require('pw.x')
    lattice = replace(measure.LATTICES['fcc'], mesh=8)
    fit = measure.equation_of_state(lattice, measure.RECOMMENDED_RY, AL_PBE_UPF)
    assert lattice.lattice_parameter(fit.volume) == pytest.approx(LATTICE_PARAMETER_A, abs=0.01)
    assert 70 < fit.bulk_modulus < 85
