"""COCO-format files as tools write them: read in their plain meaning, counted, or refused."""

import gzip
import json

import pytest

from glip_mm.datasets.boxes import MALFORMED, NOT_POSITIVE, OUTSIDE
from glip_mm.datasets.coco_file import (
    NO_CATEGORY,
    NO_IMAGE,
    NO_NAME,
    NO_SIZE,
    NOT_AN_OBJECT,
    PLACEHOLDER,
    REPEATED,
    SAME_FILE,
    categories_of,
    read_coco,
    read_with_report,
)
from glip_mm.datasets.converters import coco_records
from glip_mm.datasets.data_error import DataError


def write(folder, **changes):
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=40, height=30) for i in range(3)],
        annotations=[dict(id=i, image_id=i, category_id=1, bbox=[1, 2, 10, 20]) for i in range(3)],
        categories=[dict(id=1, name='cat'), dict(id=7, name='dog')])
    for key, (index, change) in changes.items():
        if index is None:
            content[key] = change
        else:
            content[key][index].update(change)
    path = folder / 'a.json'
    path.write_text(json.dumps(content))
    return str(path)


def test_good_files_with_gaps_and_extra_keys(tmp_path):
    content = read_coco(write(tmp_path, images=(1, dict(license=3))))
    assert [c['id'] for c in content['categories']] == [1, 7]
    (tmp_path / 'b.json').write_bytes(b'\xef\xbb\xbf' + (tmp_path / 'a.json').read_bytes())
    assert read_coco(str(tmp_path / 'b.json')) == content


def test_a_name_with_half_a_character_can_be_written(tmp_path):
    content, report = read_with_report(write(tmp_path, categories=(0, dict(name='c\ud800t'))))
    assert [c['name'] for c in content['categories']] == ['c\ufffdt', 'dog']
    assert any('lone surrogate' in cause for cause in report.changed)


@pytest.mark.parametrize('changes, message', [
    (dict(images=(None, [])), "no 'images': it must be a COCO-format file"),
    (dict(images=(None, [dict(id=1)])), "no 'images' that can be used: .*\n.*without a file name"),
    (dict(annotations=(None, {'0': {}})), "'annotations' is a dict and not a list"),
    (dict(annotations=(None, [dict(image_id=9, category_id=1, bbox=[1, 2, 3, 4])])),
     'none of the 1 annotations of .*\n.*image that is not listed'),
    (dict(categories=(0, dict(name=None))), "a whole number 'id' and a text 'name'"),
    (dict(categories=(0, dict(id='a1'))), r"categories\[0\] is .*'a1'"),
    (dict(categories=(None, ['cat'])), r"categories\[0\] is 'cat'"),
    (dict(categories=(1, dict(id=1))), "several categories of the same id: 1 .*'cat' and 'dog'"),
    (dict(images=(2, dict(id=1))), "several images of the same id: 1 .*'1.jpg' and '2.jpg'"),
    (dict(images=(2, dict(id='1'))), "several images of the same id: 1 is")])
def test_files_that_cannot_be_read(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as error:
        read_coco(path)
    assert path in str(error.value)


@pytest.mark.parametrize('changes, read', [
    (dict(images=(2, dict(id=2.0))), None), (dict(images=(2, dict(id='2'))), None),
    (dict(images=(2, dict(width='40', height=30.0))), None),
    (dict(annotations=(1, dict(image_id='1', category_id=1.0))), None),
    (dict(annotations=(1, dict(image_id='0001'))), None),
    (dict(annotations=(1, dict(bbox=['1', '2', '10', '20.0']))), None),
    (dict(annotations=(1, dict(bbox=[], segmentation=[[1, 2, 11, 2, 11, 22]]))), None),
    (dict(annotations=(1, dict(area=None, iscrowd=None))), None),
    (dict(annotations=(1, dict(area='big', iscrowd='false'))), None),
    (dict(annotations=(1, dict(area=0, iscrowd='0'))), None),
    (dict(annotations=(1, dict(area=float('nan'), iscrowd=0.0))), None),
    (dict(annotations=(1, dict(area=-3.))), None), (dict(annotations=(1, dict(area=2e8))), None),
    (dict(annotations=(1, dict(area='150'))), dict(area=150)),
    (dict(annotations=(1, dict(area=150))), dict(area=150)),
    (dict(annotations=(1, dict(iscrowd='1'))), dict(iscrowd=1)),
    (dict(annotations=(1, dict(iscrowd=True))), dict(iscrowd=1)),
    (dict(annotations=(1, dict(ignore=1))), dict(iscrowd=1)),
    (dict(annotations=(1, dict(ignore=0))), None),
    (dict(categories=(0, dict(id='1'))), None), (dict(categories=(0, dict(id=1.0))), None)])
def test_what_has_one_meaning_is_read_so(tmp_path, changes, read):
    content = read_coco(write(tmp_path, **changes))
    row = dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 10, 20], iscrowd=0, area=200)
    found = content['annotations'][1]
    assert {k: found[k] for k in row} == row | (read or {})
    assert [c['id'] for c in content['categories']] == [1, 7]
    assert [(i['id'], i['width'], i['height']) for i in content['images']] == [
        (i, 40, 30) for i in range(3)]
    assert all(type(i['id']) is int for i in content['images'])


