"""The same six images in every format: fine-tuned on, tested, trained on, checked and converted."""

import base64
import csv
import io
import json
import runpy
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from glip_mm.apis.suite import find_datasets
from glip_mm.datasets import GroundingDataset, LoadImage
from glip_mm.datasets.formats import FORMATS
from glip_mm.finetuning import folder_splits
from glip_mm.finetuning.folder_check import check_folder
from tests.test_package.test_import import ROOT
from tests.test_pseudo_labels import test_sources

NAMES = ('cat', 'dog')
WIDTH, HEIGHT = 100, 50
#: Split -> boxes of each image: label and x1, y1, x2, y2.
BOXES = dict(train=[[(0, 10, 10, 30, 30)], [(1, 40, 5, 80, 45), (0, 0, 0, 20, 20)], []],
             val=[[(1, 20, 10, 60, 40)], [(0, 50, 10, 70, 30)], [(1, 2, 2, 40, 40)]])


def picture(split, i):
    value = 40 * i + 90 * (split == 'val')
    image = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    for label, x1, y1, x2, y2 in BOXES[split][i]:
        image[y1:y2, x1:x2, label] = 250
    return image


def encoded(split, i, kind='PNG'):
    buffer = io.BytesIO()
    Image.fromarray(picture(split, i)).save(buffer, kind)
    return buffer.getvalue()


def each():
    for split, images in BOXES.items():
        for i, boxes in enumerate(images):
            yield split, i, f'{split}{i}', boxes


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)


def save_images(root, folder):
    for split, i, stem, _ in each():
        save(root / folder.format(split) / f'{stem}.png', encoded(split, i))


def coco(split, name='{}.png', **image):
    rows = [(i, stem, boxes) for s, i, stem, boxes in each() if s == split]
    return dict(
        images=[dict(id=i, file_name=name.format(stem), width=WIDTH, height=HEIGHT, **image)
                for i, stem, _ in rows],
        annotations=[dict(image_id=i, category_id=label + 1, bbox=[x1, y1, x2 - x1, y2 - y1])
                     for i, _, boxes in rows for label, x1, y1, x2, y2 in boxes],
        categories=[dict(id=k + 1, name=name) for k, name in enumerate(NAMES)])


def write_coco(root):
    for split in BOXES:
        save(root / split / '_annotations.coco.json', json.dumps(coco(split)))
    save_images(root, '{}')


def write_objects365(root):
    for split in BOXES:
        content = coco(split)
        for number, row in enumerate(content['images']):
            row['file_name'] = f'images/v2/patch0/objects365_v2_0000000{number}.png'
            save(root / split / 'patch0' / row['file_name'].split('/')[-1], encoded(split, number))
        save(root / f'annotations/zhiyuan_objv2_{split}.json', json.dumps(content))


def write_lvis(root):
    for split in BOXES:
        content = coco(split, neg_category_ids=[], not_exhaustive_category_ids=[])
        for row in content['images']:
            row['coco_url'] = f'http://images/{split}2017/{row.pop("file_name")}'
        for row in content['categories']:
            row['frequency'] = 'f'
        save(root / f'annotations/lvis_v1_{split}.json', json.dumps(content))
    save_images(root, '{}2017')


def write_yolo(root):
    save_images(root, 'images/{}')
    for split, _, stem, boxes in each():
        save(root / f'labels/{split}/{stem}.txt', ''.join(
            f'{label} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} {(x2 - x1) / WIDTH} '
            f'{(y2 - y1) / HEIGHT}\n' for label, x1, y1, x2, y2 in boxes))
    save(root / 'data.yaml', 'path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n')


def write_voc(root):
    save_images(root, 'JPEGImages')
    for _, _, stem, boxes in each():
        objects = ''.join(
            f'<object><name>{NAMES[label]}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
            for label, x1, y1, x2, y2 in boxes)
        save(root / f'Annotations/{stem}.xml',
             f'<annotation><filename>{stem}.png</filename><size><width>{WIDTH}</width><height>'
             f'{HEIGHT}</height></size>{objects}</annotation>')
    for split in BOXES:
        save(root / f'ImageSets/Main/{split}.txt', ''.join(
            f'{stem}\n' for s, _, stem, _ in each() if s == split))


