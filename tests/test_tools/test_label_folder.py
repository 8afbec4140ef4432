"""From a folder of photos and names to a data set, which is corrected, trained on, and used."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from glip_mm.datasets.formats import open_folder
from glip_mm.visualization import save_image
from tests import forked

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def model(tiny, tmp_path_factory):
    """Config and checkpoint of a model that finds something everywhere."""
    path = tmp_path_factory.mktemp('model') / 'nano.pth'
    state = torch.load(tiny[1])['state_dict']
    generator = torch.Generator().manual_seed(0)
    weight = state['bbox_head.text_projection.weight']
    state['bbox_head.text_projection.weight'] = 3 * torch.randn(weight.shape, generator=generator)
    torch.save(dict(state_dict=state, meta={}), path)
    return tiny[0], str(path)


@pytest.fixture
def photos(tmp_path):
    """Eight photos, one of them broken, and what else lies there."""
    for i in range(8):
        rng = np.random.default_rng(i)
        picture = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
        save_image(tmp_path / 'photos' / ('kitchen' if i % 2 else '') / f'{i}.png', picture)
    (tmp_path / 'photos/kitchen/7.png').write_bytes(b'broken')
    (tmp_path / 'photos/kitchen/5.txt').write_bytes(b'\xff')
    return tmp_path / 'photos'


def call(tool, *words, cwd):
    done = forked.run(ROOT / tool, *words, cwd=cwd, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def read(path):
    return json.loads(path.read_text(encoding='utf-8'))


def test_one_command_and_the_way_round(photos, model, tmp_path):
    words = ['photos/', '--classes', 'cup', 'Coffee maker', '--negatives', 'glass', '--threshold',
             0.05, '--device', 'cpu', '--shard-size', 5]
    said = call('tools/pseudo_label.py', *words, '--model', model[0], '--weights', model[1],
                '--thresholds', 'cup=0.9', '--to', 'coco', '--val', 0.25, '--review',
                '--out', 'set', cwd=tmp_path)
    rows = [json.loads(line) for path in sorted((tmp_path / 'set_labels/labels').glob('*.jsonl'))
            for line in path.read_text().splitlines()]
    boxes = [one for row in rows for one in row['detection']['instances']]
    assert sorted(row['filename'] for row in rows) == [
        '0.png', '2.png', '4.png', '6.png', 'kitchen/1.png', 'kitchen/3.png', 'kitchen/5.png']
    # a class whose threshold nothing passes is still one
    assert {(one['label'], one['category']) for one in boxes} == {(1, 'Coffee maker')}
    assert read(tmp_path / 'set_labels/label_map.json') == {'0': 'cup', '1': 'Coffee maker'}
    assert read(tmp_path / 'set_labels/rejects.jsonl')['cause'] == 'broken image'
    assert [line for line in said.splitlines() if ' - mmengine - ' not in line] == [
        f'7 images, {len(boxes)} boxes; 0 images without a box; 1 rejected, see '
        "'set_labels/rejects.jsonl'", '  cup           0', f'  Coffee maker  {len(boxes)}',
        "coco data set, 5 train, 2 val: 'set'", "labels with scores: 'set_labels'",
        "page to look at them: 'set_labels/review/index.html'", 'next: glip-mm check set',
        f'      glip-mm finetune --data set --checkpoint {model[1]} --config {model[0]}']
    opened = open_folder(tmp_path / 'set')
    assert {split: (len(opened.content(split)['images']), opened.classes(split))
            for split in opened.splits} == {'train': (5, ('cup', 'Coffee maker')),
                                            'val': (2, ('cup', 'Coffee maker'))}

    # a labelling tool writes the file again: no scores, what else it knows, other boxes
    for split in ('train', 'val'):
        path = tmp_path / f'set/annotations/instances_{split}.json'
        content = read(path)
        first = content['annotations'][0]
        first.update(category_id=1, bbox=[4.5, 6, 30, 40.25])
        content['annotations'] = [
            {**{key: one[key] for key in one if key != 'score'},
             'attributes': {'occluded': False, 'rotation': 0.0}}
            for one in content['annotations'] if one is first or one['image_id'] != 1]
        path.write_text(json.dumps(content))
    assert "cup" in call('tools/misc/check_data.py', 'set', cwd=tmp_path)
    call('tools/finetune.py', '--data', 'set', '--checkpoint', model[1], '--config', model[0],
         '--epochs', 1, '--work-dir', 'tuned', '--workers', 0, '--no-report', cwd=tmp_path)
    tuned, = tmp_path.glob('tuned/seed3/train/best_*.pth')
    # as labels of captions are asked for: config and weights first
    said = call('tools/pseudo_label.py', model[0], tuned, '--data', *words, '--out', 'again',
                cwd=tmp_path)
    assert '\n7 images, ' in said and "labels with scores: 'again'" in said
    assert read(tmp_path / 'again/settings.json')['weights'] != read(
        tmp_path / 'set_labels/settings.json')['weights']


def test_what_is_asked_is_checked(photos, model, tmp_path):
    (tmp_path / 'names.txt').write_text('cup\n\ncoffee maker\n')
    (tmp_path / 'prompts.json').write_text('{"cup": {"prefix": "small "}}')
    (tmp_path / 'thresholds.json').write_text(
        '{"default": 0.05, "thresholds": {"cup": 0.1, "coffee maker": 0.9}}')
    words = [ROOT / 'tools/pseudo_label.py', '--out', 'set', '--device', 'cpu', '--data', 'photos',
             *model, '--classes-file', 'names.txt', '--threshold', 0.05]

    def run(*more):
        return forked.run(*words, *more, cwd=tmp_path)
    done = run('--prompts', 'prompts.json', '--thresholds', 'thresholds.json')
    assert done.returncode == 0, done.stderr[-3000:]
    settings = read(tmp_path / 'set/settings.json')
    assert settings['prompt'] == 'small cup. coffee maker'
    assert settings['thresholds'] == {'cup': 0.1, 'coffee maker': 0.9}
    for more, message in (([], "prompt: 'small cup. coffee maker' before, 'cup. coffee maker' now"),
                          (['--thresholds', 'mug=0.5'], "a threshold of 'mug', which is none of"),
                          (['--thresholds', 'cup=high'], "'cup=high' is no threshold"),
                          (['--negatives', 'cup'], "'cup' comes twice among classes and")):
        done = run(*more)
        assert done.returncode == 1 and message in done.stderr, done.stderr[-3000:]
        assert 'Traceback' not in done.stderr
        if more:  # before anything is written
            assert message in run(*more, '--out', 'new').stderr
            assert not (tmp_path / 'new').exists()
