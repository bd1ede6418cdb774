"""What cannot be released is refused in one sentence; the card says if a release is incomplete."""

from __future__ import annotations

import errno

import pytest
from aiida import orm
from aiida.tools.archive.implementations.sqlite_zip.main import ArchiveFormatSqlZip

from aiida_anial.common.errors import AnialError
from aiida_anial.data.label import LabelData
from aiida_anial.formats.ensembles import ENSEMBLE_FORMATS, EnsembleFormat
from aiida_anial.report import release as module

AUTHOR = ('--author', 'Curie, Marie')


def refused(result, message):
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert result.output.count('\n') == 1


def test_a_folder_with_something_in_it_stays_as_it_is(invoke, campaigns, tmp_path, count_nodes):
    folder = tmp_path / 'mine'
    folder.mkdir()
    (folder / 'thesis.tex').write_text('years of work')
    before = count_nodes()
    refused(invoke('release', campaigns['main'].pk, folder, *AUTHOR), 'exists already and is not an empty folder')
    assert [path.name for path in folder.iterdir()] == ['thesis.tex']
    assert count_nodes() == before


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--author', 'Marie Curie'), "--author: 'Marie Curie' must have the form 'Family, Given'"),
        (('--author', 'Curie, '), "--author: 'Curie, ' must have the form 'Family, Given'"),
        ((*AUTHOR, '--license', 'free'), "--license: 'free' is not the SPDX identifier"),
        ((*AUTHOR, '--license', 'MIT OR CC0-1.0'), "--license: 'MIT OR CC0-1.0' is not the SPDX identifier"),
    ],
)
def test_invalid_authors_and_licences_are_refused(invoke, campaigns, tmp_path, count_nodes, options, message):
    before = count_nodes()
    refused(invoke('release', campaigns['main'].pk, tmp_path / 'new', *options), message)
    assert count_nodes() == before
    assert list(tmp_path.iterdir()) == []


def test_authors_are_required(invoke, campaigns, tmp_path):
    result = invoke('release', campaigns['main'].pk, tmp_path / 'new')
    assert result.exit_code == 2
    assert "Missing option '--author'" in result.output


def test_a_campaign_without_labels(invoke, campaigns, tmp_path, count_nodes):
    before = count_nodes()
    failed = campaigns['failed']
    refused(invoke('release', failed.pk, tmp_path / 'new', *AUTHOR), f'CAMPAIGN: {failed.pk} has no labels')
    assert count_nodes() == before
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_without_an_ensemble(invoke, copy_of_campaign, tmp_path):
    node = copy_of_campaign(ensemble=False, state='killed')
    refused(invoke('release', node.pk, tmp_path / 'new', *AUTHOR), f'CAMPAIGN: {node.pk} has no ensemble')


def test_a_node_that_is_not_a_campaign(invoke, campaigns, tmp_path):
    shard = campaigns['main'].outputs.shards['shard_000']
    refused(invoke('release', shard.pk, tmp_path / 'new', *AUTHOR), 'is a DatasetData, not an ActiveLearningWorkChain')


def test_a_missing_parent_folder(invoke, campaigns, tmp_path):
    refused(invoke('release', campaigns['main'].pk, tmp_path / 'no' / 'new', *AUTHOR), 'DIR: there is no folder')


def test_nothing_is_left_when_the_disk_is_full(invoke, campaigns, tmp_path, monkeypatch):
    def fail(path, *_):
        path.write_bytes(b'half of it')
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(module, 'write_archive', fail)
    refused(
        invoke('release', campaigns['main'].pk, tmp_path / 'new', *AUTHOR),
        'cannot be written (No space left on device)',
    )
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_accepted(invoke, campaigns, tmp_path):
    result = invoke(
        'release', campaigns['again'].pk, tmp_path, *AUTHOR, '--title', 'Of 12 cells', '--license', 'cc0-1.0'
    )
    assert result.exit_code == 0, result.output
    card = (tmp_path / 'README.md').read_text()
    assert card.startswith('---\nlicense: cc0-1.0\n')
    assert '\n---\n\n# Of 12 cells\n\nMarie Curie\n' in card
    assert '[CC0-1.0](https://spdx.org/licenses/CC0-1.0.html)' in card
    assert (tmp_path / 'campaign.aiida').is_file()


def test_a_campaign_that_still_runs_is_released_without_its_work_chains(invoke, copy_of_campaign, campaigns, tmp_path):
    node = copy_of_campaign(ensemble=True, state='waiting')
    result = invoke('release', node.pk, tmp_path / 'new', *AUTHOR)
    assert result.exit_code == 0, (result.output, result.exception)
    assert f'Campaign {node.pk} has not finished (waiting)' in result.output
    card = (tmp_path / 'new' / 'README.md').read_text()
    assert '**The campaign had not finished when this was written.**' in card
    assert 'but not the work chains' in card
    with ArchiveFormatSqlZip().open(tmp_path / 'new' / 'campaign.aiida', mode='r') as reader:

        def number(cls):
            return reader.querybuilder().append(cls).count()

        n_labels = sum(shard.n_configurations for shard in campaigns['main'].outputs.shards.values())
        assert (number(orm.WorkChainNode), number(LabelData)) == (0, n_labels)
        assert number(orm.CalcJobNode) > 0


def test_a_campaign_that_was_killed_says_so(invoke, copy_of_campaign, tmp_path):
    node = copy_of_campaign(ensemble=True, state='killed')
    node.seal()
    assert invoke('release', node.pk, tmp_path / 'new', *AUTHOR).exit_code == 0
    card = (tmp_path / 'new' / 'README.md').read_text()
    assert 'Its state: killed.' in card
    assert f'aiida-anial status {node.uuid}' in card


def test_a_format_that_cannot_represent_the_ensemble_is_left_out_and_named(invoke, campaigns, tmp_path, monkeypatch):
    def refuse(path, ensemble):
        raise AnialError('celu_alpha: NeuroChem has 0.1 and not 1.')

    monkeypatch.setitem(ENSEMBLE_FORMATS, 'neurochem', EnsembleFormat('', refuse, is_folder=True))
    result = invoke('release', campaigns['main'].pk, tmp_path / 'new', *AUTHOR)
    assert result.exit_code == 0, result.output
    card = (tmp_path / 'new' / 'README.md').read_text()
    assert '| ensemble-neurochem | – | not written: celu_alpha: NeuroChem has 0.1 and not 1. |' in card  # noqa: RUF001
    assert not (tmp_path / 'new' / 'ensemble-neurochem').exists()
    assert (tmp_path / 'new' / 'ensemble.pt').is_file()
