"""Limits have switches, which messages name and a page lists."""

import re
from pathlib import Path

import pytest

from glip_mm import limits
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.datasets.json_container import iterate_array
from glip_mm.datasets.odvg_rules import check_row
from glip_mm.text.safe_json import load_json

ROOT = Path(__file__).parents[2]
LIMITS = [value for value in vars(limits).values() if isinstance(value, limits.Limit)]


def test_the_page_lists_every_limit():
    page = (ROOT / 'docs/data_preparation.md').read_text(encoding='utf-8')
    rows = dict(re.findall(r'^\| `(GLIP_MM_MAX_\w+)` \|[^|]*\| ([\d,]+)', page, re.M))
    assert rows.pop('GLIP_MM_MAX_PIXELS') == '178,956,970'  # of glip_mm.image_decoding
    assert rows == {limit.variable: f'{limit.default:,}' for limit in LIMITS}


def test_a_variable_sets_a_limit(monkeypatch):
    monkeypatch.setenv('GLIP_MM_MAX_CAPTION', '12')
    assert str(limits.CAPTION) == '12 (GLIP_MM_MAX_CAPTION sets another limit)'
    monkeypatch.setenv('GLIP_MM_MAX_CAPTION', '1e9')
    with pytest.raises(ValueError, match="GLIP_MM_MAX_CAPTION='1e9' is no whole number"):
        limits.CAPTION.value  # noqa: B018


def test_captions(monkeypatch):
    row = dict(filename='a.jpg', width=9, height=9, grounding=dict(caption='a red cat', regions=[]))
    assert check_row(row).usable
    monkeypatch.setenv('GLIP_MM_MAX_CAPTION', '8')
    assert 'more than 8 (GLIP_MM_MAX_CAPTION' in str(check_row(row).fatal_problem)


@pytest.mark.parametrize('depth, refused', [(100, False), (101, True), (100_000, True)])
@pytest.mark.parametrize('opening, closing', ['[]', ('{"a":', '}')])
def test_depth(depth, refused, opening, closing, monkeypatch):
    text = opening * depth + ('1' if opening != '[' else '') + closing * depth
    if refused:
        with pytest.raises(ValueError, match='nested more deeply than 100 .GLIP_MM_MAX_DEPTH'):
            load_json(text)
        if depth == 101:
            monkeypatch.setenv('GLIP_MM_MAX_DEPTH', '101')
            assert load_json(text.encode())
    else:
        assert load_json(text) and load_json(text.encode())


@pytest.mark.parametrize('content, message', [
    (b'[1,\n 2', 'line 2 is no JSON'), (b'{"a": ' + b'9' * 5000 + b'}', 'is no JSON'),
    (b'[' * 5000 + b']' * 5000, 'nested more deeply'), (b'\xff\xfe', 'line 1 is no JSON'),
    (b'{"a": "\xe9"}', 'is not in UTF-8')])
def test_files_of_json(tmp_path, content, message):
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(DataError, match=f"a.json' .*{message}|a.json' {message}"):
        read_json(tmp_path / 'a.json')


def test_large_files_of_json(tmp_path, monkeypatch):
    (tmp_path / 'a.json').write_text('[["' + 'x' * 999 + '"]]', encoding='utf-16')
    assert read_json(tmp_path / 'a.json') == [['x' * 999]]
    monkeypatch.setenv('GLIP_MM_MAX_JSON_BYTES', '1000')
    with pytest.raises(DataError, match='bytes, more than 1,000 .GLIP_MM_MAX_JSON_BYTES'):
        read_json(tmp_path / 'a.json')
    monkeypatch.setenv('GLIP_MM_MAX_JSON_ELEMENT', '100')
    with pytest.raises(DataError, match='fewer characters than 100 .GLIP_MM_MAX_JSON_ELEMENT'):
        list(iterate_array(tmp_path / 'a.json', progress=False, window=64))
