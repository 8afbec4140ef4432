import gzip
import io
import json
import tarfile

import pytest
from PIL import Image

from glip_mm.datasets.formats.shards import samples
from glip_mm.datasets.storage.tar_members import BrokenTar, tar_members
from glip_mm.pseudo_labels.captioned_images import find_shards
from glip_mm.pseudo_labels.label_rows import LabelRows

CONTENTS = {f'{i}.txt': bytes([65 + i]) * 700 for i in range(3)}  # each: header, two blocks


@pytest.fixture
def shard(tmp_path):
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        for name, content in CONTENTS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return tmp_path / 'a.tar'


def read(path, **options):
    """What can be read of it, and why there is no more."""
    found = {}
    try:
        for member, content in tar_members(path, **options):
            found[member.name] = content
    except BrokenTar as error:
        return found, str(error)
    return found, ''


def test_a_whole_one(shard):
    assert read(shard, read=True) == (CONTENTS, '')
    assert read(shard)[0].keys() == CONTENTS.keys()


@pytest.mark.parametrize('end, files, why', [
    (0, 0, 'is empty'), (100, 0, 'no tar archive'), (512, 0, "within '0.txt'"),
    (512 + 699, 0, "within '0.txt'"), (512 + 700, 1, ''), (1536, 1, 'end mark is missing'),
    (1536 + 100, 1, 'cut off or damaged at byte 1536'), (1536 + 512, 1, "within '1.txt'"),
    (3 * 1536 - 400, 2, "within '2.txt'"), (3 * 1536, 3, 'end mark is missing')])
@pytest.mark.parametrize('content', [False, True])
def test_cut_off_anywhere(shard, end, files, why, content):
    shard.write_bytes(shard.read_bytes()[:end])
    found, error = read(shard, read=content)
    assert list(found) == list(CONTENTS)[:files]
    assert why in error and error
    if content:
        assert list(found.values()) == list(CONTENTS.values())[:files]


def test_damaged_in_the_middle(shard):
    whole = shard.read_bytes()
    shard.write_bytes(whole[:1536] + b'?' * 512 + whole[2048:])
    found, why = read(shard)
    assert list(found) == ['0.txt'] and 'damaged at byte 1536' in why


def test_more_behind_the_end(shard):
    whole = shard.read_bytes()
    shard.write_bytes(whole * 2)
    assert 'more data behind' in read(shard)[1]
    shard.write_bytes(bytes(3 << 20))  # a download that reserved its space
    assert 'nothing but zeros' in read(shard)[1]


def test_compressed(shard):
    whole = gzip.compress(shard.read_bytes())
    shard.write_bytes(whole)
    assert read(shard, read=True) == (CONTENTS, '')
    assert 'compressed' in read(shard)[1]  # nothing in it can be read in place
    shard.write_bytes(whole[:-20])
    found, why = read(shard, read=True)
    assert why and len(found) <= 3
    shard.write_bytes(b'<html>404</html>' * 100)
    assert read(shard, read=True) == ({}, 'no tar archive')


def test_what_the_system_refuses_is_no_fault_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(tar_members(tmp_path / 'none.tar'))


@pytest.mark.parametrize('kind, word', [(tarfile.SYMTYPE, 'symbolic'), (tarfile.LNKTYPE, 'hard')])
def test_links_and_names_that_come_again_are_said(tmp_path, logged, kind, word):
    picture = io.BytesIO()
    Image.new('RGB', (8, 8)).save(picture, format='JPEG')
    row = dict(filename='b.jpg', height=8, width=8, detection=dict(instances=[]))
    files = [('a.jpg', picture.getvalue()), ('a.txt', b'a cat'), ('b.jpg', None),
             ('b.json', json.dumps(row).encode()), ('a.txt', b'a dog')]
    with tarfile.open(tmp_path / 's.tar', 'w') as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = kind, 'a.jpg'
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b''))
    shard, = find_shards(tmp_path / 's.tar', tmp_path / 'run')
    assert [(s.name, s.caption, s.fault) for s in shard] == [
        ('a.jpg', 'a cat', ''), ('b.jpg', None, 'link instead of a file')]
    link, again = logged
    assert f"1 links are left out; the first: 'b.jpg' is a {word} link to 'a.jpg'" in link
    assert "1 files of a name that came before are left out; the first: 'a.txt'" in again
    assert [name for name, _, _ in samples(tmp_path / 's.tar')] == ['a.jpg']
    with pytest.raises(ValueError, match=f"holds no row: in '.*', 'b.jpg' is a {word} link"):
        LabelRows(tmp_path / 's.tar')
    with pytest.raises(ValueError, match=f'{word} link'):  # also with the index of before
        LabelRows(tmp_path / 's.tar')
