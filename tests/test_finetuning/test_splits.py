"""Splits that would give no numbers, or wrong ones."""

import json
import shutil

import pytest

from glip_mm.finetuning import folder_splits


def change(folder, split, edit):
    path = folder / split / '_annotations.coco.json'
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_good_splits_leave_no_doubt(pets):
    assert folder_splits(pets).doubts == ()


@pytest.mark.parametrize('copied', ['valid', 'test'])
def test_images_that_are_learned_from(pets, copied):
    shutil.rmtree(pets / copied)
    shutil.copytree(pets / 'train', pets / copied)
    doubt, = folder_splits(pets).doubts
    # pictures without boxes are not told apart by their names
    assert f"the {copied.replace('valid', 'val')} split" in doubt
    assert 'of the 12 images' in doubt and "such as 'train_0.jpg'" in doubt


def test_one_folder_for_all_splits(pets):
    for split in ('valid', 'test'):
        shutil.rmtree(pets / split)
    (pets / 'val.json').write_text((pets / 'train/_annotations.coco.json').read_text())
    shutil.copytree(pets / 'train', pets / 'images')
    (pets / 'images/_annotations.coco.json').rename(pets / 'train.json')
    shutil.rmtree(pets / 'train')
    doubts = folder_splits(pets).doubts
    assert 'has no test split' in doubts[0] and '12 of the 12 images' in doubts[1]
    assert len(doubts) == 2


def test_a_class_that_a_split_does_not_show(pets):
    def without_dogs(content):
        content['annotations'] = [a for a in content['annotations'] if a['category_id'] == 1]
    change(pets, 'train', without_dogs)
    change(pets, 'test', without_dogs)
    learned, measured = folder_splits(pets).doubts
    assert "classes ['dog']: they are not learned" in learned
    assert 'the test split' in measured and 'left out of its mean' in measured


def test_boxes_that_do_not_count(pets):
    change(pets, 'test', lambda c: [a.update(iscrowd=1) for a in c['annotations']])
    with pytest.raises(ValueError, match='test split .* annotations are all marked iscrowd'):
        folder_splits(pets)


@pytest.mark.parametrize('found', [lambda i: f'c{i}', lambda i: i + 10, lambda i: None])
def test_boxes_of_categories_that_are_not_listed_are_not_said_to_be_missing(pets, found):
    change(pets, 'train', lambda c: [a.update(category_id=found(a['category_id']))
                                     for a in c['annotations']])
    with pytest.raises(ValueError, match='16 annotations .*(?s:.*)category that is not') as error:
        folder_splits(pets)
    assert 'annotate it' not in str(error.value)


def test_classes_of_one_name(pets):
    for split in ('train', 'valid', 'test'):
        change(pets, split, lambda c: c['categories'][2].update(name='cat'))
    with pytest.raises(ValueError, match=r"several categories called \['cat'\]"):
        folder_splits(pets)
