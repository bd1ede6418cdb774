"""A job reads its inputs, stops before its time limit, and writes its output."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

from aiida_anial.common.errors import FileFormatError, SettingsError
from aiida_anial.worker.job import Job, JobInputs, Status


class Inputs(JobInputs):
    """The keys of a command made up for these tests."""

    seed: int


@pytest.mark.parametrize(
    ('content', 'error', 'message'),
    [
        (None, FileFormatError, 'cannot be read'),
        ('{"seed": 1', FileFormatError, 'not JSON'),
        ('[1]', FileFormatError, 'not a JSON object'),
        ('{"max_wallclock_seconds": 0}', SettingsError, 'max_wallclock_seconds'),
        ('{"max_wallclock_seconds": "60"}', SettingsError, 'max_wallclock_seconds'),
    ],
)
def test_unreadable_input_is_named(tmp_path, content, error, message):
    if content is not None:
        (tmp_path / 'input.json').write_text(content)
    with pytest.raises(error, match=rf'input\.json.*{message}'):
        Job.read(tmp_path)


def test_parse(tmp_path):
    assert Job(tmp_path, {'seed': 3, 'max_wallclock_seconds': None}).parse(Inputs).seed == 3
    with pytest.raises(SettingsError, match="unknown key 'sede'; did you mean 'seed'"):
        Job(tmp_path, {'seed': 3, 'sede': 3}).parse(Inputs)
    with pytest.raises(SettingsError, match=r'input\.json\.seed: this key is required'):
        Job(tmp_path, {}).parse(Inputs)


@pytest.mark.parametrize(('limit', 'end'), [(1000, 950), (200, 190), (100, 90), (30, 20), (10, 5), (1, 0.5)])
def test_stops_a_margin_before_the_limit(tmp_path, limit, end):
    """The margin is 5 % of the limit, at least 10 s, but at most half of the limit."""
    now = [100.0]
    job = Job(tmp_path, {}, max_wallclock_seconds=limit, started=100.0, clock=lambda: now[0])
    now[0] = 100 + end - 0.01
    assert not job.interrupted()
    now[0] = 100 + end
    assert job.interrupted()


def test_no_limit(tmp_path):
    assert not Job(tmp_path, {}, clock=lambda: 1e12).interrupted()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_asks_for_a_stop(tmp_path, number):
    job, before = Job(tmp_path, {}), signal.getsignal(number)
    with job.catch_signals():
        assert not job.interrupted()
        os.kill(os.getpid(), number)
        assert job.interrupted()
    assert signal.getsignal(number) is before


def test_output_is_plain_json(tmp_path):
    summary = {
        'n': np.int64(3),
        'nan': float('nan'),
        'list': [np.float32(0.5), np.inf],
        'array': np.eye(2),
        'yes': True,
    }
    Job(tmp_path, {}).finish(Status.FINISHED, message='done.', summary=summary)
    expected = {'n': 3, 'nan': None, 'list': [0.5, None], 'array': [[1.0, 0.0], [0.0, 1.0]], 'yes': True}
    output = json.loads((tmp_path / 'output.json').read_text())
    assert output.pop('machine')['versions']['numpy'] == np.__version__
    assert output == {'status': 'finished', 'message': 'done.', 'summary': expected}
    assert [path.name for path in tmp_path.iterdir()] == ['output.json']
