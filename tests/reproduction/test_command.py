"""``aiida-anial reproduce``: table, JSON, exit status and error messages."""

from __future__ import annotations

import json
import re

import pytest
from aiida import orm
from plumpy import KilledError

from aiida_anial.data.nodes import REPRODUCES
from aiida_anial.reproduction import comparison
from aiida_anial.reproduction.reproduce import Codes, reproduce
from aiida_anial.reproduction.steps import StepKind, kind_of, seconds_of, steps_under


def one_sentence(result, *words):
    """Check that a command was refused with one line that contains these words."""
    assert result.exit_code == 1, result.output
    (line,) = result.output.splitlines()
    assert line.startswith('Error: ')
    for word in words:
        assert word in line


def test_the_creator_of_data_runs_again_and_the_table_shows_it(invoke, steps):
    cell = steps['generate_cells'][0].outputs.cell_0003
    result = invoke(cell.uuid)
    assert result.exit_code == 0, result.output
    title = next(line for line in result.stdout.splitlines() if ' again as ' in line)
    assert title.strip().startswith(f'generate_cells<{steps["generate_cells"][0].pk}> again as generate_cells<')
    (row,) = [line for line in result.stdout.splitlines() if 'cell_0003' in line and 'sites.*.position' in line]
    assert re.split(' {2,}', row.strip())[2:6] == ['0', '0', 'Å', 'identical']
    assert result.stdout.splitlines()[-1] == '1 identical.'


def test_the_json_names_both_processes_and_the_new_one_is_stored(invoke, steps):
    original = steps['EvaluateCalculation'][0]
    result = invoke(original.pk, '--json')
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    (step,) = printed['steps']
    assert printed['is_fine'] is True
    assert (step['process'], step['kind'], step['verdict']) == ('EvaluateCalculation', 'evaluation', 'identical')
    assert step['original']['uuid'] == original.uuid
    again = orm.load_node(step['again']['uuid'])
    assert again.base.extras.get(REPRODUCES) == original.uuid
    (energies,) = [record for record in step['records'] if record['quantity'] == 'energies']
    assert energies == {
        'output': 'labels',
        'quantity': 'energies',
        'identical': True,
        'verdict': 'identical',
        'deviation': 0.0,
        'unit': 'eV',
        'tolerance': 0.0,
        'note': '',
    }


def test_a_deviation_is_exit_status_one(invoke, steps, copy_of):
    drawing = steps['draw_schedules'][0]
    schedules = drawing.outputs.result.get_list()
    schedules[0]['t_start_k'] += 0.5
    tampered = copy_of(drawing, outputs={'result': orm.List(schedules)})
    result = invoke(tampered.pk)
    assert result.exit_code == 1
    (row,) = [line for line in result.stdout.splitlines() if 't_start_k' in line]
    assert re.split(' {2,}', row.strip())[2:6] == ['0.5', '0', 'K', 'failed']
    assert json.loads(invoke(tampered.pk, '--json').stdout)['is_fine'] is False


def test_a_campaign_is_reproduced_within_a_budget(invoke, campaigns):
    kinds = (StepKind.FUNCTION, StepKind.EVALUATION)
    first = {}
    for step in steps_under(campaigns['main']):
        if kind_of(step) in kinds:
            first.setdefault(step.process_label, step)
    budget = sum(map(seconds_of, first.values())) + 1e-6
    options = ('--recursive', '--kind', 'function', '--kind', 'evaluation', '--budget', budget)
    result = invoke(campaigns['main'].pk, *options)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1].endswith(' identical.')
    number = int(lines[-1].split()[0])
    (rule,) = [place for place, line in enumerate(lines) if line.startswith('───')]
    assert sum(line.rstrip().endswith(' identical') for line in lines[rule + 1 :]) == number == len(first) > 8
    assert any('left out: it exceeds the budget' in line for line in lines)
    assert any(line.strip().startswith('EvaluateCalculation ') for line in lines)
    assert result.stderr.splitlines()[-1].startswith(f'{number} of {number}: ')


