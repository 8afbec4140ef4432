import csv
import io
import json
import os
import random
import tarfile

import pytest
from PIL import Image

from glip_mm.pseudo_labels import Shard, captioned_images, find_shards


def jpeg(colour='red') -> bytes:
    data = io.BytesIO()
    Image.new('RGB', (20, 10), colour).save(data, format='JPEG')
    return data.getvalue()


def write_tar(path, entries):
    with tarfile.open(path, 'w') as tar:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def data(tmp_path):
    """Folder of the data, with one image: that is enough to begin."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/0.jpg').write_bytes(jpeg())
    return tmp_path / 'data'


@pytest.fixture
def find(tmp_path):
    """Find the shards of a run."""
    def find(path, *args, out='out', **options):
        return find_shards(path, tmp_path / out, *args, **options)
    return find


def samples(shards):
    """All samples, shard by shard in any order, sorted again."""
    order = list(range(len(shards)))
    random.Random(0).shuffle(order)
    found = {i: list(shards[i]) for i in order}
    return [sample for i in sorted(found) for sample in found[i]]


def test_tar_shards_of_img2dataset(data, find, logged):
    write_tar(data / '00001.tar', [
        ('000010.jpg', jpeg()), ('000010.txt', b'a dog'),
        ('000010.json', b'{"url": "http://x", "caption": "other"}'),
        ('000011.json', b'{"caption": "a cat"}'), ('000011.PNG', jpeg()),
        ('000012.json', b'broken'), ('000012.jpg', jpeg()),
        ('000013.txt', b'no image'), ('000014.jpg', jpeg()), ('000014.txt', b'caf\xe9')])
    write_tar(data / '00000.TAR', [('1.webp', jpeg()), ('1.txt', b'x')])
    (data / '00000.parquet').write_bytes(b'PAR1')
    (data / '00000_stats.json').write_text('{}')
    shards = find(data)
    assert [s.name for s in shards] == ['00000', '00001'] and all(s.is_tar for s in shards)
    assert logged == [f"'{data}': left out 1 images beside .tar files"]
    first, second, third, fourth, fifth = shards[1]
    assert first.name == '000010.jpg' and first.caption == 'a dog' and first.image == jpeg()
    assert first.fields == {'url': 'http://x', 'caption': 'other'}
    assert (second.name, second.caption) == ('000011.png', 'a cat')
    assert third.caption is None and third.fields == {}
    assert fourth.image is None and fourth.caption == 'no image'
    assert fifth.fault == 'broken caption' and "000014.txt: 'utf-8'" in fifth.detail
    assert [s.name for s in find(data / '00000.TAR', out='other')] == ['00000']


@pytest.mark.parametrize('cut, names, why', [
    ('1.jpg', ['0.jpg'], "cut off within '1.jpg'"), ('1.txt', ['0.jpg'], "within '1.txt'"),
    ('2.jpg', ['0.jpg', '1.jpg'], "within '2.jpg'")])
def test_a_shard_that_is_cut_off(cut, names, why, data, find):
    path = data / 'a.tar'
    write_tar(path, [entry for i in range(3) for entry in (
        (f'{i}.jpg', jpeg()), (f'{i}.txt', b'a dog'))])
    with tarfile.open(path) as tar:
        os.truncate(path, tar.getmember(cut).offset_data + 3)
    *found, rest = next(iter(find(path)))
    assert [s.name for s in found] == names and all(s.caption for s in found)
    assert rest.name == 'a.tar' and rest.fault == 'broken shard'
    assert why in rest.detail and rest.detail.endswith(f'after {len(names)} samples')


@pytest.mark.parametrize('content', [b'', b'<html>' * 999])
def test_a_shard_that_is_none(content, data, find):
    (data / 'a.tar').write_bytes(content)
    assert [s.fault for s in find(data / 'a.tar')[0]] == ['broken shard']


def test_a_shard_that_the_system_refuses(data, find):
    (data / 'a.tar').symlink_to('gone')
    with pytest.raises(captioned_images.UnreadableShard, match='No such file'):
        list(find(data)[0])


def write_rows(path, rows, separator=',', quoting=csv.QUOTE_MINIMAL, encoding='utf-8', end='\n'):
    with open(path, 'w', newline='', encoding=encoding) as file:
        if path.suffix == '.jsonl':
            file.writelines(json.dumps(row, ensure_ascii=False) + end for row in rows)
        else:
            writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
            writer.writerow(rows[0])
            writer.writerows(row.values() for row in rows)
    return path


CAPTIONS = ['a thing, "0"', 'two\nlines\r\nand a "third"', 'Zoë\u2028 and 🐶; a|b\tc',
            'x' * 200_000, 'plain', ' blanks ', 'a, b']


@pytest.mark.parametrize('suffix, options', [
    ('jsonl', {}), ('csv', {}), ('tsv', dict(separator='\t')),
    ('csv', dict(separator=';')), ('csv', dict(separator='|')), ('tsv', dict(separator=',')),
    ('CSV', dict(encoding='utf-8-sig')), ('jsonl', dict(encoding='utf-8-sig', end='\r\n')),
    ('csv', dict(quoting=csv.QUOTE_ALL, end='\r\n'))])
def test_rows(data, find, suffix, options):
    rows = [dict(filename=f'{i}.jpg', caption=caption, more=i)
            for i, caption in enumerate(CAPTIONS)]
    path = write_rows(data / f'rows.{suffix}', rows, **options)
    shards = find(path, shard_size=2)
    assert [s.name for s in shards] == ['00000', '00001', '00002', '00003']
    found = samples(shards)
    assert [(s.name, s.caption) for s in found] == [(r['filename'], r['caption']) for r in rows]
    assert found[4].image == data / '4.jpg'
    assert samples(find(path, shard_size=2)) == found  # from the record of the run
    assert found[0].image.is_file() and not found[1].fault


def test_images_of_rows_lie_elsewhere(data, find, tmp_path):
    path = write_rows(tmp_path / 'rows.csv', [dict(Image='0.jpg', TEXT='a dog')])
    assert [s.image for s in samples(find(path, data))] == [data / '0.jpg']


def test_paths_as_windows_writes_them(data, find):
    path = write_rows(data / 'rows.csv', [dict(filename='.\\sub\\0.jpg', caption='a dog')])
    (data / 'sub').mkdir()
    (data / 'sub/0.jpg').write_bytes(jpeg())
    sample, = samples(find(path))
    assert sample.image == data / 'sub/0.jpg' and not sample.fault


def test_files_of_macos_are_no_images(data, find, tmp_path, logged):
    folder = tmp_path / 'mac'
    folder.mkdir()
    for name in ('a.jpg', '._a.jpg'):
        (folder / name).write_bytes(jpeg() if name == 'a.jpg' else b'Mac OS X')
        (folder / name).with_suffix('.txt').write_text('a dog')
    assert [s.name for s in samples(find(folder))] == ['a.jpg']
    write_tar(tmp_path / 'mac.tar', [(name, path.read_bytes()) for path in sorted(folder.iterdir())
                                     for name in [path.name]])
    assert [s.name for s in samples(find(tmp_path / 'mac.tar'))] == ['a.jpg']


def test_rows_that_say_nothing(data, find):
    (data / 'a.jsonl').write_text('{"image": "0.jpg", "text": "a dog"}\nbroken\n[]\n\n'
                                  '{"image": "2.jpg", "caption": 3}\n{"caption": "x", "url": 1}\n')
    good, broken, lists, no_text, no_file = samples(find(data / 'a.jsonl', shard_size=2))
    assert (good.caption, good.image) == ('a dog', data / '0.jpg')
    assert (broken.name, broken.fault) == ('row 2', 'not JSON') and 'line 2: ' in broken.detail
    assert lists.fault == 'not JSON' and 'found a list' in lists.detail
    assert (no_text.fault, no_text.detail) == ('no caption', 'line 5: caption or text has no text')
    assert no_file.fault == 'no image' and no_file.detail.endswith("among 'caption', 'url'")


def test_rows_that_are_ragged(data, find):
    (data / 'a.csv').write_text('filename,caption\n0.jpg,a dog\n1.jpg,a dog, a cat\n\n2.jpg\n'
                                '3.jpg,"a" b\n4.jpg,"a\nb"\n5.jpg,"open\n')
    found = samples(find(data / 'a.csv', shard_size=2))
    assert [s.fault for s in found] == ['', 'ragged row', 'ragged row', 'broken quotes', '',
                                        'broken quotes']
    assert found[1].detail == 'line 3: 3 cells in 2 columns' and found[4].caption == 'a\nb'
    assert found[2].detail.startswith('line 5:') and found[5].name == 'row 6'


@pytest.mark.parametrize('name, content, message', [
    ('a.tsv', 'a very typical bus\thttp://x/1.jpg\n',
     r"found 'a very typical bus', 'http://x/1.jpg'. This looks like a row: add a header as the "
     r"first line, such as 'caption\\tfilename'. Images at addresses.*img2dataset"),
    ('a.csv', '0.jpg,a dog\n', "This looks like a row.*'caption,filename'"),
    ('a.csv', 'img,description\n0.jpg,a dog\n',
     r"a.csv': the header must name a column filename or .* and one caption or text.*found 'img', "
     "'description'$"),
    ('a.csv', 'url,caption\nx,a dog\n', "found 'url', 'caption'. Images at addresses"),
    ('a.csv', b'filename,caption\n0.jpg,caf\xe9\n',
     r"a.csv', line 2 is not UTF-8: b'\\xe9' at byte 9; save the file as UTF-8"),
    ('a.jsonl', b'{"filename": "0.jpg", "caption": "caf\xe9"}\n', "a.jsonl', line 1 is not UTF-8"),
    ('a.csv', 'filename,caption\n0.jpg,a dog\n'.encode('utf-16'), 'line 1 holds a NUL.*UTF-16'),
    ('a.csv', b'filename,caption\n0.jpg,a dog\n1.jpg,a\0b\n', 'line 3 holds a NUL byte'),
    ('a.csv', 'filename,caption\r0.jpg,a dog\r', "a.csv', line 1: new-line"),
    ('a.jsonl', '{"img": "0.jpg", "label": "x"}\n' * 3,
     r"none of 3 samples can be labelled: 3 no image \(the first: line 1: no filename or .* among "
     "'img', 'label'"),
    ('a.jsonl', '{"image": "1.jpg", "text": "x"}\n{}\n',
     r"1 missing image \(the first: '.*/1.jpg'; --images says where.*1 no image"),
    ('a.csv', 'filename,caption\n0.jpg,\n', '1 no caption'),
    ('a.jsonl', '\n\n', 'holds no rows'), ('a.csv', '', 'holds no rows'),
    ('a.csv', 'filename,caption\n', 'holds no rows')])
def test_files_without_a_row_to_label(name, content, message, data, find, tmp_path):
    (data / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=f'(?s){message}'):
        find(data / name)
    assert not (tmp_path / 'out/source.json').exists()  # mended, the same command begins


ODD = ['a b.jpg', 'Zoë 🐶.png', 'new\nline.jpg', 'UP.JPG', 'two.dots.webp', 'sub/deep/x.jpg',
       'sub/a.jpg', 'sub.jpg', '#%&.jpg']


def test_folder(tmp_path, find, logged):
    data = tmp_path / 'data'
    for number, name in enumerate(ODD):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(jpeg())
        (data / name).with_suffix('.txt').write_text(f'\ufeffa dog {number}\n', encoding='utf-8')
    for name, content in {'z.jpg': b'', 'readme.md': b'', 'sub/data.json': b'', 'alone.txt': b'x',
                          'z.TXT': b'caf\xe9', 'y.png': b'', 'w.jpg': b'', 'w.txt': b'\n',
                          'u.png': b'', 'u.txt': 'a dog'.encode('utf-16-le')}.items():
        (data / name).write_bytes(content)
    (tmp_path / 'linked').mkdir()
    (tmp_path / 'linked/l.jpg').write_bytes(jpeg())
    (tmp_path / 'linked/l.txt').write_text('a link')
    (tmp_path / 'linked/up').symlink_to(data)
    (data / 'link').symlink_to(tmp_path / 'linked')
    (data / 'nowhere.jpg').symlink_to(tmp_path / 'none')
    (data / 'itself').symlink_to('itself')
    (data / 'z.jpg.txt').mkdir()
    (data / 'z.txt').mkdir()
    shards = find(data, shard_size=3)
    found = samples(shards)
    captions = {s.name: s.caption for s in found}
    assert len(captions) == len(found) == 15
    assert {name: captions[name] for name in ODD} == {
        name: f'a dog {number}' for number, name in enumerate(ODD)}
    assert captions['link/l.jpg'] == 'a link'
    assert all(s.image == data / s.name for s in found)
    assert {s.name: s.fault for s in found if s.fault} == {
        'nowhere.jpg': 'no caption', 'w.jpg': 'no caption', 'y.png': 'no caption',
        'z.jpg': 'broken caption', 'u.png': 'broken caption'}
    assert logged == [f"'{data}': left out 1 .json files, 1 .md files, 1 captions without an image,"
                      ' 1 links to a folder above, 1 other files']
    assert samples(find(data, shard_size=3)) == found and len(logged) == 1  # said once


def test_a_folder_is_listed_once(tmp_path, find, monkeypatch):
    data = tmp_path / 'data'
    data.mkdir()
    for i in range(10):
        (data / f'{i}.jpg').touch()
        (data / f'{i}.txt').write_text('a dog')
    shards = find(data, shard_size=2)

    def refuse(*_):
        raise AssertionError('listed again')
    monkeypatch.setattr(os, 'scandir', refuse)
    assert [s.name for s in samples(shards)] == [f'{i}.jpg' for i in range(10)]


@pytest.mark.parametrize('suffix', ['jsonl', 'csv'])
def test_a_shard_reads_its_own_rows_alone(data, find, suffix, monkeypatch):
    rows = [dict(filename='0.jpg', caption=f'a "dog"\n {i}') for i in range(1000)]
    shards = find(write_rows(data / f'a.{suffix}', rows), shard_size=100)
    seen = []
    real = captioned_images.CaptionRows._sample
    monkeypatch.setattr(captioned_images.CaptionRows, '_sample',
                        lambda self, where, row: seen.append(where) or real(self, where, row))
    last = list(shards[-1])
    assert [s.caption for s in last] == [f'a "dog"\n {i}' for i in range(900, 1000)]
    assert len(seen) == 100 and seen[0].row == 900
    assert seen[0].line == (901 if suffix == 'jsonl' else 1 + 1 + 2 * 900)
    assert seen[0].offset > 0.85 * (data / f'a.{suffix}').stat().st_size


CHANGES = {
    'appended': lambda p: p.write_text(p.read_text() + '{"filename": "0.jpg", "caption": "x"}\n'),
    'replaced': lambda p: p.write_text(p.read_text().replace('dog', 'cat')),
    'time alone': lambda p: os.utime(p, (1, 1))}


@pytest.mark.parametrize('change', CHANGES)
def test_rows_that_changed_are_refused(change, data, find):
    path = write_rows(data / 'a.jsonl', [dict(filename='0.jpg', caption='a dog')])
    find(path)
    CHANGES[change](path)
    with pytest.raises(ValueError, match=r'(?s)holds labels of other data; go on with the same, or '
                                         r'choose another --out:\n.*time: \d+ before, \d+ now'):
        find(path)


def test_what_else_makes_it_other_data(data, find, tmp_path):
    path = write_rows(data / 'a.jsonl', [dict(filename='0.jpg', caption='a dog')])
    find(path)
    (tmp_path / 'images').mkdir()
    with pytest.raises(ValueError, match="images: '.*/data' before, '.*/images' now"):
        find(path, tmp_path / 'images')
    with pytest.raises(ValueError, match='shard_size: 1000 before, 10 now'):
        find(path, shard_size=10)
    (tmp_path / 'other').mkdir()
    twin = tmp_path / 'other/a.jsonl'
    twin.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="path: '.*/data/a.jsonl' before, '.*/other/a.jsonl' now"):
        find(twin)
    (tmp_path / 'link').symlink_to(data)
    assert len(find(tmp_path / 'link/a.jsonl')) == 1  # the same by another way


@pytest.mark.parametrize('change', [
    lambda d: (d / '1.jpg').touch(), lambda d: (d / '0.txt').write_text('a cat'),
    lambda d: (d / '0.jpg').rename(d / '2.jpg')])
def test_a_folder_that_changed_is_refused(change, data, find):
    (data / '0.txt').write_text('a dog')
    find(data)
    (data / 'notes.md').touch()  # no image and no caption
    find(data)
    change(data)
    with pytest.raises(ValueError, match="(?s)holds labels of other data.*digest: '"):
        find(data)


def finish(shard: Shard, out, cause=''):
    """Leave the files of a shard that was labelled."""
    files = shard.files(out)
    for path, content in ((files.labels, ''), (files.rejects, json.dumps(
            dict(filename='a.tar', cause=cause, detail='x')) + '\n' if cause else '')):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


def test_tar_shards_that_changed(data, find, tmp_path):
    for name in 'abc':
        write_tar(data / f'{name}.tar', [('0.jpg', jpeg()), ('0.txt', b'a dog')])
    shards = find(data)
    finish(shards[0], tmp_path / 'out')
    finish(shards[1], tmp_path / 'out', 'broken shard')
    for name in 'bcd':  # broken before, not labelled yet, new
        write_tar(data / f'{name}.tar', [('0.jpg', jpeg('blue')), ('0.txt', b'a cat')])
    again = find(data)
    assert [s.name for s in again] == ['a', 'b', 'c', 'd']
    assert [s.files(tmp_path / 'out').labels.exists() for s in again] == [True, *[False] * 3]
    write_tar(data / 'a.tar', [('0.jpg', jpeg('blue')), ('0.txt', b'a cat')])
    with pytest.raises(ValueError, match='(?s)holds labels of other data.*time: '):
        find(data)
    (data / 'a.tar').unlink()
    with pytest.raises(ValueError, match="(?s)path: '.*a.tar' before, None now"):
        find(data)


def test_errors(tmp_path, find):
    data = tmp_path / 'data'
    with pytest.raises(FileNotFoundError, match='none.jsonl'):
        find(tmp_path / 'none.jsonl')
    data.mkdir()
    with pytest.raises(ValueError, match='holds no images'):
        find(data)
    (data / 'a.parquet').touch()
    with pytest.raises(ValueError, match='a.parquet.*give a folder, or a .tar'):
        find(data / 'a.parquet')
    (data / 'a.png').touch()
    with pytest.raises(ValueError, match='none of 1 samples can be labelled: 1 no caption'):
        find(data)
    with pytest.raises(ValueError, match='--shard-size'):
        find(data, shard_size=0)
    for name in ('a.tar', 'a.TAR'):
        (data / name).touch()
    with pytest.raises(ValueError, match=r"differ in '.tar' and '.TAR' alone"):
        find(data)


def test_images_without_captions(data, find):
    """Captions that are there are not looked at, broken ones neither."""
    (data / 'sub').mkdir()
    (data / 'sub/1.png').write_bytes(jpeg())
    (data / 'sub/1.txt').write_bytes(b'0 0.5 \xff')
    names = [s.name for s in samples(find(data, captions=False)) if not s.fault and not s.caption]
    assert names == ['0.jpg', 'sub/1.png']
    assert len(find(data, captions=False)) == 1  # resumes
    (data / 'a.csv').write_text('filename\n0.jpg\nsub/1.png\n')
    assert [(s.name, s.fault) for s in samples(find(data / 'a.csv', out='csv', captions=False))
            ] == [('0.jpg', ''), ('sub/1.png', '')]
    (data / 'b.csv').write_text('img\n0.jpg\n')
    with pytest.raises(ValueError, match=r"filepath, separated by .*found 'img'"):
        find(data / 'b.csv', out='b', captions=False)
    (data / 'a.jsonl').write_text('{"filename": "0.jpg"}\n')
    assert not samples(find(data / 'a.jsonl', out='jsonl', captions=False))[0].fault
    with pytest.raises(ValueError, match='1 no caption'):
        find(data / 'a.jsonl', out='with captions')
    write_tar(data / 'a.tar', [('0.jpg', jpeg()), ('0.txt', b'\xff'), ('1.jpg', jpeg())])
    assert [(s.name, s.fault, s.caption) for s in samples(
        find(data / 'a.tar', out='tar', captions=False))] == [
            ('0.jpg', '', None), ('1.jpg', '', None)]
