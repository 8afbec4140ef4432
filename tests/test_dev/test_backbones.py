"""The table of ``python -m dev.backbones`` is complete, is that of the page, and holds."""

import json
from pathlib import Path

import pytest

from dev.backbones.__main__ import attempts, kept_key, main, registered
from dev.backbones.entries import BACKBONES, ENTRIES, NECKS
from dev.backbones.page import verdict, with_tables
from dev.backbones.trial import timed_attempt
from tests.test_dev.slow_attempt import slow_attempt

PAGE = Path(__file__).parents[2] / 'docs/backbones.md'


def test_every_registered_class_has_an_entry():
    names = registered()
    assert {'ResNet', 'HRFPN', 'EfficientNetLite'} < names <= {*BACKBONES, *NECKS}


def test_the_tables_of_the_page_are_generated():
    page = PAGE.read_text(encoding='utf-8')
    assert with_tables(page) == page
    with pytest.raises(ValueError, match='the page needs'):
        with_tables('# Backbones')


def test_verdicts():
    usual = {'in_channels'}
    assert verdict(BACKBONES['ResNet'], usual) == 'works'
    assert verdict(BACKBONES['HRNet'], usual) == 'with these lines'
    assert verdict(BACKBONES['TridentResNet'], usual) == 'cannot'
    assert verdict(NECKS['PAFPN'], None) == 'works'
    assert verdict(NECKS['BFP'], None) == verdict(NECKS['SSH'], None) == 'with these lines'


def here(names, jobs, limit):
    """Try in this process: another one imports everything anew."""
    for name in names:
        yield name, *timed_attempt(name)


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    monkeypatch.setattr('dev.backbones.__main__.attempts', here)
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'work_dirs/backbones.jsonl'


def test_some_do_what_the_table_says(capsys):
    assert main(['ResNet', 'BFP', 'YOLOV3Neck', 'SimpleFPN']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ['ResNet', 'BFP', 'YOLOV3Neck', 'SimpleFPN', '3']
    assert lines[0].endswith('works') and lines[2].endswith('is refused, as the table says')
    assert "not tried: No module named 'projects'" in lines[3]
    assert lines[4] == '3 of 4 do what the table says, 1 not tried'
    assert main(['ResNet', 'BFP']) == 0  # which are remembered
    assert capsys.readouterr().out == '2 of 2 do what the table says\n'


def test_the_page_is_made_when_all_have_passed(tmp_path, kept):
    page = tmp_path / 'page.md'
    old = PAGE.read_text(encoding='utf-8').replace('| ResNet |', '| Old |')
    page.write_text(old)
    kept.parent.mkdir()
    *others, last = ENTRIES
    kept.write_text(''.join(f'{json.dumps(kept_key(name))}\n' for name in others))
    assert main(['--out', str(page), 'PAFPN']) == 0 and page.read_text() == old
    with open(kept, 'a') as file:
        file.write(json.dumps(kept_key(last)) + '\n')
    assert main(['--out', str(page), last]) == 0
    assert page.read_text(encoding='utf-8') == PAGE.read_text(encoding='utf-8')


def test_one_that_takes_too_long_costs_itself_alone(monkeypatch):
    monkeypatch.setattr('dev.backbones.trial.timed_attempt', slow_attempt)
    assert list(attempts(['0', '60', '0.1'], 1, 20.)) == [
        ('0', None, 0.), ('60', 'not done after 20 s', 20.), ('0.1', None, .1)]


def test_what_fails_is_said(monkeypatch, capsys):
    lines = BACKBONES['ResNet'].lines
    changed = BACKBONES['ResNet']._replace(lines=dict(lines, neck=dict(in_channels=[1, 2, 3])))
    monkeypatch.setitem(ENTRIES, 'ResNet', changed)
    monkeypatch.setattr('dev.backbones.__main__.registered', lambda: {'ResNet', 'New'})
    monkeypatch.setattr('dev.backbones.__main__.ENTRIES', {'ResNet': changed})
    assert main([]) == 1
    text = capsys.readouterr().out
    assert 'New' in text and 'has no entry' in text
    assert 'ValueError: model.neck.in_channels=[1, 2, 3]' in text
    with pytest.raises(SystemExit):
        main(['NoSuch'])
