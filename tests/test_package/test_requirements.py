"""The requirement files, the environment checker and the documents say the same."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ('lite.txt', 'runtime.txt', 'optional.txt', 'tests.txt', 'nodeps.txt')


@pytest.fixture(scope='module')
def check_env():
    spec = importlib.util.spec_from_file_location('check_env', ROOT / 'tools/misc/check_env.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def floors():
    found = {}
    for name in FILES:
        for line in (ROOT / 'requirements' / name).read_text().splitlines():
            line = line.split('#')[0].split(';')[0].strip()
            if line:
                package, _, version = line.partition('>=')
                found[package] = version.split(',')[0]
    return found


def test_checker_knows_every_requirement(check_env):
    known = {name: need.floor for need in check_env.NEEDS for name in need.names[:1]}
    for package, floor in floors().items():
        assert known.get(package) == floor, package


def test_every_line_is_a_plain_requirement():
    for file in (ROOT / 'requirements').glob('*.txt'):
        for line in file.read_text().splitlines():
            plain = line.split('#')[0].split(';')[0].strip()
            assert re.fullmatch(r'([a-z0-9-]+(>=[0-9.]+)?(,<[0-9.]+)?)?', plain), line


def test_this_environment_is_complete(check_env, capsys):
    rows, _ = check_env.check()
    verdicts = {row.name: row.verdict for row in rows}
    # the tests may run from a clone that is not installed
    verdicts.pop('glip_mm')
    assert not [name for name, verdict in verdicts.items()
                if verdict.startswith(('missing', 'too old', 'broken'))]


@pytest.mark.parametrize('version, verdict', [
    ('1.9.9', 'too old'), ('2.0', 'ok'), ('2.0.1+cpu', 'ok'), ('3.0rc1', 'newer than tested')])
def test_verdicts(check_env, version, verdict):
    need = check_env.Need(('thing',), '2.0', '3')
    row = check_env.judge(need, [('thing', version)])
    assert row.verdict == verdict
    assert bool(row.mend) == (verdict != 'ok')


def test_missing_and_broken(check_env):
    assert check_env.judge(check_env.Need(('thing',)), []).mend == "pip install 'thing'"
    optional = check_env.Need(('thing',), required=False)
    assert check_env.judge(optional, []).verdict == 'optional'
    broken = check_env.Need(('pytest',), probe='raise ImportError("no libGL")')
    row = check_env.judge(broken, check_env.installed(('pytest',)))
    assert row.verdict == 'broken: ImportError: no libGL'


def test_two_that_share_a_folder_are_broken(check_env):
    need = check_env.Need(('thing', 'other'), mend='pip install thing', alone=True)
    row = check_env.judge(need, [('thing', '1'), ('other', '1')])
    assert row.verdict == 'broken: thing and other write to the same folder'
    assert row.mend == 'pip uninstall -y thing other && pip install thing'


def test_the_way_of_the_operators_is_said(check_env, monkeypatch, capsys):
    monkeypatch.setattr(check_env, 'NEEDS', ())
    monkeypatch.setattr(check_env, 'broken', lambda probe: None)
    assert check_env.main([]) == 0
    assert 'MMCV has compiled' in capsys.readouterr().out
    monkeypatch.setattr(check_env, 'broken', lambda probe: 'gone' if '_ext' in probe else None)
    assert check_env.main([]) == 0
    assert 'MMCV has no compiled' in capsys.readouterr().out


def test_status_follows_what_is_required(check_env, monkeypatch, capsys):
    there = check_env.Need(('pytest',))
    away = check_env.Need(('no-such-package',))
    monkeypatch.setattr(check_env, 'NEEDS', (there,))
    assert check_env.main([]) == 0
    monkeypatch.setattr(check_env, 'NEEDS', (there, away._replace(required=False)))
    assert check_env.main([]) == 0
    monkeypatch.setattr(check_env, 'NEEDS', (there, away))
    assert check_env.main([]) == 1
    assert "pip install 'no-such-package'" in capsys.readouterr().out
