"""Splits of folders: layouts, division, and what is wrong with them."""

import json
import shutil

import pytest

from glip_mm.finetuning import folder_splits, odinw_rows, odinw_splits
from glip_mm.finetuning.data import with_shots
from glip_mm.finetuning.odinw import prepared_file

from .conftest import write_split


def test_exported_folder(pets):
    splits = folder_splits(pets)
    assert splits.name == 'pets' and splits.classes == ('cat', 'dog')
    assert [s.ann_file.parent.name for s in (splits.train, splits.val, splits.test)] == [
        'train', 'valid', 'test']
    assert (splits.val.images / 'valid_0.jpg').is_file()


def test_annotations_beside_images(pets, tmp_path):
    folder = tmp_path / 'flat'
    (folder / 'annotations').mkdir(parents=True)
    for split in ('train', 'valid', 'test'):
        shutil.copytree(pets / split, folder / 'images', dirs_exist_ok=True)
        shutil.move(folder / 'images/_annotations.coco.json',
                    folder / f'annotations/{split.replace("valid", "val")}.json')
    splits = folder_splits(folder)
    assert splits.test.images == folder / 'images'
    assert splits.val.ann_file == folder / 'annotations/val.json'


def test_a_share_of_the_training_images(pets, tmp_path):
    shutil.rmtree(pets / 'valid')
    with pytest.raises(ValueError, match='no val split.*--val-fraction'):
        folder_splits(pets)
    splits = folder_splits(pets, 0.25, 3, tmp_path / 'out')
    ids = [{i['id'] for i in json.loads(s.ann_file.read_text())['images']}
           for s in (splits.train, splits.val)]
    assert (len(ids[0]), len(ids[1])) == (9, 3) and not ids[0] & ids[1]
    assert splits.test.ann_file == pets / 'test/_annotations.coco.json'
    assert folder_splits(pets, 0.25, 3, tmp_path / 'again').val.ann_file.read_text() == (
        splits.val.ann_file.read_text())
    with pytest.raises(ValueError, match='0.01 of 12 images .* leaves 0 for val'):
        folder_splits(pets, 0.01, 3, tmp_path / 'out')
    for share in (0, 1, 20, -0.5):
        with pytest.raises(ValueError, match=f'--val-fraction {share} must be above 0'):
            folder_splits(pets, share, 3, tmp_path / 'out')
    # another division does not take the place of the first
    assert folder_splits(pets, 0.5, 3, tmp_path / 'out').val.ann_file != splits.val.ann_file
    assert splits.val.ann_file.is_file()


def test_an_undivided_folder(pets, tmp_path):
    splits = folder_splits(pets / 'train', 0.25, 0, tmp_path / 'out')
    assert splits.val == splits.test and splits.train.images == pets / 'train'


def test_a_test_split_that_was_never_annotated(pets):
    rows = json.loads((pets / 'test/_annotations.coco.json').read_text())
    del rows['annotations']
    (pets / 'test/_annotations.coco.json').write_text(json.dumps(rows))
    splits = folder_splits(pets)
    assert splits.test == splits.val
    assert "_annotations.coco.json' has no annotations: tested on val" in splits.doubts[0]


@pytest.mark.parametrize('change, message', [
    (lambda f: shutil.rmtree(f), 'is not a folder'),
    (lambda f: shutil.rmtree(f / 'train'), "it has no train split, only 'val', 'test'"),
    (lambda f: shutil.move(f, f.parent / 'x') and shutil.move(f.parent / 'x', f / 'x'),
     r"holds data sets in the folders \['x'\]"),
    (lambda f: (f / 'train/_annotations.coco.json').write_text('{'), 'not valid JSON'),
    (lambda f: edit(f, 'train', categories=[]), "has no 'categories'"),
    (lambda f: edit(f, 'valid', annotations=[]), "the val split .* has no boxes"),
    (lambda f: edit(f, 'test', categories=[dict(id=1, name='cat'), dict(id=2, name='bird')]),
     'all splits must have the same categories'),
])
def test_what_is_wrong(pets, change, message):
    change(pets)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        folder_splits(pets)


def edit(folder, split, **changes):
    path = folder / split / '_annotations.coco.json'
    path.write_text(json.dumps(dict(json.loads(path.read_text()), **changes)))


def test_a_val_split_and_a_share(pets):
    with pytest.raises(ValueError, match='has a val split'):
        folder_splits(pets, 0.5)


def test_odinw(tmp_path):
    rows = [dict(name='Pets', root='pets/v1', classes=['kitten', 'puppy'], in_13=True,
                 evaluated='val', prompt=[None, dict(suffix=' that barks')],
                 splits={s: [f'{d}/_annotations.coco.json', d] for s, d in
                         dict(train='train', val='valid', test='test').items()})]
    (tmp_path / 'sets.json').write_text(json.dumps(dict(odinw=rows)))
    found = odinw_rows(tmp_path / 'sets.json', '13')
    with pytest.raises(FileNotFoundError, match='odinw:Pets is missing'):
        odinw_splits('pets', found, tmp_path)
    for split in ('train', 'valid', 'test'):
        write_split(tmp_path / 'pets/v1' / split, 4, 0, split)
    splits = odinw_splits('pets', found, tmp_path)
    assert splits.classes == ('kitten', 'puppy') and splits.test == splits.val
    assert splits.caption_prompt == dict(puppy=dict(suffix=' that barks'))
    assert odinw_splits('Pets', found, tmp_path, 'test').test.images.name == 'test'
    with pytest.raises(ValueError, match=r"'odinw:Cars' is none of \['Pets'\]"):
        odinw_splits('Cars', found, tmp_path)
    # the leaderboard's own subset is taken as it is
    assert prepared_file(splits.train, 3, 30) is None
    path = tmp_path / 'pets/v1/train/fewshot_train_shot3_seed30.json'
    shutil.copy(splits.train.ann_file, path)
    assert prepared_file(splits.train, 3, 30) == path
    few = with_shots(splits, 3, 30, tmp_path, path)
    assert few.train.ann_file == path and few.train.images == splits.train.images


def test_copies_of_one_picture_stay_in_one_split(pets, tmp_path):
    path = pets / 'train/_annotations.coco.json'
    rows = json.loads(path.read_text())
    for i, image in enumerate(rows['images']):  # three augmented copies of each of four pictures
        name = f'p{i // 3}_jpg.rf.{i:08x}.jpg'
        (pets / 'train' / image['file_name']).rename(pets / 'train' / name)
        image['file_name'] = name
    path.write_text(json.dumps(rows))
    splits = folder_splits(pets / 'train', 0.25, 0, tmp_path / 'out')
    names = [{i['file_name'][:2] for i in json.loads(s.ann_file.read_text())['images']}
             for s in (splits.train, splits.val)]
    assert len(names[1]) == 1 and names[0] | names[1] == {'p0', 'p1', 'p2', 'p3'}
    assert not names[0] & names[1]
