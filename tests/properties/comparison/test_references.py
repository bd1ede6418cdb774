"""Literature values: those in the package, and the format of their file."""

from __future__ import annotations

import re

import pytest
import yaml
from ase.collections import dcdft

from aiida_anial.common.errors import FileFormatError
from aiida_anial.properties.comparison.references import all_references, parse_references, references

CONTENT = {
    'citations': {'one': 'A. Author, J. 1, 2 (2003), doi:10.1/2', 'two': 'B. Author (2004)'},
    'sources': {'here': {'label': 'Here', 'kind': 'dft', 'citation': 'one'}},
    'references': [
        {'property': 'elastic', 'quantity': 'c11', 'source': 'here', 'value': 106, 'unit': 'GPa'},
        {'property': 'elastic', 'quantity': 'c12', 'source': 'here', 'value': 62.3, 'unit': 'GPa', 'citation': 'two'},
    ],
}

# Values in the paper: property, quantity, and value by source.
PAPER = [
    ('elastic', 'b', {'experiment': 79, 'ani_al': 77.3}),
    ('elastic', 'c11', {'experiment': 114, 'paper_dft': 106, 'ani_al': 117}),
    ('elastic', 'c12', {'experiment': 61.9, 'paper_dft': 62.3, 'ani_al': 57.2}),
    ('elastic', 'c44', {'experiment': 31.6, 'paper_dft': 31.6, 'ani_al': 30.4}),
    ('bain', 'rmse', {'ani_al': 4.5, 'mishin_eam': 4.3}),
    ('trigonal', 'rmse', {'ani_al': 6.0, 'mishin_eam': 37.6}),
    ('slip', 'rmse', {'ani_al': 16.6, 'mishin_eam': 52.5}),
    ('twin', 'rmse', {'ani_al': 11.4, 'mishin_eam': 15.9}),
    ('cold_curves', 'hcp_minus_fcc_error', {'ani_al': 0.42}),
    ('cold_curves', 'bcc_minus_fcc_error', {'ani_al': 5.3}),
    ('cold_curves', 'sc_minus_fcc_error', {'ani_al': 37}),
    ('cold_curves', 'diamond_minus_fcc_error', {'ani_al': -44}),
    ('vacancy', 'formation_energy', {'experiment': 680, 'paper_dft': 618, 'ani_al': 663}),
    ('dumbbell', 'formation_energy', {'paper_dft': 2850, 'ani_al': 2490}),
]


@pytest.mark.parametrize(('name', 'quantity', 'expected'), PAPER)
def test_the_figures_of_the_paper_are_there(name, quantity, expected):
    found = {one.source: one for one in references(name, quantity) if 's41467-021-21376-0' in one.citation}
    assert {source: one.value.value for source, one in found.items()} == expected


def test_lattice_and_volume_are_those_of_the_delta_project():
    data = dcdft.data['Al']
    for source, prefix in (('experiment', 'exp'), ('all_electron', 'wien2k')):
        for property_name, quantity, expected, tolerance in (
            ('lattice', 'a0', (4 * data[f'{prefix}_volume']) ** (1 / 3), 5e-4),
            ('cold_curves', 'fcc_a0', (4 * data[f'{prefix}_volume']) ** (1 / 3), 5e-4),
            ('cold_curves', 'fcc_v0', data[f'{prefix}_volume'], 5e-3),
            ('cold_curves', 'fcc_b0', data[f'{prefix}_B'], 5e-2),
            ('lattice', 'b0_fit', data[f'{prefix}_B'], 5e-2),
            ('cold_curves', 'fcc_b0_prime', data[f'{prefix}_Bp'], 5e-3),
        ):
            (found,) = [one for one in references(property_name, quantity) if one.source == source]
            assert found.value.value == pytest.approx(expected, abs=tolerance)
            assert '10408436.2013.772503' in found.citation


def test_bulk_modulus_of_every_source_is_that_of_its_elastic_constants():
    for source in ('experiment', 'ani_al', 'mishin_eam'):
        found = {key: _value('elastic', key, source) for key in ('b', 'c11', 'c12')}
        assert found['b'] == pytest.approx((found['c11'] + 2 * found['c12']) / 3, abs=0.5)


def test_the_labels_of_the_sources_differ_and_the_citations_say_where():
    labels = {one.source: one.label for one in all_references()}
    assert len(set(labels.values())) == len(labels)
    assert all(re.search(r'\(\d{4}\)', one.citation) for one in all_references())


def test_what_nobody_has_is_no_error():
    assert references('elastic', 'c99') == ()


def test_a_number_has_its_own_citation_or_that_of_its_source():
    first, second = parse_references(yaml.safe_dump(CONTENT), source='own.yaml')
    assert (first.label, first.kind, first.value.unit, first.value.value) == ('Here', 'dft', 'GPa', 106.0)
    assert first.value.uncertainty is None
    assert (first.citation, second.citation) == (CONTENT['citations']['one'], 'B. Author (2004)')


def _value(name, quantity, source):
    (found,) = [one.value.value for one in references(name, quantity) if one.source == source]
    return found


def _with(**changes):
    return yaml.safe_dump(CONTENT | changes)


def _entry(**changes):
    return _with(references=[CONTENT['references'][0] | changes])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a: [', 'own.yaml: not YAML ('),
        ('- 1', 'own.yaml: is not a mapping'),
        ('!!python/object/apply:os.system ["true"]', 'own.yaml: not YAML ('),
        (_entry(value='106'), r"own.yaml: references.0.value: '106' is not allowed"),
        (_entry(valeu=1), "own.yaml: references.0.valeu: unknown key 'valeu'; did you mean 'value'?"),
        (_entry(source='there'), "own.yaml: references.0.source: there is no 'there'; known are here."),
        (_entry(citation='three'), "own.yaml: references.0.citation: there is no 'three'; known are one, two."),
        (_entry(uncertainty=-0.1), 'own.yaml: references.0.uncertainty: -0.1 is not allowed'),
        (
            _with(sources={'here': {'label': 'Here', 'kind': 'guess', 'citation': 'one'}}),
            "own.yaml: sources.here.kind: 'guess' is not allowed",
        ),
        (
            _with(sources={'here': {'label': 'Here', 'kind': 'dft', 'citation': 'no'}}),
            "own.yaml: sources.here.citation: there is no 'no'; known are one, two.",
        ),
        (
            _with(references=[CONTENT['references'][0]] * 2),
            'own.yaml: references.1.source: here has elastic.c11 twice.',
        ),
        (_with(references=[{'property': 'elastic'}]), 'own.yaml: references.0.quantity: this key is required.'),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text, message):
    with pytest.raises(FileFormatError) as caught:
        parse_references(text, source='own.yaml')
    assert str(caught.value).startswith(message)
