"""A page at any moment of a campaign, and files that are not replaced."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_campaign_that_has_just_begun_has_a_page(copy_of_campaign, invoke, tmp_path, data_of):
    node = copy_of_campaign(ensemble=False, state='running')
    path = tmp_path / 'page.html'
    result = invoke('report', node.pk, path)
    assert result.exit_code == 0, result.output
    assert 'The campaign is running' in path.read_text()
    assert 'accuracy' not in data_of(path)['charts']


def test_the_page_of_a_campaign_without_labels_says_why(campaigns, invoke, tmp_path, data_of):
    path = tmp_path / 'page.html'
    assert invoke('report', campaigns['failed'].pk, path).exit_code == 0
    text = path.read_text()
    assert 'The campaign ended, finished with exit status' in text
    assert 'cells have no label' in text
    assert 'labels' not in data_of(path)['charts']


def test_a_page_is_named_after_its_campaign_and_replaced(campaigns, invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        result = invoke('report', campaigns['again'].pk)
        assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == [f'campaign-{campaigns["again"].pk}.html']
    assert 'The campaign has converged' in Path(f'campaign-{campaigns["again"].pk}.html').read_text()


@pytest.mark.parametrize('content', ['', '<html>mine</html>'])
def test_another_file_is_not_replaced(campaigns, invoke, tmp_path, content):
    path = tmp_path / 'mine.html'
    path.write_text(content)
    result = invoke('report', campaigns['main'].pk, path)
    assert result.exit_code == 1
    assert result.output == f'Error: OUT: {path} exists and is no page of a campaign; choose another name.\n'
    assert path.read_text() == content


def test_a_folder_that_does_not_exist_is_named(campaigns, invoke, tmp_path):
    result = invoke('report', campaigns['main'].pk, tmp_path / 'none' / 'page.html')
    assert result.exit_code == 1
    assert 'none' in result.output
    assert len(result.output.splitlines()) == 1
