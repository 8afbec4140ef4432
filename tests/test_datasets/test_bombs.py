"""Small files that stand for gigabytes, or nest without end, are refused with a message."""

import gzip
import io
import json
import tarfile

import pytest

from glip_mm.datasets.converters.text_file import lines_of
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.json_container import iterate_container
from glip_mm.datasets.storage import tar_members as members
from glip_mm.datasets.transforms.short_side_resize import short_side_size
from glip_mm.pseudo_labels.captioned_images import find_shards

DEEP = '[' * 100_000 + ']' * 100_000


@pytest.mark.parametrize('text', ['{"images": [%s]}', '{"images": [{"a": %s}]}', '{"x": %s}'])
def test_json_without_end(tmp_path, text):
    (tmp_path / 'a.json').write_text(text % DEEP)
    with pytest.raises(DataError, match="a.json' is nested too deeply near"):
        list(iterate_container(tmp_path / 'a.json', ['images'], progress=False))


def test_rows_without_end(tmp_path):
    (tmp_path / 'a.jsonl').write_text(json.dumps(dict(image='a.jpg', caption='x')) + f'\n{DEEP}\n')
    (tmp_path / 'a.jpg').write_bytes(b'x')
    faults = [s.fault for shard in find_shards(tmp_path / 'a.jsonl', tmp_path / 'run')
              for s in shard]
    assert faults == ['', 'not JSON']


def test_lines_of_compressed_files(tmp_path, monkeypatch):
    monkeypatch.setenv('GLIP_MM_MAX_LINE_BYTES', str(1 << 16))
    with gzip.open(tmp_path / 'a.csv.gz', 'wb') as file:
        file.write(b'a,b\n' + b'x' * (1 << 17))
    found = lines_of(tmp_path / 'a.csv.gz')
    assert next(found) == b'a,b\n'
    with pytest.raises(DataError, match='more bytes than 65,536 .GLIP_MM_MAX_LINE_BYTES'):
        next(found)


def test_members_that_are_mostly_holes(tmp_path, monkeypatch):
    monkeypatch.setenv('GLIP_MM_MAX_TAR_MEMBER', str(1 << 16))
    with tarfile.open(tmp_path / 's.tar.gz', 'w:gz') as tar:
        for name, size in (('a.jpg', 1 << 17), ('b.jpg', 1 << 10)):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(bytes(size)))
    sizes = {m.name: len(c) for m, c in members.tar_members(tmp_path / 's.tar.gz', read=True)}
    assert sizes == {'a.jpg': 0, 'b.jpg': 1 << 10}

    sparse = tarfile.TarInfo('hole.jpg')
    sparse.size = 512
    sparse.pax_headers = {'GNU.sparse.major': '0', 'GNU.sparse.minor': '1',
                          'GNU.sparse.map': '0,512', 'GNU.sparse.size': str(1 << 15),
                          'GNU.sparse.name': 'hole.jpg'}
    with tarfile.open(tmp_path / 's.tar', 'w', format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(sparse, io.BytesIO(bytes(512)))
    (member, content), = members.tar_members(tmp_path / 's.tar', read=True)
    assert member.size == 1 << 15 and content == b''
    monkeypatch.setenv('GLIP_MM_MAX_EXPANSION', '100')
    (_, content), = members.tar_members(tmp_path / 's.tar', read=True)
    assert len(content) == 1 << 15


def test_images_that_are_lines():
    assert short_side_size((1, 100_000), 800, 1333) == (1, 1333)
    assert short_side_size((100_000, 1), 800, 1333) == (1333, 1)
