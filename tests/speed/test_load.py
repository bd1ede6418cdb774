"""What the load run makes of times and samples, and the stand-in that answers instead of ``pw.x``."""

from __future__ import annotations

import subprocess
import time

import load
import load_series
import load_tasks
import numpy as np
import pytest
from load_watch import Sample

ANSWER = {'aiida.out': b"it's 5 o'clock\n\xff", 'data-file-schema.xml': b'<espresso/>'}


def made_up_block(kind, *, n_labels=4, first=0.0, engine_s=8.0):
    """Return a block whose two slots stand empty for 0.1 and 0.3 s."""
    lives = [(first, first + 1.0), (first, first + 2.0), (first + 1.1, first + 3.0), (first + 2.3, first + 4.0)]
    found = {'lives': lives[:n_labels], 'wall_s': 4.0, 'script_cpu_s': 2.0, 'processes': 10, 'collecting_s': 0.4}
    samples = [Sample(first + number, 2, number, 5, (100.0 + number, 90.0), (30, 31 + number)) for number in range(5)]
    return load_series.Block(kind, n_labels, found, engine_s, samples)


def answers(program, folder):
    """Run the program in a folder and return the files that AiiDA would retrieve from there."""
    printed = subprocess.run([program, '-in', 'aiida.in'], cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    return {'aiida.out': printed, 'data-file-schema.xml': (folder / 'out/aiida.save/data-file-schema.xml').read_bytes()}


def test_children_alive_at_once_are_counted():
    assert load_series.most_alive([(0, 2), (1, 3), (1.5, 1.6), (5, 6)]) == 3


def test_a_child_that_begins_as_another_ends_is_not_beside_it():
    assert load_series.most_alive([(0, 1), (1, 2), (2, 3)]) == 1


def test_no_children_were_never_alive():
    assert load_series.most_alive([]) == 0


def test_a_slot_is_idle_between_an_end_and_the_next_start():
    assert load_series.idle_times([(0, 1), (0, 2), (1.25, 3), (2.5, 4)]) == pytest.approx([0.25, 0.5])


def test_the_slot_that_is_empty_for_longest_is_taken_first():
    assert load_series.idle_times([(0, 1), (0, 2), (4, 5), (4.5, 5)]) == pytest.approx([3.0, 2.5])


def test_slots_that_open_and_slots_that_close_are_not_idle():
    assert load_series.idle_times([(0, 5), (1, 5), (2, 6)]) == []
    assert load_series.idle_times([(0, 1), (0, 9), (0, 9), (1, 9)]) == [0]


def test_slots_that_never_wait_are_found_in_a_full_run():
    generator = np.random.default_rng(1)
    ends, lives, delays = [0.0] * 5, [], []
    for number in range(200):
        slot = int(np.argmin(ends))
        delay = float(generator.uniform(0, 0.4)) if number >= 5 else 0.0
        start = ends[slot] + delay
        ends[slot] = start + float(generator.uniform(2, 4))
        lives.append((start, ends[slot]))
        delays.append(delay)
    assert load_series.most_alive(lives) <= 5
    assert sum(load_series.idle_times(lives)) == pytest.approx(sum(delays))


def test_growth_is_found_beneath_noise_and_behind_the_warm_up():
    labels = np.arange(0, 2000, 10.0)
    noise = np.random.default_rng(3).normal(0, 1, len(labels))
    memory = 150 + 80 * (1 - np.exp(-labels / 50)) + 0.004 * labels + noise
    found = load_series.growth(list(zip(labels, memory, strict=True)))
    assert found['mib_per_1000'] == pytest.approx(4.0, abs=4 * found['error'])
    assert 0 < found['error'] < 0.5
    assert found['labels'] == pytest.approx(1490, abs=20)


def test_memory_that_stays_does_not_grow():
    found = load_series.growth([(float(at), 200.0 if at > 100 else 120.0) for at in range(0, 1000, 10)])
    assert found['mib_per_1000'] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize('samples', [[], [(1.0, 5.0)] * 50, [(float(at), 1.0) for at in range(6)]])
def test_too_few_samples_say_nothing_of_growth(samples):
    assert load_series.growth(samples) is None


def test_thinned_samples_end_with_the_last():
    thin = load_series._thinned(list(range(1000)))
    assert len(thin) <= 60
    assert thin[-1] == 999
    assert load_series._thinned([1, 2]) == [1, 2]


def test_the_stand_in_answers_as_the_real_run(tmp_path):
    folder = tmp_path / "it's here"
    program = load_tasks.write_stand_in(folder, ANSWER)
    work = tmp_path / 'work'
    work.mkdir()
    assert answers(program, work) == ANSWER
    assert 'Stands in for pw.x' in program.read_text()


def test_a_paced_stand_in_answers_later(tmp_path):
    folder, work = tmp_path / 'stand-in', tmp_path / 'work'
    work.mkdir()
    program = load_tasks.write_stand_in(folder, ANSWER, pause_s=1)
    start = time.monotonic()
    assert answers(program, work) == ANSWER
    assert time.monotonic() - start >= 1
    assert program != load_tasks.write_stand_in(folder, ANSWER)


def test_a_stand_in_that_lost_its_answer_fails(tmp_path):
    program = load_tasks.write_stand_in(tmp_path, ANSWER)
    (tmp_path / 'data-file-schema.xml').unlink()
    with pytest.raises(Exception, match='non-zero exit status'):
        answers(program, tmp_path)


@pytest.mark.parametrize(('labels', 'cells'), [(2000, 400), (2000, 2000), (30, 400), (401, 400)])
def test_blocks_take_turns_and_make_all_labels(labels, cells):
    blocks = load_series.blocks(labels, cells)
    assert sum(size for kind, size in blocks if kind == load_series.CHAIN) == labels
    assert all(size <= cells for _, size in blocks)
    assert {kind for kind, _ in blocks[::2]} == {load_series.BARE}
    assert {kind for kind, _ in blocks[1::2]} == {load_series.CHAIN}


def test_a_series_says_what_its_blocks_say():
    done = [
        made_up_block(load_series.BARE, engine_s=7.0),
        made_up_block(load_series.CHAIN, first=10.0),
        made_up_block(load_series.BARE, first=20.0, engine_s=9.0),
    ]
    found = load_series.summary(done)
    ours, bare = found['chain'], found['bare']
    assert (ours['n_labels'], bare['n_labels']) == (4, 8)
    assert (ours['engine_s_per_label'], bare['engine_s_per_label']) == (2.0, 2.0)
    assert found['engine_ratio'] == 1.0
    assert ours['most_alive'] == 2
    assert ours['slot_idle_max_s'] == pytest.approx(0.3)
    assert ours['processes_per_hour'] == pytest.approx(9000)
    assert [sample['labels'] for sample in found['samples']] == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12]
    assert found['rss_mib_most'] == [104.0, 90.0]
    assert (found['files_most'], found['connections_most']) == (35, 5)


def test_the_file_says_whether_there_were_too_many_children():
    series = {'2': load_series.summary([made_up_block(load_series.CHAIN), made_up_block(load_series.BARE)])}
    assert load.content(series, {'max_concurrent': 2})['never_above_max_concurrent']
    found = load.content(series, {'max_concurrent': 1})
    assert not found['never_above_max_concurrent']
    assert (found['most_alive'], found['wall_s_per_label'], found['n_labels']) == (2, 1.0, 4)
