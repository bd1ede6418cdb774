"""Labels of another level of theory are refused, with the differences in the message."""

from __future__ import annotations

import pytest

from aiida_anial.common.errors import AnialError
from aiida_anial.common.level_of_theory import LevelOfTheory
from aiida_anial.continuation.checks import check_theories, theory_of
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.protocols.reader import CampaignNodes

OWN = LevelOfTheory(
    code='pw.x', pseudo_md5='a', ecutwfc_ry=16, ecutrho_ry=64, smearing='cold', degauss_ry=0.02, kpoints_mesh=(3, 3, 3)
)
LABELLED = OWN.model_copy(update={'functional': 'PBE', 'version': '6.7'})


def changed(**values):
    """Return the level of theory of the labels with changes."""
    return LABELLED.model_copy(update=values)


def test_the_same_theory_and_another_version_are_accepted():
    check_theories(OWN, [('campaign 1', LABELLED), ('campaign 2', changed(version='7.2')), ('campaign 3', OWN)])


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ({'ecutwfc_ry': 30.0}, 'ecutwfc_ry 16 and 30'),
        ({'kpoints_mesh': None, 'kpoints_distance_per_angstrom': 0.3}, 'kpoints_mesh 3x3x3 and none'),
        ({'pseudo_md5': 'b'}, 'pseudo_md5 a and b'),
        ({'smearing': 'gaussian'}, 'smearing cold and gaussian'),
        ({'functional': 'PBESOL'}, 'functional PBE and PBESOL'),
    ],
)
def test_what_differs_is_named(values, expected):
    with pytest.raises(AnialError, match=expected) as caught:
        check_theories(OWN, [('campaign 1', LABELLED), ('campaign 22', changed(**values))])
    assert 'campaign 22' in str(caught.value)
    assert str(caught.value).startswith('--mix-theory: ')


def test_an_unknown_theory_is_refused():
    with pytest.raises(AnialError, match='the level of theory of dataset 7 is unknown'):
        check_theories(OWN, [('campaign 1', LABELLED), ('dataset 7', None)])


def test_settings_determine_the_theory_of_their_labels(pseudo, worker_code):
    qe = {'ecutwfc_ry': 20, 'ecutrho_ry': 90, 'kpoints_mesh': None, 'kpoints_distance_per_angstrom': 0.4}
    found = theory_of(campaign_inputs('demo', {'label': {'qe': qe}}), CampaignNodes(worker_code, {'pseudo': pseudo}))
    assert found == LevelOfTheory(
        code='pw.x',
        pseudo_md5=pseudo.md5,
        ecutwfc_ry=20,
        ecutrho_ry=90,
        smearing='cold',
        degauss_ry=0.07,
        kpoints_distance_per_angstrom=0.4,
    )


def test_the_theory_of_settings_is_that_of_their_labels(campaigns):
    """Otherwise no campaign could be continued."""
    from aiida_anial.continuation.plan import inputs_of, nodes_of

    campaign = campaigns['main']
    own = theory_of(inputs_of(campaign), nodes_of(campaign))
    assert [shard.level_of_theory for shard in campaign.outputs.shards.values()] == [own] * 5
