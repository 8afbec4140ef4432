"""The table of ``python -m dev.backbones`` is complete, is that of the page, and holds."""

from pathlib import Path

import pytest

from dev.backbones.__main__ import main, registered
from dev.backbones.entries import BACKBONES, NECKS
from dev.backbones.page import verdict, with_tables

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


def test_some_do_what_the_table_says(tmp_path, capsys):
    page = tmp_path / 'page.md'
    page.write_text(PAGE.read_text(encoding='utf-8').replace('| ResNet |', '| Old |'))
    assert main(['ResNet', 'BFP', 'YOLOV3Neck', '--out', str(page)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ['ResNet', 'BFP', 'YOLOV3Neck', '3']
    assert lines[0].endswith('works') and lines[2].endswith('is refused, as the table says')
    assert page.read_text(encoding='utf-8') == PAGE.read_text(encoding='utf-8')


def test_what_fails_is_said(monkeypatch, capsys):
    lines = BACKBONES['ResNet'].lines
    monkeypatch.setitem(BACKBONES, 'ResNet', BACKBONES['ResNet']._replace(
        lines=dict(lines, neck=dict(in_channels=[1, 2, 3]))))
    monkeypatch.setattr('dev.backbones.__main__.registered', lambda: {'ResNet', 'New'})
    monkeypatch.setattr('dev.backbones.__main__.NECKS', {})
    monkeypatch.setattr('dev.backbones.__main__.BACKBONES', dict(ResNet=BACKBONES['ResNet']))
    assert main([]) == 1
    text = capsys.readouterr().out
    assert 'New' in text and 'has no entry' in text
    assert 'ValueError: model.neck.in_channels=[1, 2, 3]' in text
    with pytest.raises(SystemExit):
        main(['NoSuch'])
