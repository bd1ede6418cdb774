"""The audit finds every kind of fault, and never reports an unchecked item as passed."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]


@pytest.fixture
def audit(monkeypatch, tmp_path):
    """The script, with pins and programs provided by the test."""
    spec = importlib.util.spec_from_file_location('audit', ROOT / 'scripts' / 'audit.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'audit', module)
    spec.loader.exec_module(module)
    (tmp_path / 'constraints.txt').write_text('# a comment\nPackage_A==1.0\nb==2.1.post1\n')
    monkeypatch.setattr(module, 'CONSTRAINTS', tmp_path / 'constraints.txt')
    monkeypatch.setattr(module, 'found', lambda program: str(path) if (path := tmp_path / program).exists() else None)
    for name in ('bandit_faults', 'installed_faults', 'fitting_faults'):
        monkeypatch.setattr(module, f'real_{name}', getattr(module, name), raising=False)
        monkeypatch.setattr(module, name, lambda *_: ())
    return module


@pytest.fixture
def program(tmp_path):
    """Return a function that creates a program which prints a text and exits."""

    def make(name, *, stdout='', stderr='', status=0):
        path = tmp_path / name
        body = f'sys.stdout.write({stdout!r})\nsys.stderr.write({stderr!r})\nsys.exit({status})\n'
        path.write_text(f'#!{sys.executable}\nimport sys\n{body}')
        path.chmod(0o755)

    return make


class Installed(Distribution):
    """An installed package without files."""

    def __init__(self, name, version, url=None):
        self._texts = {'METADATA': f'Name: {name}\nVersion: {version}\n'}
        if url is not None:
            self._texts['direct_url.json'] = json.dumps({'url': url})

    def read_text(self, filename):
        return self._texts.get(filename)

    def locate_file(self, path):
        return Path(path)


def answer(*, vulns=(), skipped=False):
    b = {'name': 'b', 'skip_reason': 'not found'} if skipped else {'name': 'b', 'version': '2.1.post1', 'vulns': []}
    return json.dumps({'dependencies': [{'name': 'package-a', 'version': '1.0', 'vulns': list(vulns)}, b], 'fixes': []})


VULNERABLE = {'id': 'PYSEC-1', 'fix_versions': ['1.1'], 'aliases': [], 'description': 'x'}


def test_our_own_pins_are_exact():
    spec = importlib.util.spec_from_file_location('audit', ROOT / 'scripts' / 'audit.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert list(module.pin_faults(module.CONSTRAINTS.read_text())) == []
    assert len(module.pins()) > 100


@pytest.mark.parametrize(
    ('line', 'fault'),
    [
        ('a>=1.0', 'is not NAME==VERSION'),
        ('a==1.*', 'is not NAME==VERSION'),
        ('a', 'is not NAME==VERSION'),
        ('a @ file:///tmp/a.whl', 'is not NAME==VERSION'),
        ('-e .', 'is not NAME==VERSION'),
        ('a==1.0; python_version < "3.12"', 'is not NAME==VERSION'),
        ('a==1.0+cpu', 'is a build of one machine or index'),
        ('a==one', 'is not a version'),
        ('package-a==1.1', 'is listed twice'),
    ],
)
def test_a_pin_that_is_not_exact_is_named(audit, line, fault):
    assert list(audit.pin_faults(f'Package_A==1.0\n{line}\n')) == [f'{line}: {fault}']


def test_installed_versions_that_differ_from_the_pins_are_named(audit):
    installed = [
        Installed('package.A', '1.0+cpu'),
        Installed('b', '2.1'),
        Installed('c', '3.0'),
        Installed('pip', '99'),
        Installed('aiida-anial', '0.1', 'file:///here'),
    ]
    pinned = {'package-a': Version('1.0'), 'b': Version('2.1.post1'), 'c': Version('3.0')}
    assert list(audit.real_installed_faults(pinned, installed)) == ['b 2.1: is installed, but 2.1.post1 is pinned']
    del pinned['c']
    assert list(audit.real_installed_faults(pinned, installed))[1:] == ['c 3.0: is installed but not pinned']
    from_elsewhere = [Installed('b', '2.1.post1', 'https://example.org/b.whl')]
    (fault,) = audit.real_installed_faults(pinned, from_elsewhere)
    assert fault == 'b 2.1.post1: was installed from https://example.org/b.whl, not from an index'


def test_missing_bandit_is_a_fault(audit):
    assert list(audit.real_bandit_faults()) == ['bandit is not installed; run `make venv`']


def test_findings_of_bandit_are_faults(audit, program):
    program('bandit', stdout='x.py:1: B102 exec\n', status=1)
    assert list(audit.real_bandit_faults()) == ['x.py:1: B102 exec']


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (None, 'pip-audit is not installed'),
        ({'stderr': 'cannot reach\nthe service', 'status': 1}, 'exit status 1: cannot reach the service'),
        ({'stdout': answer(skipped=True)}, 'pip-audit has no answer about 1 of 2 packages'),
        ({'stdout': '{"dependencies": []}'}, 'pip-audit has no answer about 2 of 2 packages'),
    ],
)
def test_an_unavailable_advisory_service_is_reported_and_is_not_a_pass(audit, program, capsys, options, reason):
    if options is not None:
        program('pip-audit', **options)
    assert audit.main() == 0
    output = capsys.readouterr().out
    assert 'NOT CHECKED: known vulnerabilities of the versions' in output
    assert reason in output
    assert 'passed: no version has a known vulnerability' not in output
    assert output.endswith('audit: passed, except for what was not checked\n')


def test_no_known_vulnerability_passes(audit, program, capsys):
    program('pip-audit', stdout=answer())
    assert audit.main() == 0
    output = capsys.readouterr().out
    assert 'audit: passed: no version has a known vulnerability' in output
    assert 'NOT CHECKED: known' not in output


@pytest.mark.parametrize('skipped', [False, True])
def test_a_known_vulnerability_fails(audit, program, capsys, skipped):
    program('pip-audit', stdout=answer(vulns=[VULNERABLE], skipped=skipped), status=1)
    assert audit.main() == 1
    output = capsys.readouterr().out
    assert '  package-a 1.0: PYSEC-1, fixed in 1.1\n' in output
    assert ('1 more packages were not checked' in output) is skipped


def test_a_fault_of_any_check_fails(audit, capsys):
    audit.fitting_faults = lambda: ['a has requirement b<1']
    assert audit.main() == 1
    assert 'FAILED: the installed packages are compatible\n  a has requirement b<1\n' in capsys.readouterr().out
