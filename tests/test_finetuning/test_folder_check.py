"""What the check of a folder says before anything is trained on it."""

import io
import json
import shutil
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from glip_mm.finetuning.folder_check import check_folder
from tests.test_package.test_import import ROOT


def test_a_sound_folder_is_described(pets, tmp_path):
    found = check_folder(pets, sheet=tmp_path / 'sheet.jpg', progress=False)
    assert not found.errors and not found.warnings
    text = '\n'.join(found.notes)
    assert "COCO JSON" in text and "'train/_annotations.coco.json'" in text
    rows = [line.split() for line in text.split('\n')]
    assert ['train', '12', '0', '16', '0', '0', '0'] in rows
    assert ['cat', '8', '3', '3'] in rows and not any(r[:1] == ['pets'] for r in rows)
    assert Image.open(tmp_path / 'sheet.jpg').width > 1000


def test_faults_are_named_and_counted(pets):
    path = pets / 'train/_annotations.coco.json'
    rows = json.loads(path.read_text())
    rows['annotations'][0]['bbox'][2] = 0
    rows['annotations'][1]['area'] = 'big'
    path.write_text(json.dumps(rows))
    (pets / 'train/train_1.jpg').unlink()
    (pets / 'train/train_2.jpg').write_bytes((pets / 'train/train_2.jpg').read_bytes()[:-200])
    Image.new('RGB', (50, 50)).save(pets / 'train/train_3.jpg')
    shutil.copy(pets / 'train/train_0.jpg', pets / 'valid/valid_0.jpg')
    found = check_folder(pets, progress=False)
    warnings, errors = '\n'.join(found.warnings), '\n'.join(found.errors)
    assert 'left out: 1 x box of no width or height (first: annotations[0])' in warnings
    assert 'changed: 1 x area that its box cannot have' in warnings
    assert "such as 'valid_0.jpg' and 'train_0.jpg'" in warnings
    assert "1 of 12 images are missing; the first: " in errors
    assert 'train_2.jpg' in errors.split('cannot be decoded')[1]
    assert "train_3.jpg' is 50 x 50, annotated as 96 x 64" in errors


def test_boxes_that_training_corrects_are_reported(pets):
    path = pets / 'train/_annotations.coco.json'
    rows = json.loads(path.read_text())
    rows['annotations'][0]['bbox'][2] = 500
    rows['annotations'][1]['bbox'][3] = .5
    path.write_text(json.dumps(rows))
    name = {row['id']: row['file_name'] for row in rows['images']}[
        rows['annotations'][0]['image_id']]
    warnings = '\n'.join(check_folder(pets, progress=False).warnings)
    assert 'changed: 1 x box clipped to the image (first: annotation ' in warnings
    assert f" of '{name}')" in warnings and 'left out: 1 x box one pixel thin or less' in warnings


def test_a_name_is_not_that_of_another_image(pets):
    path = pets / 'train/_annotations.coco.json'
    rows = json.loads(path.read_text())
    rows['images'][1]['file_name'] = f"sub\\{rows['images'][0]['file_name']}"
    path.write_text(json.dumps(rows))
    error, = check_folder(pets, progress=False).errors
    assert '1 of 12 images are missing' in error and "train/sub/train_0.jpg'" in error


def test_copies_of_one_picture_in_two_splits(pets):
    for split, name in (('train', 'a_jpg.rf.0123abcd.jpg'), ('valid', 'a_jpg.rf.4567cdef.jpg')):
        path = pets / split / '_annotations.coco.json'
        rows = json.loads(path.read_text())
        (pets / split / rows['images'][0]['file_name']).rename(pets / split / name)
        rows['images'][0]['file_name'] = name
        path.write_text(json.dumps(rows))
    found, = check_folder(pets, progress=False).warnings
    assert found.startswith("1 images of val are (nearly) the same as ones of train, such as 'a_jpg"
                            ".rf.4567cdef.jpg'")