def write_label_studio(root):
    for split in BOXES:
        save(root / f'{split}.json', json.dumps([
            dict(id=i, data=dict(image=f'/data/upload/1/0a1b2c3d-{stem}.png'),
                 annotations=[dict(id=i, result=[
                     dict(type='rectanglelabels', original_width=WIDTH, original_height=HEIGHT,
                          value=dict(x=100 * x1 / WIDTH, y=100 * y1 / HEIGHT, rotation=0,
                                     width=100 * (x2 - x1) / WIDTH, height=100 * (y2 - y1) / HEIGHT,
                                     rectanglelabels=[NAMES[label]]))
                     for label, x1, y1, x2, y2 in boxes])])
            for s, i, stem, boxes in each() if s == split]))
    save_images(root, 'images')


def write_cvat(root):
    images = ''.join(
        f'<image id="{n}" name="{stem}.png" subset="{split}" width="{WIDTH}" height="{HEIGHT}">'
        + ''.join(f'<box label="{NAMES[label]}" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"/>'
                  for label, x1, y1, x2, y2 in boxes) + '</image>'
        for n, (split, _, stem, boxes) in enumerate(each()))
    labels = ''.join(f'<label><name>{name}</name></label>' for name in NAMES)
    save(root / 'annotations.xml', f'<annotations><version>1.1</version><meta><project><labels>'
                                   f'{labels}</labels></project></meta>{images}</annotations>')
    save_images(root, 'images/{}')


def write_labelme(root):
    save_images(root, '{}')
    for split, _, stem, boxes in each():
        save(root / f'{split}/{stem}.json', json.dumps(dict(
            version='5.4', imagePath=f'{stem}.png', imageData=None, imageWidth=WIDTH,
            imageHeight=HEIGHT, shapes=[
                dict(label=NAMES[label], shape_type='rectangle', points=[[x1, y1], [x2, y2]])
                for label, x1, y1, x2, y2 in boxes])))


def write_openimages(root):
    save(root / 'annotations/class-descriptions-boxable.csv', '/m/1,cat\n/m/2,dog\n')
    for split, folder in (('train', 'train'), ('val', 'validation')):
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(['ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf'])
        for s, i, stem, boxes in each():
            if s == split:
                save(root / f'{folder}/{stem}.png', encoded(split, i))
                rows.writerows([stem, f'/m/{label + 1}', x1 / WIDTH, x2 / WIDTH, y1 / HEIGHT,
                                y2 / HEIGHT, 0] for label, x1, y1, x2, y2 in boxes)
        save(root / f'annotations/{folder}-annotations-bbox.csv', text.getvalue())


def record(stem, boxes):
    return dict(filename=f'{stem}.png', width=WIDTH, height=HEIGHT, detection=dict(instances=[
        dict(bbox=box, label=label, category=NAMES[label]) for label, *box in boxes]))


def write_odvg(root):
    save_images(root, 'images')
    save(root / 'label_map.json', json.dumps(dict(enumerate(NAMES))))
    for split in BOXES:
        save(root / f'{split}.jsonl', ''.join(
            json.dumps(record(stem, boxes)) + '\n' for s, _, stem, boxes in each() if s == split))


def write_tar(root):
    for split in BOXES:
        (root / split).mkdir(parents=True)
        test_sources.write_tar(root / split / '00000.tar', [
            entry for s, i, stem, boxes in each() if s == split for entry in (
                (f'{stem}.png', encoded(split, i)),
                (f'{stem}.json', json.dumps(dict(record(stem, boxes), key=stem)).encode()))])


def write_tsv(root):
    save(root / 'labels.json', json.dumps(dict(label_to_idx=dict(cat=1, dog=2))))
    for split in BOXES:
        cells = [(stem, i, boxes) for s, i, stem, boxes in each() if s == split]
        for name, rows in dict(
                img=[[stem, base64.b64encode(encoded(split, i)).decode()] for stem, i, _ in cells],
                hw=[[stem, json.dumps([dict(height=HEIGHT, width=WIDTH)])] for stem, *_ in cells],
                label=[[stem, json.dumps([
                    dict(rect=[x1, y1, x2 - 1, y2 - 1], **{'class': NAMES[label]})
                    for label, x1, y1, x2, y2 in boxes])] for stem, _, boxes in cells]).items():
            save(root / f'{split}.{name}.tsv', ''.join('\t'.join(r) + '\n' for r in rows))
        save(root / f'{split}.yaml', ''.join(
            f'{key}: {split}.{key}.tsv\n' for key in ('img', 'hw', 'label'))
            + 'labelmap: labels.json\n')


