"""Two sources never share an index or a conversion, and what changed is read anew."""

import json
import os
import shutil
import tarfile

import pytest

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.converters import FORMATS, coco_records
from glip_mm.datasets.storage import Source, mapped_table
from glip_mm.pseudo_labels.label_rows import LabelRows
from tests.test_pseudo_labels.test_sources import jpeg, write_tar


def write_coco(folder, name, box, count=1):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / '_annotations.coco.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i:06d}.jpg', width=100, height=100) for i in range(count)],
        annotations=[dict(id=i, image_id=i, category_id=1, bbox=box, iscrowd=0, area=4)
                     for i in range(count)],
        categories=[dict(id=1, name=name)])))
    return folder


def row(name, box=(1, 2, 9, 8)):
    return dict(filename=name, width=20, height=10, grounding=dict(caption='a dog', regions=[
        dict(bbox=[list(box)], phrase='a dog', tokens_positive=[[0, 5]])]))


def open_coco(folder, index=None, **options):
    data = GroundingDataset('_annotations.coco.json', str(folder), format='coco',
                            index_dir=index and str(index), **options)
    info = data.get_data_info(len(data) - 1)
    return info['text'][0], info['instances'][0]['bbox']


def test_files_of_one_name_share_an_index_folder(tmp_path):
    sets = {name: write_coco(tmp_path / name, name, box) for name, box in {
        'dog': [1, 1, 2, 2], 'car': [5, 5, 2, 2]}.items()}
    for path in sets.values():
        os.utime(path / '_annotations.coco.json', (1, 1))
    opened = {name: GroundingDataset('_annotations.coco.json', str(path), format='coco',
                                     index_dir=str(tmp_path / 'index'))
              for name, path in sets.items()}
    assert all(len(data) == 1 for data in opened.values())
    for name, data in opened.items():  # after both were opened
        info = data.get_data_info(0)
        assert info['text'] == {0: name}
        assert info['instances'][0]['bbox'] == dict(dog=[1, 1, 3, 3], car=[5, 5, 7, 7])[name]


def test_formats_and_patterns_have_indexes_of_their_own(tmp_path):
    for name in 'ab':
        (tmp_path / f'{name}.jsonl').write_text(json.dumps(row(f'{name}.jpg')) + '\n')
    (tmp_path / '_.jsonl').write_text(json.dumps(row('_.jpg')) + '\n')
    patterns = ['*.jsonl', '_.jsonl', 'a.jsonl']
    tables = [Source(str(tmp_path / pattern), 'odvg').open_table() for pattern in patterns]
    assert [len(table) for table in tables] == [3, 1, 1]
    assert len({table.path for table in tables}) == 3


def test_a_folder_that_is_moved_keeps_its_index(tmp_path, monkeypatch):
    write_coco(tmp_path / 'a', 'dog', [1, 1, 2, 2])
    open_coco(tmp_path / 'a')
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')  # with all times, as rsync -a

    def refuse(*_):
        raise AssertionError('nothing has to be written')
    monkeypatch.setattr(mapped_table, 'exclusive', refuse)
    assert open_coco(tmp_path / 'b') == ('dog', [1, 1, 3, 3])


def test_another_file_with_the_name_size_and_time_of_the_first(tmp_path):
    for name, box in (('dog', [1, 1, 2, 2]), ('car', [5, 5, 2, 2])):
        write_coco(tmp_path, name, box)
        os.utime(tmp_path / '_annotations.coco.json', (1, 1))
        x = box[0]
        assert open_coco(tmp_path, tmp_path / 'index') == (name, [x, x, x + 2, x + 2])


def test_what_another_converter_wrote_is_not_used(tmp_path, monkeypatch):
    write_coco(tmp_path, 'dog', [1, 1, 2, 2])
    open_coco(tmp_path)

    def of_another_version(path):
        records = coco_records(path)
        records.label_map = {0: 'renamed'}
        return records
    monkeypatch.setitem(FORMATS, 'coco', of_another_version)
    assert open_coco(tmp_path)[0] == 'renamed'


