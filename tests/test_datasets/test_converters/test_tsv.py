"""TSV bundles of the official release: inclusive rects, line lists, captions of both versions."""

import base64
import io
import json

import pytest
from PIL import Image

from glip_mm.datasets.converters import TSVBundle, tsv_records
from glip_mm.datasets.converters.tsv import parse_size
from glip_mm.datasets.converters.tsv_files import RowFile
from glip_mm.datasets.data_error import DataError


def write_rows(path, rows, index=True):
    starts, content = [], b''
    for row in rows:
        starts.append(len(content))
        content += '\t'.join(row).encode() + b'\n'
    path.write_bytes(content)
    if index:
        path.with_suffix('.lineidx').write_text(''.join(f'{start}\n' for start in starts))


def image_cell(size=(20, 10)):
    data = io.BytesIO()
    Image.new('RGB', size).save(data, format='PNG')
    return base64.b64encode(data.getvalue()).decode()


@pytest.fixture
def bundle(tmp_path):
    objects = [dict(rect=[2, 3, 5, 9], **{'class': 'dog'}, conf=.5),
               dict(rect=[0, 0, 19, 9], **{'class': 'cat'}),
               dict(rect=[4, 4, 4, 8], **{'class': 'cat'}),
               dict(rect=[0, 0, 9, 9], **{'class': 'cow'}),
               dict(rect=[0, 0, 9], **{'class': 'cat'})]
    write_rows(tmp_path / 'l.tsv', [
        ('k0', json.dumps(objects)), ('k1', json.dumps(dict(objects=objects[:1]))),
        ('k2', '{'), ('k3', '[]'), ('k4', '[]')])
    write_rows(tmp_path / 'h.tsv', [('k0', '[{"height": 10, "width": 20}]'), ('k1', '10 20'),
                                    ('k2', '10 20'), ('other', '10 20'), ('k4', '10 20')])
    write_rows(tmp_path / 'i.tsv', [('k0', image_cell()), ('k1', 'broken'), ('k2', image_cell()),
                                    ('k3', image_cell()), ('of another row', image_cell())])
    (tmp_path / 'map.json').write_text(json.dumps(
        dict(label_to_idx={'dog': 2, 'cat': 1, '__background__': 0})))
    (tmp_path / 'lines.tsv').write_text('1\n0\n1\n2\n3\n9\n4\n')
    path = tmp_path / 'b.yaml'
    path.write_text('img: i.tsv\nlabel: l.tsv\nhw: h.tsv\nlabelmap: map.json\n'
                    'linelist: lines.tsv\n')
    return path


def test_detection(bundle):
    records = tsv_records(bundle)
    rows = list(records)
    assert records.label_map == {0: 'cat', 1: 'dog'}
    assert [row['filename'] for row in rows] == ['k1.jpg', 'k0.jpg', 'k1.jpg', 'k4.jpg']
    assert rows[1] == dict(filename='k0.jpg', height=10, width=20, detection=dict(instances=[
        dict(bbox=[2, 3, 6, 10], label=1, category='dog', score=.5),
        dict(bbox=[0, 0, 20, 10], label=0, category='cat')]))
    assert records.report.dropped == {
        'row that is not a key and JSON': 2, 'row without the size of its image': 1,
        'box of a class that is not in the label map': 1, 'box one pixel thin or less': 1,
        'box that is not four finite numbers': 1}
    once = list(tsv_records(bundle, 'x/{key}.png', use_line_list=False, half_open=True))
    assert [row['filename'] for row in once] == ['x/k0.png', 'x/k1.png', 'x/k4.png']
    assert once[1]['detection']['instances'][0]['bbox'] == [2, 3, 5, 9]


def test_images_are_written_once(bundle, tmp_path):
    out = tmp_path / 'images'
    records = tsv_records(bundle, '{key}.png', write_images=str(out))
    assert [row['filename'] for row in records] == ['k0.png', 'k3.png']
    assert records.report.dropped['image that is missing or broken'] == 3
    assert sorted(path.name for path in out.iterdir()) == ['k0.png', 'k3.png']
    before = (out / 'k0.png').stat().st_mtime_ns
    list(tsv_records(bundle, '{key}.png', write_images=str(out)))
    assert (out / 'k0.png').stat().st_mtime_ns == before


def test_keys_do_not_lead_out_of_the_folder(tmp_path):
    write_rows(tmp_path / 'l.tsv', [('../k0', '[]')])
    write_rows(tmp_path / 'i.tsv', [('../k0', image_cell())])
    (tmp_path / 'map.json').write_text('{"dog": 1}')
    (tmp_path / 'b.yaml').write_text('img: i.tsv\nlabel: l.tsv\nlabelmap: map.json\n')
    records = tsv_records(tmp_path / 'b.yaml', write_images=str(tmp_path / 'out/images'))
    assert list(records) == [] and not (tmp_path / 'out').exists()
    assert records.report.dropped == {'key that is no name of an image file': 1}


def test_what_is_no_number_is_counted(tmp_path):
    content = dict(img_h=10, img_w=20, caption='a dog', scores=['high', .5],
                   tokens_positive=[[[0, 5], [1]], [['0', 5]]],
                   bboxes=[[0, 0, 4, 4], [0, 0, 4, 4]])
    write_rows(tmp_path / 'l.tsv', [('\ufeff0', json.dumps(content) + '\r')], index=False)
    (tmp_path / 'b.yaml').write_text('\ufefflabel: l.tsv\n', encoding='utf-8')
    records = tsv_records(tmp_path / 'b.yaml')
    row, = records
    assert row['filename'] == '0.jpg'
    assert row['grounding']['regions'] == [
        dict(bbox=[0, 0, 5, 5], phrase='a dog', tokens_positive=[[0, 5]])]
    assert records.report.dropped == {'span that is not a pair of whole numbers': 2,
                                      'box without a phrase': 1}
    assert records.report.changed == {'score that is no number, taken off': 1}
    (tmp_path / 'lines.txt').write_text('\ufeff0\none\n', encoding='utf-8')
    (tmp_path / 'b.yaml').write_text('label: l.tsv\nlinelist: lines.txt\n')
    with pytest.raises(ValueError, match="lines.txt' line 2 is 'one', but must be the number"):
        tsv_records(tmp_path / 'b.yaml')


