"""Labels by pw.x: bounded in number, sharing their settings, tidy, and what pw.x printed."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from aiida import orm
from ase import units

from aiida_anial.active_learning.label_settings import LabelSettings, QeSettings
from aiida_anial.data.structures import to_structure
from aiida_anial.workchains.label import LabelWorkChain

pytestmark = pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed')

STRAIN = 0.01
MAX_CONCURRENT = 2
LABELLED = ('a_large', 'c_minus', 'd_pressed', 'e_plus')


@pytest.fixture(scope='module')
def structures(make_cells):
    """A large cell, a compressed cell unstrained and strained along x, one that pw.x refuses, and an unphysical one."""
    (positions, lattice), (larger, larger_lattice) = make_cells(2, seed=3)
    pressed, pressed_lattice = 0.92 * larger, 0.92 * larger_lattice

    def strained(strain: float) -> orm.StructureData:
        deformation = np.diag([1 + strain, 1, 1])
        return to_structure(pressed @ deformation, pressed_lattice @ deformation, np.full(len(pressed), 13))

    return {
        'a_large': to_structure(positions, 1.1 * lattice, np.full(len(positions), 13)),
        'b_overlap': to_structure(np.zeros((2, 3)), lattice, np.array([13, 13])),
        'c_minus': strained(-STRAIN),
        'd_pressed': strained(0.0),
        'e_plus': strained(STRAIN),
        'f_close': to_structure(np.array([[0, 0, 0], [0.3, 0, 0]]), lattice, np.array([13, 13])),
    }


@pytest.fixture(scope='module')
def label(run_all, pw_code, pseudo):
    """Return a function that labels cells."""
    from aiida_anial.labellers.pw_inputs import pw_inputs

    settings = QeSettings.parse(
        {
            'ecutwfc_ry': 14,
            'ecutrho_ry': 56,
            'kpoints_mesh': None,
            'kpoints_distance_per_angstrom': 1.0,
            'degauss_ry': 0.05,
            'job': {'max_wallclock_seconds': 600},
        }
    )

    def run(cells, max_failed_fraction):
        limits = LabelSettings(max_concurrent=MAX_CONCURRENT, max_failed_fraction=max_failed_fraction)
        builder = LabelWorkChain.get_builder()
        builder.cells = cells
        builder.qe = pw_inputs(settings, pw_code, pseudo)
        builder.limits = orm.Dict(limits.to_dict())
        return run_all(builder)[0]

    return run


@pytest.fixture(scope='module')
def chain(label, structures):
    """The labelling of these cells."""
    return label(structures, 0.4)


@pytest.fixture
def bases(chain):
    """The ``PwBaseWorkChain`` of each cell."""
    found = {child.base.links.get_incoming().all_nodes() and child.label: child for child in chain.called}
    return {label: found[label] for label in chain.inputs.cells}


@pytest.fixture
def printed(bases):
    """What pw.x printed for each cell."""
    jobs = {label: base.called_descendants for label, base in bases.items()}
    jobs = {label: [job for job in nodes if isinstance(job, orm.CalcJobNode)][-1] for label, nodes in jobs.items()}
    return {label: job.outputs.retrieved.get_object_content('aiida.out') for label, job in jobs.items()}


def test_a_cell_that_fails_is_named_with_its_reason_and_the_others_stay(chain):
    assert chain.is_finished_ok
    assert chain.outputs.dataset.n_configurations == 4
    rejected = chain.outputs.rejected.get_dict()
    assert list(rejected) == ['b_overlap', 'f_close']
    assert re.search(r'PwCalculation<\d+> exit status \d+: .{10}', rejected['b_overlap'])
    assert re.search(r'unphysical: a force of \S+ eV/angstrom is above the limit of 50', rejected['f_close'])


def test_no_more_cells_are_launched_once_too_many_have_failed(label, structures):
    overlap = structures['b_overlap']
    cells = {f'{letter}_overlap': to_structure(*_moved(overlap, shift)) for shift, letter in enumerate('abcdefgh')}
    chain = label(cells, 0.2)
    assert chain.exit_status == LabelWorkChain.exit_codes.ERROR_TOO_MANY_FAILED.status
    bases = [child for child in chain.called if child.process_label == 'PwBaseWorkChain']
    # The second failure is the last that may be; one more calculation can be alive at that moment.
    assert 2 <= len(bases) <= 3
    assert set(chain.outputs.rejected.get_dict()) == {base.label for base in bases}
    messages = [log.message for log in orm.Log.collection.get_logs_for(chain)]
    assert any('no more are launched' in message for message in messages)


def _moved(structure, shift):
    """Return the cell of a structure with all atoms moved, so that no calculation is taken from the cache."""
    atoms = structure.get_ase()
    return atoms.positions + 0.1 * shift, np.array(atoms.cell), atoms.numbers


def test_never_more_calculations_are_alive_than_allowed_but_as_many(bases):
    spans = [(base.ctime, base.mtime) for base in bases.values()]
    alive = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(alive) == MAX_CONCURRENT


def test_a_slot_is_filled_as_soon_as_one_is_free(bases):
    spans = sorted((base.ctime, base.mtime) for base in bases.values())
    later = [start for start, _ in spans[MAX_CONCURRENT:]]
    # Not in batches: it starts while another one runs.
    assert any(start < moment < end for moment in later for start, end in spans)


def test_work_directories_are_cleaned(bases):
    for label, base in bases.items():
        if label != 'b_overlap':
            jobs = [node for node in base.called if isinstance(node, orm.CalcJobNode)]
            assert jobs
            assert all(job.outputs.remote_folder.is_cleaned for job in jobs)


def test_all_calculations_share_one_set_of_settings_nodes(bases):
    for name in ('pw__pseudos__Al', 'pw__code', 'max_iterations', 'clean_workdir'):
        linked = {base.base.links.get_incoming(link_label_filter=name).one().node.pk for base in bases.values()}
        assert len(linked) == 1, name
    jobs = {label: min(base.called, key=lambda job: job.pk) for label, base in bases.items()}
    for name in ('settings', 'pseudos__Al', 'code'):
        linked = {job.base.links.get_incoming(link_label_filter=name).one().node.pk for job in jobs.values()}
        assert len(linked) == 1, name
    # The number of bands, and nothing else, follows the number of atoms.
    sizes = {len(base.inputs.pw.structure.sites) for base in bases.values()}
    for parameters in (
        {base.inputs.pw.parameters.uuid: base.inputs.pw.parameters for base in bases.values()},
        {job.inputs.parameters.uuid: job.inputs.parameters for job in jobs.values()},
    ):
        assert len(parameters) == len(sizes)
        assert len({node['SYSTEM']['nbnd'] for node in parameters.values()}) == len(sizes)


def test_the_energy_is_the_free_energy_that_pw_prints(chain, printed):
    labelled = chain.outputs.dataset.labelled
    for index, label in enumerate(LABELLED):
        (energy,) = re.findall(r'^!\s+total energy\s+=\s+(\S+) Ry', printed[label], re.MULTILINE)
        (entropy,) = re.findall(r'smearing contrib. \(-TS\)\s+=\s+(\S+) Ry', printed[label])
        # QE's Rydberg is not quite ASE's; the energy without -TS is far beyond that.
        assert labelled.energies[index] == pytest.approx(float(energy) * units.Ry, rel=5e-7)
        assert abs(float(entropy) / float(energy)) > 5e-6


def test_the_forces_are_those_that_pw_prints(chain, printed):
    labelled = chain.outputs.dataset.labelled
    forces = re.findall(r'atom\s+\d+ type\s+1\s+force =\s+(\S+)\s+(\S+)\s+(\S+)', printed['a_large'])[:4]
    expected = np.array(forces, dtype=float) * units.Ry / units.Bohr
    np.testing.assert_allclose(labelled.forces_of(0), expected, atol=1e-5)


def test_the_pressure_is_the_one_that_pw_prints(chain, printed):
    labelled = chain.outputs.dataset.labelled
    (kilobar,) = re.findall(r'total\s+stress.*P=\s*(\S+)', printed['d_pressed'])
    assert float(kilobar) > 50
    pressure = -np.trace(labelled.stresses[2]) / 3 / units.GPa
    assert pressure == pytest.approx(float(kilobar) / 10, abs=0.01)


def test_the_stress_is_the_derivative_of_the_energy_by_the_strain(chain):
    """The cutoff is finite, so the basis changes with the strain: the tolerance is a tenth of the stress."""
    labelled = chain.outputs.dataset.labelled
    minus, pressed, plus = 1, 2, 3
    slope = (labelled.energies[plus] - labelled.energies[minus]) / (2 * STRAIN)
    expected = slope / labelled.cells.volumes[pressed]
    assert expected < 0
    assert labelled.stresses[pressed, 0, 0] == pytest.approx(expected, rel=0.1)


def test_a_label_leads_to_its_structure_through_its_calculation(chain, structures):
    labelled = chain.outputs.dataset.labelled
    for index, label in enumerate(LABELLED):
        job = orm.load_node(labelled.uuids[index])
        assert job.process_label == 'PwCalculation'
        assert job.inputs.structure.uuid == chain.inputs.cells[label].uuid
        sites = [site.position for site in job.inputs.structure.sites]
        np.testing.assert_allclose(labelled.cells.one(index)[0], sites)


def test_the_report_tells_what_was_launched_and_what_failed(chain):
    reports = [log.message for log in orm.Log.collection.get_logs_for(chain)]
    assert sum('launching PwBaseWorkChain' in line for line in reports) == 6
    assert any('b_overlap rejected: ' in line for line in reports)
    assert any('labelled 4 of 6 cells' in line for line in reports)