def test_an_interruption_ends_it_and_prints_what_there_is(invoke, campaigns, monkeypatch):
    compare, seen = comparison.compare, []

    def interrupted(original, again):
        seen.append(original)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return compare(original, again)

    monkeypatch.setattr('aiida_anial.reproduction.reproduce.compare', interrupted)
    result = invoke(campaigns['main'].pk, '--recursive', '--kind', 'function')
    assert result.exit_code == 130
    assert re.search(r'^Interrupted after 2 of \d+ steps\.$', result.stderr, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == '2 identical.'


def test_a_repetition_that_a_signal_kills_is_no_result(steps, monkeypatch):
    def killed(*_, **__):
        raise KilledError('by a signal')

    original = steps['derive_seeds'][0]
    monkeypatch.setattr('aiida_anial.reproduction.reproduce.run_get_node', killed)
    with pytest.raises(KeyboardInterrupt):
        reproduce(original, Codes())


def test_every_successful_step_of_a_failed_campaign_is_reproduced(invoke, campaigns):
    result = invoke(campaigns['failed'].pk, '--recursive', '--json')
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert {step['process'] for step in printed['steps']} == {
        'derive_seeds',
        'generate_cells',
        'EvaluateCalculation',
        'collect_evaluated',
    }
    assert {step['verdict'] for step in printed['steps']} == {'identical'}
    assert printed['left_out'] == []


def test_recursive_accepts_a_single_step_too(invoke, steps):
    chain = steps['SampleWorkChain'][0]
    printed = json.loads(invoke(chain.pk, '--recursive', '--json').stdout)
    assert [step['original']['uuid'] for step in printed['steps']] == [chain.uuid]


def test_steps_that_are_not_identical_are_shown_in_full(invoke, campaigns, monkeypatch):
    from aiida_anial.calcfunctions import derive_seeds

    monkeypatch.setattr(derive_seeds, '_PURPOSES', ('schedules', 'cells', 'sampling', 'training'))
    result = invoke(campaigns['failed'].pk, '--recursive', '--kind', 'function')
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == '2 identical, 1 failed.'
    assert sum(line.strip().startswith('schedules') for line in result.stdout.splitlines()) == 1
    assert 'sites.*.position' not in result.stdout


def test_an_unknown_node(invoke):
    one_sentence(invoke('987654321'), "PK: there is no node '987654321'")
    one_sentence(invoke('nonsense'), "PK: there is no node 'nonsense'")


def test_data_without_history(invoke, campaigns):
    seed = campaigns['main'].inputs.seed
    one_sentence(invoke(seed.pk), f'PK: Int<{seed.pk}> was not created by a process')


def test_a_process_of_somebody_else(invoke, worker_code):
    from aiida.workflows.arithmetic.add_multiply import add

    _, node = add.run_get_node(orm.Int(1), orm.Int(2))
    one_sentence(invoke(node.pk), f'PK: add<{node.pk}> is not a step of aiida-anial')


def test_a_work_chain_that_only_calls_others(invoke, campaigns):
    campaign = campaigns['main']
    one_sentence(invoke(campaign.pk), f'ActiveLearningWorkChain<{campaign.pk}>', 'give --recursive')


@pytest.mark.parametrize('option', [('--budget', 5), ('--kind', 'dft')])
def test_options_that_need_recursive(invoke, steps, option):
    one_sentence(invoke(steps['derive_seeds'][0].pk, *option), f'{option[0]}: needs --recursive')


def test_a_budget_of_zero_and_a_kind_without_steps(invoke, campaigns):
    failed = campaigns['failed'].pk
    one_sentence(invoke(failed, '--recursive', '--budget', 0), 'no step of ', 'it exceeds the budget')
    one_sentence(invoke(failed, '--recursive', '--kind', 'dft'), 'no step of ', 'there are none of that kind')


def test_an_original_that_runs_or_failed(invoke, steps, copy_of):
    job = steps['EvaluateCalculation'][0]
    one_sentence(invoke(copy_of(job, sealed=False).pk), 'cannot be reproduced: it has not ended yet')
    failed = copy_of(job, exit_status=410, exit_message='The worker stopped: why.')
    one_sentence(invoke(failed.pk), 'did not succeed (exit status 410: The worker stopped: why)', 'nothing to comp')
    one_sentence(invoke(copy_of(job, process_state='killed', exit_status=None).pk), 'did not succeed (killed)')


@pytest.fixture
def elsewhere(aiida_profile):
    """A code on a computer that is not configured, as after the import of an archive."""
    computer = orm.Computer('elsewhere', 'elsewhere.org', transport_type='core.ssh', scheduler_type='core.slurm')
    code = orm.InstalledCode(label='far', computer=computer.store(), filepath_executable='/far', with_mpi=False)
    yield code.store()
    orm.Computer.collection.get(label='elsewhere').label = f'elsewhere-{code.pk}'


def test_a_computer_that_is_not_configured_is_named_with_the_remedy_and_nothing_runs(
    invoke, steps, copy_of, elsewhere, worker_code, count_nodes
):
    imported = copy_of(steps['EvaluateCalculation'][0], inputs={'code': elsewhere})
    before = count_nodes()
    one_sentence(invoke(imported.pk), 'far@elsewhere', 'computer: elsewhere is not configured', '--worker-code')
    assert count_nodes() == before

    result = invoke(imported.pk, '--worker-code', worker_code.full_label, '--json')
    assert result.exit_code == 0, result.output
    (step,) = json.loads(result.stdout)['steps']
    assert step['verdict'] == 'identical'
    assert orm.load_node(step['again']['pk']).inputs.code.uuid == worker_code.uuid


def test_a_missing_executable(invoke, steps, copy_of, computer):
    gone = orm.InstalledCode(label='gone', computer=computer, filepath_executable='/no/such/file', with_mpi=False)
    job = copy_of(steps['EvaluateCalculation'][0], inputs={'code': gone.store()})
    one_sentence(invoke(job.pk), 'gone@localhost', '/no/such/file', '--worker-code')


def test_a_code_that_is_missing_or_runs_something_else(invoke, steps, pw_code):
    job = steps['EvaluateCalculation'][0]
    one_sentence(invoke(job.pk, '--worker-code', 'nowhere'), "--worker-code: there is no code 'nowhere'")
    one_sentence(invoke(job.pk, '--worker-code', pw_code.pk), '--worker-code', "runs 'quantumespresso.pw'")
