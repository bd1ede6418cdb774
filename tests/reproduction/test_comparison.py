"""Differences are found, measured, and compared with the tolerance of the kind of step."""

from __future__ import annotations

import json

import numpy as np
import pytest
from aiida import orm

from aiida_anial.calcfunctions import derive_seeds
from aiida_anial.data.dataset import DatasetData
from aiida_anial.reproduction.comparison import compare
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.verdicts import Verdict
from aiida_anial.worker.job import machine_record


def changed(records):
    """Return the records that are not identical, by output and quantity."""
    return {(record.output, record.quantity): record for record in records if not record.identical}


def verdict(records):
    return max((record.verdict for record in records), key=lambda one: one.rank)


def shifted(array: orm.ArrayData, name: str, by: float) -> orm.ArrayData:
    """Return a copy of the arrays of a node with one value shifted."""
    node = orm.ArrayData()
    for key in array.get_arraynames():
        values = array.get_array(key).copy()
        if key == name:
            values.flat[1] += by
        node.set_array(key, values)
    return node


def retrieved(job, **machine):
    """Return the retrieved files of a job, from another machine."""
    folder = orm.FolderData()
    for name in job.outputs.retrieved.base.repository.list_object_names():
        content = job.outputs.retrieved.base.repository.get_object_content(name, mode='rb')
        if name == 'output.json':
            output = json.loads(content)
            output['machine'].update(machine)
            content = json.dumps(output).encode()
        folder.base.repository.put_object_from_bytes(content, name)
    return folder


def test_an_original_whose_cell_was_changed_is_found_when_it_runs_again(steps, copy_of):
    drawing = steps['generate_cells'][0]
    cell = drawing.outputs.cell_0001.clone()
    sites = cell.sites
    sites[2].position = [sites[2].position[0], sites[2].position[1], sites[2].position[2] + 0.25]
    cell.base.attributes.set('sites', [site.get_raw() for site in sites])
    result = reproduce(copy_of(drawing, outputs={'cell_0001': cell}), Codes())
    assert result.verdict == Verdict.FAILED
    ((where, record),) = changed(result.records).items()
    assert where == ('cell_0001', 'sites.*.position')
    assert record.deviation == pytest.approx(0.25)
    assert (record.unit, record.tolerance) == ('Å', 0.0)


def test_a_function_whose_result_has_changed_is_found(steps, monkeypatch):
    monkeypatch.setattr(derive_seeds, '_PURPOSES', ('schedules', 'cells', 'sampling', 'training'))
    original = steps['derive_seeds'][0]
    result = reproduce(original, Codes())
    assert result.verdict == Verdict.FAILED
    found = changed(result.records)
    assert set(found) == {('cells', 'value'), ('schedules', 'value')}
    difference = abs(original.outputs.cells.value - original.outputs.schedules.value)
    assert found['cells', 'value'].deviation == difference


def test_a_function_that_raises_now_is_a_failure_and_leaves_the_cache_as_it_was(steps, monkeypatch, caching):
    from aiida.manage.caching import get_use_cache

    monkeypatch.setattr(derive_seeds, 'np', None)
    result = reproduce(steps['derive_seeds'][0], Codes())
    assert (result.verdict, result.again) == (Verdict.FAILED, None)
    assert 'AttributeError' in result.records[0].note
    assert get_use_cache()