@pytest.mark.parametrize('change, cause', [
    (dict(bbox=None), MALFORMED), (dict(bbox=[1, 2, 3]), MALFORMED),
    (dict(bbox=[1, 2, 3, 10**400]), MALFORMED), (dict(bbox=[1, 2, 3, float('inf')]), MALFORMED),
    (dict(bbox=[1, 2, 0, 5]), NOT_POSITIVE), (dict(bbox=[1, 2, 5, -5]), NOT_POSITIVE),
    (dict(bbox=[40, 2, 5, 5]), OUTSIDE), (dict(image_id=5), NO_IMAGE),
    (dict(image_id=None), NOT_AN_OBJECT), (dict(category_id=3), NO_CATEGORY),
    (dict(category_id='cat'), NO_CATEGORY), (dict(category_id=True), NO_CATEGORY)])
def test_every_row_left_out_is_counted(tmp_path, change, cause):
    content, report = read_with_report(write(tmp_path, annotations=(1, change)))
    assert [a['id'] for a in content['annotations']] == [0, 2]
    assert report.dropped == {cause: 1}
    assert report.examples[cause] == 'annotations[1]'
    assert (report.boxes_read, report.boxes_written) == (3, 2)


@pytest.mark.parametrize('change, cause', [
    (dict(file_name=''), NO_NAME), (dict(file_name=7), NO_NAME), (dict(width=None), NO_SIZE),
    (dict(height=0), NO_SIZE), (dict(height=30.5), NO_SIZE), (dict(id=None), NOT_AN_OBJECT)])
def test_images_left_out_are_counted_with_their_boxes(tmp_path, change, cause):
    content, report = read_with_report(write(tmp_path, images=(1, change)))
    assert [i['id'] for i in content['images']] == [0, 2] == [
        a['image_id'] for a in content['annotations']]
    assert report.dropped == {cause: 1, NO_IMAGE: 1}


def test_missing_ids_and_sizes_are_found_elsewhere(tmp_path):
    path = write(tmp_path, images=(1, dict(width=None)), annotations=(1, dict(id=None)))
    content, report = read_with_report(path, sizes={'1.jpg': (40, 30)}.get)
    assert content['images'][1]['width'] == 40 and not report.dropped
    assert [a['id'] for a in content['annotations']] == [0, 3, 2]


def test_files_are_read_however_they_are_encoded(tmp_path):
    plain = read_coco(path := write(tmp_path, images=(0, dict(file_name='a\\b.jpg'))))
    assert plain['images'][0]['file_name'] == 'a/b.jpg'
    content = open(path, 'rb').read()
    for number, other in enumerate((b'\xef\xbb\xbf' + content, gzip.compress(content),
                                    content.decode().encode('utf-16'),
                                    content.replace(b', ', b',\r\n'))):
        (tmp_path / f'{number}.json').write_bytes(other)
        assert read_coco(tmp_path / f'{number}.json') == plain
    (tmp_path / 'cut.json.gz').write_bytes(gzip.compress(content)[:-20])
    with pytest.raises(DataError, match='broken gzip file'):
        read_coco(tmp_path / 'cut.json.gz')


def test_a_category_that_only_groups_the_others_is_no_class(tmp_path):
    rows = [dict(id=0, name='pets', supercategory='none'),
            *(dict(id=i, name=n, supercategory='pets') for i, n in ((1, 'cat'), (2, 'dog')))]
    path = write(tmp_path, categories=(None, rows))
    assert categories_of(read_coco(path), path) == ((1, 2), ('cat', 'dog'))
    assert categories_of(read_coco(path), path, ('a', 'b')) == ((1, 2), ('a', 'b'))
    records = coco_records(path, progress=False)
    assert records.label_map == {0: 'cat', 1: 'dog'} and PLACEHOLDER in records.report.changed
    path = write(tmp_path, categories=(None, rows), annotations=(0, dict(category_id=0)))
    assert categories_of(read_coco(path), path)[0] == (0, 1, 2)
    assert len(coco_records(path, progress=False).label_map) == 3


def test_a_number_without_end_is_no_name(tmp_path):
    with pytest.raises(DataError, match=r"categories\[0\] is .* a text 'name'"):
        read_coco(write(tmp_path, categories=(0, dict(name=10 ** 400))))


def test_repetitions_are_kept_and_said(tmp_path):
    path = write(tmp_path, images=(1, dict(file_name='0.jpg')),
                 annotations=(1, dict(image_id=0, id=9)))
    content, report = read_with_report(path)
    assert len(content['images']) == len(content['annotations']) == 3
    assert report.changed == {SAME_FILE: 1, REPEATED: 1}
    assert report.examples[REPEATED] == 'annotations[1]'


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match='is a folder, not an annotation file.*convert_folder'):
        coco_records(tmp_path)
