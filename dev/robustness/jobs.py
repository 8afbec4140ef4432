"""Nano-sized jobs as a user starts them, and the inputs that they share."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config

from dev.scripts import Word
from glip_mm.apis.building import build_model
from glip_mm.datasets.grounding_world import SelfTrainingOptions, WorldOptions, write_world
from glip_mm.text.language_model_files import ASSETS
from glip_mm.visualization import save_image

ROOT = Path(__file__).parents[2]
#: The quickstart at a size of seconds: checkpoints in the middle of epochs, averaged weights,
#: a loader with a worker; whatever scores anything is a detection.
CONFIG = """_base_ = {base!r}
model = dict(
    backbone=dict(base_channels=4, stem_channels=4),
    neck=dict(in_channels=[8, 16], out_channels=32),
    language_model=dict(name={bert!r}, depth=1, pretrained=False, cache_tokens=4096),
    fusion_neck=dict(in_channels=32, embed_dim=16, num_heads=2, text_layer=dict(
        intermediate_dim=16)),
    bbox_head=dict(in_channels=32),
    test_cfg=dict(score_thr=0., nms_pre=20, max_per_img=5))
max_epochs = 2
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
train_dataloader = dict(
    batch_size=2, num_workers=1, persistent_workers=True, dataset=dict(copies=[1, 1]))
val_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
test_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
test_cfg = dict(save_every=2)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(
        by_epoch=False, interval=3, max_keep_ckpts=1, rule='greater',
        save_best='grounding/phrases/Recall@1'))
custom_hooks = [
    dict(type=name) for name in ('PreflightHook', 'FirstEvaluationHook', 'StepSeedHook',
                                 'NonFiniteHook', 'AveragedWeightsHook', 'TrainingCostHook')]
"""
#: Program that opens data sets of three formats: their indices are written into a folder.
INDEX = """import sys
from glip_mm.datasets import GroundingDataset
from glip_mm_cli.ending import end_clearly
end_clearly()
for kind, file in dict(odvg='grounding_world/annotations/train_grounding.jsonl',
                       coco='squares/train/_annotations.coco.json',
                       tsv='bundle/bundle.yaml').items():
    data = GroundingDataset(f'data/{file}', format=kind, index_dir=f'{sys.argv[1]}/{kind}')
    assert len(data), kind