def test_the_last_bit_counts_on_the_same_machine_but_not_on_another(steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    labels = job.outputs.labels
    by = float(np.spacing(labels.get_array('energies')[1]))
    here = copy_of(job, outputs={'labels': shifted(labels, 'energies', by)})
    (record,) = changed(compare(job, here)).values()
    assert (record.output, record.quantity, record.verdict) == ('labels', 'energies', Verdict.FAILED)
    assert record.deviation == by
    assert record.unit == 'eV'

    other = retrieved(job, cpu='Imaginary 9000', instructions=['x86_64', 'avx'])
    there = copy_of(job, outputs={'labels': shifted(labels, 'energies', by), 'retrieved': other})
    records = compare(there, job)
    found = changed(records)
    assert found['labels', 'energies'].verdict == Verdict.OTHER_MACHINE
    assert found['labels', 'energies'].deviation == by
    assert 'Imaginary 9000 became ' in found['', 'cpu'].note
    assert ('', 'instructions') in found
    assert verdict(records).is_fine


def test_an_original_that_did_not_record_its_machine_is_from_another_one(steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    old = copy_of(job, outputs={'retrieved': orm.FolderData()})
    found = changed(compare(old, job))
    assert {record.verdict for record in found.values()} == {Verdict.OTHER_MACHINE}
    assert found['', 'cpu'].note.startswith('not recorded became ')


def test_for_functions_the_last_bit_counts_on_every_machine(steps, copy_of):
    collecting = steps['collect_evaluated'][0]
    dataset = collecting.outputs.dataset
    labelled = dataset.labelled
    labelled.energies[0] = np.nextafter(labelled.energies[0], 0)
    found = changed(compare(copy_of(collecting, outputs={'dataset': DatasetData(labelled)}), collecting))
    assert found['dataset', 'dataset.energies'].verdict == Verdict.FAILED
    assert found['dataset', 'content_checksum'].note == 'the content differs'


def test_outputs_that_are_missing_or_new_are_failures(steps, copy_of):
    drawing = steps['generate_cells'][0]
    less = copy_of(drawing, outputs={'cell_0001': None})
    for pair, note in (((drawing, less), 'this output is missing'), ((less, drawing), 'no such output')):
        ((where, record),) = changed(compare(*pair)).items()
        assert where == ('cell_0001', '')
        assert record.verdict == Verdict.FAILED
        assert note in record.note


def test_a_run_that_ends_with_another_status_is_a_failure(steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    (record,) = compare(job, copy_of(job, exit_status=410, exit_message='The worker stopped: so'))
    assert record.verdict == Verdict.FAILED
    assert 'exit status 410: The worker stopped: so' in record.note


def test_tables_are_compared_entry_by_entry(steps, copy_of):
    job = steps['SampleCalculation'][0]
    rows = job.outputs.table.get_dict()['trajectories']
    rows[1]['stop_time_ps'] += 0.001
    rows[0]['stop_reason'] = 'temperature'
    found = changed(compare(copy_of(job, outputs={'table': orm.Dict({'trajectories': rows})}), job))
    time, reason = found['table', 'trajectories.*.stop_time_ps'], found['table', 'trajectories.*.stop_reason']
    assert time.deviation == pytest.approx(0.001)
    assert (time.unit, reason.deviation, reason.note) == ('ps', None, 'the content differs')
    assert len(found) == 2


def test_additional_and_missing_entries_are_found(steps, copy_of):
    job = steps['SampleCalculation'][0]
    rows = job.outputs.table.get_dict()['trajectories'][:-1]
    found = changed(compare(copy_of(job, outputs={'table': orm.Dict({'trajectories': rows})}), job))
    assert {record.verdict for record in found.values()} == {Verdict.FAILED}
    assert 'the number or the layout of its values differs' in found['table', 'trajectories.*.stop_step'].note


def test_a_number_missing_in_one_of_them_is_found(steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    labels = shifted(job.outputs.labels, 'energies', np.nan)
    ((_, record),) = changed(compare(job, copy_of(job, outputs={'labels': labels}))).items()
    assert (record.deviation, record.verdict) == (None, Verdict.FAILED)
    assert 'finite' in record.note


def test_an_empty_output_is_compared_too(steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    assert job.outputs.rejected.get_dict() == {}
    (record,) = [record for record in compare(job, copy_of(job)) if record.output == 'rejected']
    assert (record.quantity, record.verdict) == ('content', Verdict.IDENTICAL)
    other = copy_of(job, outputs={'rejected': orm.Dict({'cell_0001': 'too hot'})})
    assert ('rejected', 'cell_0001') in changed(compare(job, other))


def test_files_are_compared_by_their_bytes(steps, copy_of):
    """Exports are stored as such files."""
    drawing = steps['generate_cells'][0]
    files = []
    for content in (b'one', b'two'):
        folder = orm.FolderData()
        folder.base.repository.put_object_from_bytes(b'same', 'a.txt')
        folder.base.repository.put_object_from_bytes(content, 'deep/b.bin')
        files.append(copy_of(drawing, outputs={'export': folder}))
    records = compare(*files)
    assert set(changed(records)) == {('export', 'deep/b.bin')}
    assert ('export', 'a.txt') in {(record.output, record.quantity) for record in records}


def test_outputs_that_always_differ_are_not_compared(steps):
    first, second = steps['EvaluateCalculation'][:2]
    outputs = {record.output for record in compare(first, second)}
    assert outputs == {'labels', 'rejected'}


def test_jobs_and_their_results_carry_the_machine_but_their_hashes_do_not(steps):
    job = steps['TrainEnsembleCalculation'][0]
    summary = job.outputs.summary
    recorded = json.loads(job.outputs.retrieved.base.repository.get_object_content('output.json'))['machine']
    assert summary.base.extras.get('machine') == recorded
    assert recorded['cpu'] == machine_record()['cpu']
    assert {'python', 'numpy', 'numba', 'torch'} <= set(recorded['versions'])
    twin = orm.Dict(summary.get_dict()).store()
    assert twin.base.caching.get_hash() == summary.base.caching.get_hash()
