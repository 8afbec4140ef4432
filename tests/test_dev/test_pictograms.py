"""A folder of pictograms from archives as npm packs them."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from glip_mm.datasets.pictogram_world import read_vocabulary
from tests import forked

ROOT = Path(__file__).parents[2]
DOG, HEART = '1f415', '2764-fe0f'


def image(kind: str, colour: str) -> bytes:
    data = io.BytesIO()
    Image.new('RGBA', (128, 64), colour).save(data, format=kind)
    return data.getvalue()


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, 'w:gz') as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f'package/{name}')
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def archives(tmp_path) -> dict[str, Path]:
    rows = [dict(unified=emoji.upper(), category='Objects', subcategory='sky & weather',
                 sort_order=order) for order, emoji in enumerate([HEART, DOG, '1f98a'])]
    words = {'🐕': dict(default=['pet'], tts=['dog']), '❤': dict(default=['love'],
                                                                  tts=['red heart'])}
    png, webp = image('PNG', 'red'), image('WEBP', 'blue')
    return dict(
        flat=archive(tmp_path / 'flat.tgz', {
            'emoji.json': json.dumps(rows).encode(), f'img/64/{DOG}.png': png,
            f'img/64/{HEART}.png': png, 'img/64/1f98a.png': png, 'img/sheets/64.png': b'no image'}),
        round=archive(tmp_path / 'round.tgz', {
            f'assets/{DOG}.webp': webp, 'assets/2764.webp': webp, '../../out.webp': webp}),
        names=archive(tmp_path / 'names.tgz', {'annotations/en/annotations.json': json.dumps(
            dict(annotations=dict(annotations=words))).encode()}))


def run(out: Path, archives: dict[str, Path], *families: str):
    return forked.run(ROOT / 'dev/pictograms/__main__.py', '--out', out, '--names',
                      archives['names'], '--side', 48,
                      *(f'--family={name}={archives[name]}' for name in families))


def test_folder(archives, tmp_path):
    out = tmp_path / 'out'
    done = run(out, archives, 'flat', 'round')
    assert done.returncode == 0, done.stderr
    assert '2 pictograms of flat, round' in done.stdout
    files = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    assert files == {'pictograms.json', *(f'{family}/{emoji}.png' for family in ('flat', 'round')
                                          for emoji in (DOG, '2764'))}
    with Image.open(out / 'round' / '2764.png') as drawing:
        assert drawing.size == (48, 24) and drawing.mode == 'RGBA'
    vocabulary = read_vocabulary(str(out))
    assert [kind.name for kind in vocabulary.kinds] == ['dog', 'red heart']
    assert vocabulary.kinds[0].keywords == ('pet', ) and vocabulary.families == ('flat', 'round')


def test_archives_that_are_none(archives, tmp_path, monkeypatch):
    def said(*families):
        done = run(tmp_path / 'out', archives, *families)
        assert done.returncode == 1 and done.stderr.strip().count('\nerror') <= 1
        return done.stderr

    assert 'no family is an archive of emoji-datasource' in said('round')
    whole = archives['round'].read_bytes()
    archives['cut'] = tmp_path / 'cut.tgz'
    archives['cut'].write_bytes(whole[:len(whole) // 2])
    assert "cut.tgz' cannot be read as a tar archive" in said('flat', 'cut')
    archives['bad'] = archive(tmp_path / 'bad.tgz', {f'assets/{DOG}.png': b'no image'})
    assert f"bad.tgz': package/assets/{DOG}.png: " in said('flat', 'bad')
    archives['odd'] = archive(tmp_path / 'odd.tgz', {'emoji.json': b'[{}]'})
    assert "not as expected (KeyError('unified'))" in said('odd')
    archives['names'] = archives['flat']
    assert 'must be the archive of cldr-annotations-full' in said('flat', 'round')


def test_svg_without_a_renderer(monkeypatch):
    from dev.pictograms.__main__ import rasterise
    from glip_mm.datasets.data_error import DataError
    monkeypatch.setitem(sys.modules, 'resvg_py', None)
    with pytest.raises(DataError, match='pip install resvg-py, or leave the family out'):
        rasterise(b'<svg/>', 'svg', 48)


def test_a_missing_archive_is_named(archives, tmp_path):
    archives['gone'] = tmp_path / 'gone.tgz'
    done = run(tmp_path / 'out', archives, 'flat', 'gone')
    assert done.returncode == 2 and "gone.tgz' is not a file: make it with npm pack" in done.stderr