def write_parquet(root):
    meta = dict(info=dict(features=dict(objects=dict(feature=dict(category=dict(
        names=list(NAMES), _type='ClassLabel'))))))
    for split, name in (('train', 'train'), ('val', 'validation')):
        rows = [(i, stem, boxes) for s, i, stem, boxes in each() if s == split]
        table = pa.table(dict(
            image=[dict(bytes=encoded(split, i), path=f'{stem}.png') for i, stem, _ in rows],
            width=[WIDTH] * len(rows), height=[HEIGHT] * len(rows),
            objects=[dict(bbox=[[float(x1), y1, x2 - x1, y2 - y1] for _, x1, y1, x2, y2 in boxes],
                          category=[label for label, *_ in boxes]) for _, _, boxes in rows]))
        (root / 'data').mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({b'huggingface': json.dumps(meta).encode()}),
                       root / f'data/{name}-00000-of-00001.parquet')


#: OpenImages lists boxes alone: an image without any is in none of its files.
EMPTY = dict(openimages=0)
WRITERS = {name.removeprefix('write_'): function for name, function in globals().items()
           if name.startswith('write_')}
#: Captions with phrases have no classes.
WITHOUT_CLASSES = {'mdetr'}


def test_every_format_is_tried():
    assert set(WRITERS) | WITHOUT_CLASSES == set(FORMATS)


@pytest.fixture(params=sorted(WRITERS))
def folder(request, tmp_path):
    WRITERS[request.param](tmp_path / 'pets')
    return request.param, tmp_path / 'pets'


def corners(box):
    x, y, w, h = box
    return [x, y, x + w, y + h]


def expected(split):
    return sorted([NAMES[label], *map(float, box)] for boxes in BOXES[split]
                  for label, *box in boxes)


def close(found, wanted):
    assert [name for name, *_ in found] == [name for name, *_ in wanted]
    np.testing.assert_allclose([box for _, *box in found], [box for _, *box in wanted], atol=1e-3)


def found_in(path, images):
    content = json.loads(path.read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    for row in content['images']:
        with Image.open(images / row['file_name']) as image:
            assert image.size == (WIDTH, HEIGHT) == (row['width'], row['height'])
    return sorted([names[a['category_id']], *corners(a['bbox'])] for a in content['annotations'])


def test_fine_tuning_and_tests_read_it(folder, tmp_path):
    name, root = folder
    splits = folder_splits(root, out=tmp_path / 'out')
    assert splits.classes == NAMES and FORMATS[name].title in splits.description
    for split in BOXES:
        files = getattr(splits, split)
        if name not in ('coco', 'lvis', 'objects365'):  # read as they are
            close(found_in(files.ann_file, files.images), expected(split))
    tested, = find_datasets([str(root)], 'val', tmp_path / 'suite')
    assert tested.num_images == 3 and tuple(tested.classes) == NAMES


@pytest.mark.parametrize('split', ['train', 'val'])
def test_training_reads_it(folder, split, tmp_path):
    name, root = folder
    dataset = GroundingDataset(
        ann_file=str(root), format='folder', split=split, index_dir=str(tmp_path / 'index'),
        pipeline=[LoadImage()], on_bad='stop')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert len(infos) == len([b for b in BOXES[split] if b or name != 'openimages'])
    close(sorted([info['text'][i['bbox_label']], *map(float, i['bbox'])] for info in infos
                 for i in info['instances']), expected(split))
    # each image shows its own boxes: where one is, its colour is full
    for i, info in enumerate(infos):
        image = dataset[i]['img']
        for one in info['instances']:
            x1, y1, x2, y2 = (round(v) for v in one['bbox'])
            assert (image[y1:y2, x1:x2, 2 - one['bbox_label']] == 250).all()


def test_it_is_checked_and_converted(folder, tmp_path, monkeypatch):
    name, root = folder
    findings = check_folder(root, progress=False)
    assert not findings.errors
    assert FORMATS[name].title in findings.notes[0] and 'dog' in findings.notes[2]
    for to, ending in (('odvg', 'jsonl'), ('coco', 'json')):
        monkeypatch.setattr(sys, 'argv', ['convert_folder.py', str(root), '--to', to, '-o',
                                          str(tmp_path / to)])
        runpy.run_path(str(ROOT / 'tools/dataset_converters/convert_folder.py'),
                       run_name='__main__')
        assert (tmp_path / to / f'val.{ending}').is_file()
    content = json.loads((tmp_path / 'coco/train.json').read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    close(sorted([names[a['category_id']], *corners(a['bbox'])] for a in content['annotations']),
          expected('train'))
    rows = [json.loads(line) for line in (tmp_path / 'odvg/train.jsonl').read_text().splitlines()]
    close(sorted([i['category'], *map(float, i['bbox'])] for row in rows
                 for i in row['detection']['instances']), expected('train'))
