"""Energies of isolated atoms: which calculations are accepted, and what a release makes of them."""

from __future__ import annotations

import json

import ase.io
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip

from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.report import release as module
from aiida_anial.report.isolated import isolated_atoms, write_isolated_atoms

ENERGY = -53.25
THEORY = LevelOfTheory(
    code='pw.x', functional='PBE', ecutwfc_ry=16.0, ecutrho_ry=40.0, smearing='cold', degauss_ry=0.05, pseudo_md5='a1'
)


@pytest.fixture
def atom(computer, monkeypatch):
    """Return a function that stores a finished calculation of an atom in a box."""

    def make(*, box=12.0, n_atoms=1, exit_status=0, ecutwfc=16, **printed):
        structure = orm.StructureData(cell=[[box, 0, 0], [0, box, 0], [box, 0, box]])
        for index in range(n_atoms):
            structure.append_atom(position=(0, 0, 3.0 * index), symbols='Al')
        namelists = {'ecutwfc': ecutwfc, 'ecutrho': 40, 'occupations': 'smearing', 'degauss': 0.001, 'nspin': 2}
        node = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:x')
        for label, value in {'structure': structure, 'parameters': orm.Dict({'SYSTEM': namelists})}.items():
            node.base.links.add_incoming(value.store(), LinkType.INPUT_CALC, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        node.store()
        values = {'energy': ENERGY, 'number_of_spin_components': 2, 'dft_exchange_correlation': 'PBE', **printed}
        parameters = orm.Dict(values)
        parameters.base.links.add_incoming(node, LinkType.CREATE, 'output_parameters')
        parameters.store()
        node.seal()
        return node

    # The pseudopotential itself does not matter here.
    monkeypatch.setattr(
        'aiida_anial.report.isolated.pw_level_of_theory',
        lambda parameters: LevelOfTheory.parse(
            {
                'code': 'pw.x',
                'functional': parameters['dft_exchange_correlation'],
                'ecutwfc_ry': parameters.creator.inputs.parameters['SYSTEM']['ecutwfc'],
                'ecutrho_ry': 40.0,
                'pseudo_md5': 'a1',
            }
        ),
    )
    return make


def test_an_atom_in_a_box_gives_its_energy(atom, tmp_path):
    node = atom()
    write_isolated_atoms(tmp_path / 'atoms.extxyz', isolated_atoms([node], [THEORY]))
    (found,) = ase.io.read(tmp_path / 'atoms.extxyz', ':')
    assert found.get_chemical_formula() == 'Al'
    assert found.get_potential_energy() == ENERGY
    assert not found.pbc.any()
    assert found.info['config_type'] == 'IsolatedAtom'
    assert found.info['calculation'] == node.uuid


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'exit_status': 410}, 'not a process that finished well'),
        ({'n_atoms': 2}, 'it has 2 atoms where one is needed'),
        ({'box': 9.0}, 'the atom is 9.0 angstrom from its image where 10 are needed'),
        ({'number_of_spin_components': 1}, 'not spin-polarised'),
        ({'ecutwfc': 30}, 'its ecutwfc_ry is 30.0 and that of the labels 16.0'),
        ({'dft_exchange_correlation': 'LDA'}, 'its functional is LDA and that of the labels PBE'),
    ],
)
def test_anything_else_is_refused(atom, change, message):
    with pytest.raises(AnialError, match=f'^--isolated-atom: \\d+ cannot be used: .*{message}'):
        isolated_atoms([atom(**change)], [THEORY])


def test_other_labels_and_other_pseudopotentials_are_refused(atom):
    node = atom()
    for theory, message in (
        (None, 'the level of theory of the labels is not known'),
        (LevelOfTheory(code='emt'), 'its code is pw.x and that of the labels emt'),
        (LevelOfTheory.parse({**THEORY.to_dict(), 'pseudo_md5': 'Al:b2 Ni:c3'}), 'its pseudopotential is not that'),
    ):
        with pytest.raises(AnialError, match=message):
            isolated_atoms([node], [theory])
    assert isolated_atoms([node], [LevelOfTheory.parse({**THEORY.to_dict(), 'pseudo_md5': 'Al:a1 Ni:c3'})])
    with pytest.raises(AnialError, match='Al has been given already'):
        isolated_atoms([node, atom()], [THEORY])


def test_a_node_that_is_no_process_is_refused(invoke, campaigns, tmp_path):
    shard = campaigns['main'].outputs.shards['shard_000']
    options = ('--author', 'Curie, Marie', '--isolated-atom', shard.pk)
    result = invoke('release', campaigns['main'].pk, tmp_path / 'new', *options)
    assert result.exit_code == 1
    assert f'--isolated-atom: {shard.pk} cannot be used: it is not a process that finished well.' in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_release_tells_mace_the_energy_and_archives_the_calculation(invoke, campaigns, atom, tmp_path, monkeypatch):
    """The labels of the campaign are not by pw.x, so the comparison with them is skipped."""
    node, folder = atom(), tmp_path / 'new'
    monkeypatch.setattr(module, 'isolated_atoms', lambda isolated, _: isolated_atoms(isolated, [THEORY]))
    options = ('--author', 'Curie, Marie', '--isolated-atom', node.uuid)
    result = invoke('release', campaigns['again'].pk, folder, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    card = (folder / 'README.md').read_text()
    assert "--stress_key stress --E0s '{13: -53.25}'\n" in card
    assert 'No energy of an isolated atom' not in card
    assert json.loads((folder / 'metadata.json').read_text())['facts']['isolated_atom_energies_ev'] == {'Al': ENERGY}
    assert ase.io.read(folder / 'isolated_atoms.extxyz').info['calculation'] == node.uuid
    with ArchiveFormatSqlZip().open(folder / 'campaign.aiida', mode='r') as reader:
        assert reader.querybuilder().append(orm.Node, filters={'uuid': node.uuid}).count() == 1