@pytest.mark.parametrize('version', [1, 2])
def test_captions(tmp_path, version):
    content = dict(img_h=10, img_w=20, caption='a dog and a cat', tokens_positive=[[[0, 5]]],
                   bboxes=[[0, 0, 4, 4]], scores=[.9])
    if version == 2:
        content.update(bboxes=[[[0, 0, 4, 4], [5, 5, 9, 9]]], scores=[[.9, .8]])
    content['bboxes'] += [[1, 1, 5, 5]]
    content['tokens_positive'] += [[[90, 99]]]
    content['scores'] += [.7]
    empty = dict(content, bboxes=[])
    write_rows(tmp_path / 'l.tsv', [('0', json.dumps(content)), ('1', json.dumps(empty))],
               index=False)
    (tmp_path / 'b.yaml').write_text('label: l.tsv\n')
    records = tsv_records(tmp_path / 'b.yaml')
    row, = records
    assert records.label_map is None
    assert row['grounding']['regions'] == [
        dict(bbox=[0, 0, 5, 5], phrase='a dog', tokens_positive=[[0, 5]], score=.9)
        if version == 1 else
        dict(bbox=[[0, 0, 5, 5], [5, 5, 10, 10]], phrase='a dog', tokens_positive=[[0, 5]],
             score=[.9, .8])]
    assert records.report.dropped == {
        'span that is empty or ends past the caption': 1, 'box without a phrase': 1,
        'caption without a usable box': 1}


def test_image_row_by_id(tmp_path):
    content = dict(img_h=10, img_w=20, img_id=77, caption='a dog', tokens_positive=[[[0, 5]]],
                   bboxes=[[0, 0, 4, 4]], scores=[.9])
    write_rows(tmp_path / 'l.tsv', [('0', json.dumps(content))])
    write_rows(tmp_path / 'i.tsv', [('x', 'broken'), ('y', image_cell())])
    (tmp_path / 'ids.json').write_text('{"77": 1}')
    (tmp_path / 'b.yaml').write_text('label: l.tsv\nimg: i.tsv\nimageid2idx: ids.json\n')
    assert len(list(tsv_records(tmp_path / 'b.yaml', write_images=str(tmp_path / 'o')))) == 1


@pytest.mark.parametrize('index', [None, '0\n3\n', '5\n', 'x', '0\n999\n', '', '0\n'])
def test_an_index_that_does_not_fit_is_not_believed(tmp_path, index):
    path = tmp_path / 'a.tsv'
    write_rows(path, [('a', 'b'), ('cc', ' d ')])
    if index is not None:
        path.with_suffix('.lineidx').write_text(index)
    rows = RowFile(path)
    assert rows.offsets.tolist() == [0, 4]
    assert rows.row(1) == ['cc', 'd']
    with pytest.raises(IndexError, match='no row 2'):
        rows.row(2)


def test_label_maps_and_missing_files(tmp_path):
    (tmp_path / 'l.tsv').write_text('')
    (tmp_path / 'names.txt').write_text('dog\ncat\n')
    path = tmp_path / 'b.yaml'
    path.write_text('label: l.tsv\nlabelmap: names.txt\n')
    assert TSVBundle(path).label_map == {0: 'dog', 1: 'cat'}
    path.write_text('label: l.tsv\njsondict: l.json\n')
    with pytest.raises(FileNotFoundError, match="'l.json' .jsondict."):
        TSVBundle(path)
    path.write_text('img: l.tsv\n')
    with pytest.raises(ValueError, match='label is needed'):
        TSVBundle(path)
    path.write_text('label: l.tsv\n')
    with pytest.raises(FileNotFoundError, match='no image file'):
        tsv_records(path, write_images=str(tmp_path))
    with pytest.raises(ValueError, match='key'):
        tsv_records(path, pattern='a.jpg')


@pytest.mark.parametrize('name, content', [
    ('map.json', b'\xff\xfe\0'), ('map.json', b'{"cat": ' + b'1' * 5000 + b'}'),
    ('map.json', b'[' * 100_000), ('lines.tsv', b'\xff'), ('lines.tsv', b'9' * 5000),
    ('lines.tsv', b'9' * 40), ('ids.json', b'[7]'), ('ids.json', b'{"7": "x"}')])
def test_files_that_are_none_are_named(bundle, name, content):
    bundle.write_text(bundle.read_text() + 'imageid2idx: ids.json\n')
    (bundle.parent / 'ids.json').write_text('{}')
    (bundle.parent / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        tsv_records(bundle, in_place=True)


@pytest.mark.parametrize('cell, size', [
    ('{"height": 3, "width": 4}', (3, 4)), ('[{"height": 3, "width": 4}]', (3, 4)),
    ('3 4', (3, 4)), ('[3, 4]', (3, 4)), ('3', None), ('', None), ('{"height": 3}', None),
    ('0 4', None), ('x y', None), ('[1e400, 4]', None), ('3e9 4', None), ('1' * 5000, None),
    ('[' * 100_000 + ']' * 100_000, None), ('[4000000000, 4]', None)])
def test_sizes(cell, size):
    assert parse_size(cell) == size
