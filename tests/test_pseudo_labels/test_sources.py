import csv
import io
import json
import os
import tarfile

import pytest
from PIL import Image

from glip_mm.pseudo_labels import find_shards


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


def test_tar_shards_of_img2dataset(tmp_path):
    write_tar(tmp_path / '00001.tar', [
        ('000010.jpg', jpeg()), ('000010.txt', b'a dog'),
        ('000010.json', b'{"url": "http://x", "caption": "other"}'),
        ('000011.json', b'{"caption": "a cat"}'), ('000011.PNG', jpeg()),
        ('000012.json', b'broken'), ('000012.jpg', jpeg()),
        ('000013.txt', b'no image')])
    write_tar(tmp_path / '00000.tar', [('1.webp', jpeg()), ('1.txt', b'x')])
    shards = find_shards(tmp_path)
    assert [s.name for s in shards] == ['00000', '00001'] and all(s.is_tar for s in shards)
    first, second, third, fourth = shards[1]
    assert first.name == '000010.jpg' and first.caption == 'a dog' and first.image == jpeg()
    assert first.fields == {'url': 'http://x', 'caption': 'other'}
    assert (second.name, second.caption) == ('000011.png', 'a cat')
    assert third.caption is None and third.fields == {}
    assert fourth.image is None and fourth.caption == 'no image'
    assert [s.name for s in find_shards(tmp_path / '00000.tar')] == ['00000']


def test_a_folder_and_what_it_holds_besides_images(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('glip_mm.pseudo_labels.captioned_images.print_log',
                        lambda text, **kwargs: said.append(text))
    (tmp_path / 'sub').mkdir()
    for name in ('a.GIF', 'sub/b.jfif', 'sub/c.jpe'):
        (tmp_path / name).write_bytes(jpeg())
        (tmp_path / name).with_suffix('.txt').write_text('a dog')
    assert [sample.name for sample in find_shards(tmp_path)[0]] == ['a.GIF', 'sub/b.jfif',
                                                                    'sub/c.jpe']
    assert said == []
    os.mkfifo(tmp_path / 'sub/d.jpg')
    (tmp_path / 'sub/e.heic').write_text('')
    assert len(list(find_shards(tmp_path)[0])) == 3
    assert '3 images; left out as no images: ' in said[0]
    assert '1 .jpg that is no regular file' in said[0] and '1 .heic' in said[0]


@pytest.mark.parametrize('suffix', ['jsonl', 'csv', 'tsv'])
def test_rows(tmp_path, suffix):
    rows = [dict(filename=f'{i}.jpg', caption=f'a thing, "{i}"') for i in range(7)]
    path = tmp_path / f'data.{suffix}'
    with open(path, 'w', newline='') as file:
        if suffix == 'jsonl':
            file.writelines(json.dumps(row) + '\n' for row in rows)
        else:
            writer = csv.DictWriter(file, ['filename', 'caption'],
                                    delimiter=',' if suffix == 'csv' else '\t')
            writer.writeheader()
            writer.writerows(rows)
    shards = find_shards(path, tmp_path / 'images', shard_size=3)
    assert [s.name for s in shards] == ['00000', '00001', '00002']
    found = [sample for shard in shards for sample in shard]
    assert [(s.name, s.caption) for s in found] == [(r['filename'], r['caption']) for r in rows]
    assert found[4].image == tmp_path / 'images/4.jpg'


def test_rows_that_say_nothing(tmp_path):
    (tmp_path / 'a.jsonl').write_text('{"image": "1.jpg", "text": "a dog"}\nbroken\n[]\n\n'
                                      '{"image": "2.jpg", "caption": 3}\n')
    good, broken, lists, no_text = next(iter([list(s) for s in find_shards(tmp_path / 'a.jsonl')]))
    assert (good.caption, good.image) == ('a dog', tmp_path / '1.jpg')
    assert broken.name == 'row 2' and broken.image is None is broken.caption
    assert lists.image is None and no_text.caption is None


def test_folder(tmp_path):
    (tmp_path / 'sub').mkdir()
    for name in ('b.jpg', 'sub/a.png', 'c.jpg'):
        (tmp_path / name).write_bytes(jpeg())
    (tmp_path / 'b.txt').write_text('a dog\n')
    found = [s for shard in find_shards(tmp_path, shard_size=2) for s in shard]
    assert [(s.name, s.caption) for s in found] == [
        ('b.jpg', 'a dog'), ('c.jpg', None), ('sub/a.png', None)]


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.jsonl'):
        find_shards(tmp_path / 'none.jsonl')
    with pytest.raises(ValueError, match='holds no images'):
        find_shards(tmp_path)
    (tmp_path / 'a.parquet').touch()
    with pytest.raises(ValueError, match='a.parquet.*give a folder, or a .tar'):
        find_shards(tmp_path / 'a.parquet')
    (tmp_path / 'a.jsonl').touch()
    with pytest.raises(ValueError, match='holds no rows'):
        find_shards(tmp_path / 'a.jsonl')
