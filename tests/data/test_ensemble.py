"""Ensembles as nodes: content, attributes and the ASE calculator."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from aiida import orm
from ase import Atoms

from aiida_anial.common.errors import FileFormatError
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.potential.potential import potential_bytes


def test_a_stored_ensemble_gives_the_same_networks(aiida_profile, make_ensemble):
    ensemble = make_ensemble()
    node = orm.load_node(EnsembleData(ensemble).store().pk)
    assert isinstance(node, EnsembleData)
    assert potential_bytes(node.ensemble) == potential_bytes(ensemble)


def test_the_attributes_tell_architecture_and_self_energy(aiida_profile, make_ensemble, tiny_model):
    node = EnsembleData(make_ensemble()).store()
    assert node.base.attributes.get('n_members') == 2
    assert node.base.attributes.get('self_energy_ev') == -2.0
    assert node.base.attributes.get('model')['hidden_layers'] == tiny_model['hidden_layers']
    query = orm.QueryBuilder().append(EnsembleData, filters={'attributes.model.element': 'Al'})
    assert node.pk in [found.pk for found in query.all(flat=True)]


def test_equal_networks_have_equal_hashes_and_different_ones_do_not(aiida_profile, make_ensemble):
    first, again = (EnsembleData(make_ensemble(seed=1)).store() for _ in range(2))
    other = EnsembleData(make_ensemble(seed=2)).store()
    shifted = EnsembleData(replace(make_ensemble(seed=1), self_energy=-2.0000001)).store()
    hashes = [node.base.caching.get_hash() for node in (first, again, other, shifted)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_the_calculator_gives_the_forces_of_its_own_energy(aiida_profile, make_ensemble, make_cells):
    node = EnsembleData(make_ensemble()).store()
    positions, lattice = make_cells(1).one(0)
    atoms = Atoms('Al4', positions=positions, cell=lattice, pbc=True, calculator=node.get_ase_calculator())
    force, step = atoms.get_forces()[1, 2], 2e-3
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = node.get_ase_calculator()
        moved.positions[1, 2] += sign * step
        energies.append(moved.get_potential_energy())
    assert force == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=2e-3 * max(1, abs(force)))
    assert np.isfinite(atoms.calc.results['energy_disagreement'])


def test_an_ensemble_with_a_damaged_file_is_named_by_its_pk(aiida_profile, make_ensemble):
    node = EnsembleData()
    node.base.repository.put_object_from_bytes(potential_bytes(make_ensemble())[:-3], EnsembleData.FILENAME)
    node.store()
    with pytest.raises(FileFormatError, match=rf'^EnsembleData<{node.pk}>: '):
        _ = node.ensemble


def test_the_attributes_tell_the_schema_version_and_the_checksum_of_the_file(aiida_profile, make_ensemble):
    node = EnsembleData(make_ensemble()).store()
    content = node.base.repository.get_object_content(EnsembleData.FILENAME, 'rb')
    assert node.base.attributes.get('schema_version') == 1
    assert node.base.attributes.get('sha256') == sha256(content).hexdigest()