def test_exchanged_sides_and_turned_images(pets):
    path = pets / 'train/_annotations.coco.json'
    rows = json.loads(path.read_text())
    rows['images'][0].update(width=64, height=96)
    path.write_text(json.dumps(rows))
    exif = Image.Exif()
    exif[0x112] = 6
    for split, name in (('train', 'train_1'), ('valid', 'valid_0')):
        Image.new('RGB', (96, 64)).save(pets / split / f'{name}.jpg', exif=exif)
    path = pets / 'valid/_annotations.coco.json'
    rows = json.loads(path.read_text())
    rows['images'][0].update(width=64, height=96)  # as the image is shown
    path.write_text(json.dumps(rows))
    found = check_folder(pets, progress=False)
    error, = found.errors
    assert "1 of 12 images have another size" in error
    assert "train_0.jpg' is 96 x 64, annotated as 64 x 96" in error
    turned, = (w for w in found.warnings if 'EXIF' in w)
    assert turned.startswith('train: 1 of 12') and 'train_1.jpg' in turned


def test_images_that_no_split_names(pets):
    Image.new('RGB', (9, 9)).save(pets / 'train/more.png')
    note, = (n for n in check_folder(pets, progress=False).notes if 'in no split' in n)
    assert note.startswith('1 images below ') and "'train/more.png'" in note


def test_captions_are_counted(tmp_path):
    region = dict(bbox=[1, 1, 9, 9], phrase='dog', tokens_positive=[[2, 5]])
    rows = [dict(filename=f'{i}.png', height=20, width=40, grounding=dict(
        caption='a dog', regions=[region] * i)) for i in range(1, 3)]
    (tmp_path / 'train.jsonl').write_text('\n'.join(map(json.dumps, [*rows, 5])))
    Image.new('RGB', (40, 20)).save(tmp_path / '1.png')
    found = check_folder(tmp_path, progress=False)
    assert found.notes[1].endswith(
        "train.jsonl': 2 of 3 captions with 3 boxes of phrases, no classes")
    assert [line.partition("': ")[2] for line in found.warnings] == [
        'left out: 1 x row of line: wrong type (first: line 3)']
    error, = found.errors
    assert error.endswith(f"1 images are missing from '{tmp_path}', such as '2.png'")


def test_images_inside_other_files_are_not_missing(tmp_path):
    data = io.BytesIO()
    Image.new('RGB', (40, 20)).save(data, format='PNG')
    row = dict(image=dict(bytes=data.getvalue(), path=None),
               objects=[dict(bbox=[1, 2, 9, 8], category='dog')])
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / 'train.parquet')
    found = check_folder(tmp_path, progress=False)
    assert not found.errors and 'images of train lie inside other files' in found.notes[-1]


@pytest.mark.parametrize('change, status, said', [
    (None, 0, "contact sheet: '"), ('broken', 1, 'error: train: 1 of 12 images are missing'),
    ('empty', 1, 'holds no annotations in a format')])
def test_tool(pets, tmp_path, monkeypatch, capsys, change, status, said):
    import runpy
    if change == 'broken':
        (pets / 'train/train_1.jpg').unlink()
    elif change == 'empty':
        shutil.rmtree(pets)
        pets.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['check_data.py', str(pets)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools/misc/check_data.py'), run_name='__main__')
    assert end.value.code == status and said in capsys.readouterr().out


def test_tool_takes_the_option_that_it_advises(tmp_path, monkeypatch, capsys):
    import runpy
    row = dict(filename='a.jpg', height=9, width=9, detection=dict(instances=[]))
    (tmp_path / 'a.jsonl').write_text(f'{json.dumps(row)}\n\n{json.dumps(row)}\n')
    for options, status in (([], 1), (['--allow-duplicates'], 0)):
        monkeypatch.setattr(sys, 'argv', ['check_data.py', str(tmp_path / 'a.jsonl'), *options])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools/misc/check_data.py'), run_name='__main__')
        assert end.value.code == status
        assert ('--allow-duplicates' in capsys.readouterr().out) == bool(status)
