"""Images that choose the checkpoint of a few-shot run."""

import argparse
import json

import pytest

from glip_mm.finetuning import folder_splits
from glip_mm.finetuning.few_shot import greedy_shots
from glip_mm.finetuning.run import prepare
from glip_mm.finetuning.val_shots import with_val_shots
from glip_mm_cli.training_options import add_training_options


def images(path):
    return [image['id'] for image in json.loads(path.read_text())['images']]


def chosen(splits, tmp_path, kind=None, shots=1, published=False, seed=3):
    return with_val_shots(splits, kind, shots, seed, tmp_path / 'out', published)


def write_prepared(splits, name, ids=(1, ), seed=3):
    content = json.loads(splits.val.ann_file.read_text())
    path = splits.val.ann_file.parent / f'fewshot_{name}_shot1_seed{seed}.json'
    path.write_text(json.dumps(dict(
        content, images=[i for i in content['images'] if i['id'] in ids],
        annotations=[a for a in content['annotations'] if a['image_id'] in ids])))
    return path


def test_a_folder_takes_all_of_val_or_a_few_by_the_rule_of_the_training(pets, tmp_path):
    splits = folder_splits(pets)
    assert chosen(splits, tmp_path) == (splits, 'full')
    assert chosen(splits, tmp_path, shots=None) == chosen(splits, tmp_path, shots=0)
    few, kind = chosen(splits, tmp_path, 'few')
    whole = json.loads(splits.val.ann_file.read_text())
    assert kind == 'few' and images(few.val.ann_file) == greedy_shots(whole, 1, 3)
    assert few.val.images == splits.val.images and few.val.ann_file.parent == tmp_path / 'out'
    assert (few.train, few.test) == (splits.train, splits.test)
    with pytest.raises(ValueError, match='--val few of .*9 shots are more than there are.* full'):
        chosen(splits, tmp_path, 'few', shots=9)


@pytest.mark.parametrize('name', ['val', 'minival'])
def test_published_subsets_are_taken_where_they_are(pets, tmp_path, name):
    splits = folder_splits(pets)
    path = write_prepared(splits, name)
    few, kind = chosen(splits, tmp_path, published=True)
    assert (few.val.ann_file, kind) == (path, 'few') and few.test == splits.test
    assert chosen(splits, tmp_path, 'full', published=True) == (splits, 'full')
    assert chosen(splits, tmp_path, published=True, seed=30) == (splits, 'full')
    assert chosen(splits, tmp_path) == (splits, 'full')  # a folder of one's own


def test_seeds_are_not_compared_on_images_of_two_kinds(pets, tiny, tmp_path, monkeypatch):
    row = dict(name='Pets', root='pets', classes=['cat', 'dog'], evaluated='val', splits={
        s: [f'{d}/_annotations.coco.json', d]
        for s, d in dict(train='train', val='valid', test='test').items()})
    (tmp_path / 'sets.json').write_text(json.dumps(dict(odinw=[row])))
    parser = argparse.ArgumentParser()
    add_training_options(parser)
    args = parser.parse_args(['--checkpoint', tiny[1], '--config', tiny[0], '--shots', '1',
                              '--sets', str(tmp_path / 'sets.json'), '--odinw-root', str(tmp_path)])
    vars(args).update(data='odinw:Pets', train_file=None, val_fraction=None, prompts=None,
                      retention=())
    write_prepared(folder_splits(pets), 'val')
    with pytest.raises(ValueError, match=r'for the seeds \[3\], and none for \[30\]: say --val'):
        prepare(args, tmp_path / 'run', [3, 30], [], 'as a test')
    configs, splits = prepare(args, tmp_path / 'b', [3], [], 'as a test')
    assert args.val == 'few' and 'fewshot_val_shot1_seed3.json' in configs[3].read_text()
    assert splits.val.ann_file.name == 'fewshot_val_shot1_seed3.json'