def test_a_selection_belongs_to_its_index(tmp_path):
    options = dict(filter_cfg=dict(filter_empty_gt=True))
    for count, box in ((3, [1, 1, 2, 2]), (2, [1, 1, 7, 7])):
        write_coco(tmp_path, 'dog', box, count)
        text = json.loads((tmp_path / '_annotations.coco.json').read_text())
        del text['annotations'][0]
        (tmp_path / '_annotations.coco.json').write_text(json.dumps(text))
        data = GroundingDataset('_annotations.coco.json', str(tmp_path), format='coco', **options)
        assert len(data) == count - 1
        assert data.get_data_info(0)['img_path'].endswith('000001.jpg')


def write_shards(folder, count=3, samples=4):
    folder.mkdir()
    for shard in range(count):
        write_tar(folder / f'{shard}.tar', [entry for i in range(samples) for entry in (
            (f'{i}.webp', jpeg()), (f'{i}.txt', b'a dog'),
            (f'{i}.json', json.dumps(row(f'{shard}{i}.webp')).encode()))])
        (folder / f'{shard}_stats.json').write_text('{}')
        (folder / f'{shard}.parquet').write_bytes(b'PAR1')
    return folder


def test_broken_shards_are_read_up_to_the_break_and_named(tmp_path, logged):
    folder = write_shards(tmp_path / 'shards', 5)
    with tarfile.open(folder / '1.tar') as tar:
        third = tar.getmember('2.json').offset_data
    os.truncate(folder / '1.tar', third + 5)
    (folder / '2.tar').write_bytes(b'')
    (folder / '3.tar').write_bytes(b'<html>' * 1000)
    for _ in range(2):  # the second time from the index
        logged.clear()
        data = GroundingDataset('*.tar', str(folder), format='tar', on_bad='stop')
        names = [data.get_data_info(i)['img_path'].rpartition('/')[2] for i in range(len(data))]
        assert names == [f'{s}{i}.webp' for s, n in ((0, 4), (1, 2), (4, 4)) for i in range(n)]
        message, = logged
        assert '3 of 5 files cannot be read to their end' in message
        assert "1.tar': cut off within '2.json', after 2 samples" in message
        assert "2.tar': the file is empty, after 0 samples" in message
        assert "3.tar': no tar archive" in message
    write_tar(folder / '2.tar', [('0.png', jpeg()), ('0.JSON', json.dumps(row('x.png')).encode())])
    data = GroundingDataset('*.tar', str(folder), format='tar')
    assert len(data) == 11 and '2 of 5 files' in logged[-1]


def test_many_shards_that_all_are_broken(tmp_path, logged):
    (tmp_path / 'a.tar').write_bytes(b'')
    with pytest.raises(ValueError, match='holds no sample'):
        GroundingDataset('*.tar', str(tmp_path), format='tar')
    assert 'a.tar' in logged[0]


def test_labels_in_a_read_only_folder(tmp_path, monkeypatch):
    from glip_mm.file_lock import exclusive
    (tmp_path / 'a.jsonl').write_text(json.dumps(row('a.jpg')) + '\n')

    def refuse(path):
        if path.parent == tmp_path:
            raise PermissionError(13, 'Permission denied', str(path))
        return exclusive(path)
    monkeypatch.setattr(mapped_table, 'exclusive', refuse)
    assert LabelRows(tmp_path / 'a.jsonl')[0].record['filename'] == 'a.jpg'
    with pytest.raises(PermissionError, match='index_dir'):
        Source(str(tmp_path / 'a.jsonl'), 'odvg').open_table()


def test_training_uses_the_index_of_a_review(tmp_path):
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/a.jsonl').write_text(json.dumps(row('a.jpg')) + '\n')
    reviewed = LabelRows(tmp_path)
    trained = GroundingDataset('labels/*.jsonl', str(tmp_path))
    assert trained.table.path == reviewed.table.path