"""


class Job(NamedTuple):
    """A command line that goes on where it was interrupted.

    Attributes:
        words: Function that returns the command that writes into a folder, from the folder of the
            inputs.
        loses: What a kill costs at most.
    """

    words: Callable[[Path], list[Word]]
    loses: str


def _tool(name: str, *words: Word) -> list[Word]:
    return [ROOT / 'tools' / name, *words]


JOBS = dict(
    train=Job(lambda out: _tool('train.py', 'nano.py', '--work-dir', out, '--resume', 'auto'),
              'steps since the last checkpoint'),
    test=Job(lambda out: _tool('test.py', 'nano.py', 'start.pth', '--work-dir', out),
             'a part of the predictions'),
    label=Job(lambda out: _tool(
        'pseudo_label.py', 'nano.py', 'start.pth', '--data',
        'data/self_training_world/annotations/pool.jsonl', '--images',
        'data/self_training_world/images', '--out', out, '--threshold', 0, '--top-k', 2,
        '--shard-size', 3, '--batch-size', 2, '--workers', 1, '--parser', 'textblob', '--device',
        'cpu'), 'a shard'),
    convert=Job(lambda out: _tool(
        'dataset_converters/tsv2odvg.py', 'data/bundle/bundle.yaml', '-o', out / 'rows.jsonl',
        '--label-map', out / 'map.json', '--write-images', out / 'images'),
        'the file of rows; images stay'),
    finetune=Job(lambda out: _tool(
        'finetune.py', '--data', 'data/squares', '--config', 'nano.py', '--checkpoint',
        'start.pth', '--work-dir', out, '--shots', 2, '--epochs', 2, '--batch-size', 2, '--seeds',
        3, '--workers', 0, '--no-report'), 'an epoch, or a part of the predictions'),
    index=Job(lambda out: ['-c', INDEX, out], 'the file that is being written'))


def write_inputs(folder: Path, images: int = 8) -> None:
    """Write data, config and weights of all jobs; the same bytes each time.

    Args:
        folder: Folder to write to.
        images: Number of training images with boxes, and of those with captions.
    """
    data = folder / 'data'
    write_world(str(data / 'grounding_world'), WorldOptions(
        detection=images, grounding=images, val=2, test=4, long_tail=1, side=64), 1)
    write_world(str(data / 'self_training_world'), SelfTrainingOptions(
        gold=1, pool=12, val=1, test=1, side=64), 1)
    for seed, (split, count) in enumerate(dict(train=8, valid=4, test=4).items()):
        write_squares(data / 'squares' / split, count, seed)
    write_bundle(data / 'squares/train', data / 'bundle')
    write_bert(folder / 'bert')
    (folder / 'nano.py').write_text(CONFIG.format(
        base=str(ROOT / 'configs/quickstart/glip_nano_grounding-world.py'),
        bert=str(folder / 'bert')))
    torch.manual_seed(0)
    model = build_model(Config.fromfile(folder / 'nano.py'))
    # apart from each other, so that rounding would show
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=1.)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'start.pth')


def write_bert(folder: Path) -> None:
    """Write the configuration of a small BERT, and the standard vocabulary."""
    shutil.copytree(ASSETS / 'bert-base-uncased', folder)
    config = json.loads((folder / 'config.json').read_text())
    config |= dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                   intermediate_size=16)
    (folder / 'config.json').write_text(json.dumps(config))


def write_squares(folder: Path, count: int, seed: int) -> None:
    """Write a split in COCO's format: squares of two colours."""
    rng = np.random.default_rng(seed)
    colours = dict(red=(200, 40, 40), blue=(40, 60, 210))
    images: list[dict] = []
    annotations: list[dict] = []
    for i in range(count):
        picture = rng.integers(100, 130, (64, 96, 3), dtype=np.uint8)
        for k, colour in enumerate(colours.values(), 1):
            x, y = int(rng.integers(48 * (k - 1), 48 * k - 27)), int(rng.integers(0, 36))
            picture[y:y + 24, x:x + 28] = colour
            annotations.append(dict(id=len(annotations) + 1, image_id=i, category_id=k,
                                    bbox=[x, y, 28, 24], area=28 * 24, iscrowd=0))
        save_image(folder / f'{i}.jpg', picture)
        images.append(dict(id=i, file_name=f'{i}.jpg', width=96, height=64))
    (folder / '_annotations.coco.json').write_text(json.dumps(dict(
        images=images, annotations=annotations,
        categories=[dict(id=k, name=f'{name} square') for k, name in enumerate(colours, 1)])))


def write_bundle(split: Path, out: Path) -> None:
    """Write a split as a TSV bundle."""
    content = json.loads((split / '_annotations.coco.json').read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    rows: dict[str, list[str]] = dict(label=[], hw=[], img=[])
    for image in content['images']:
        boxes = [dict(rect=[x, y, x + w - 1, y + h - 1], **{'class': names[a['category_id']]})
                 for a in content['annotations'] if a['image_id'] == image['id']
                 for x, y, w, h in [a['bbox']]]
        pixels = base64.b64encode((split / image['file_name']).read_bytes()).decode()
        for name, cell in (('label', json.dumps(boxes)), ('img', pixels),
                           ('hw', f"{image['height']} {image['width']}")):
            rows[name].append(f"{image['id']}\t{cell}\n")
    out.mkdir(parents=True)
    for name, lines in rows.items():
        starts = np.cumsum([0, *map(len, lines)])[:-1]
        (out / f'{name}.tsv').write_text(''.join(lines))
        (out / f'{name}.lineidx').write_text(''.join(f'{start}\n' for start in starts))
    (out / 'map.json').write_text(json.dumps(dict(label_to_idx={n: k for k, n in names.items()})))
    (out / 'bundle.yaml').write_text('img: img.tsv\nlabel: label.tsv\nhw: hw.tsv\n'
                                     'labelmap: map.json\n')
