"""Every pre-training config reads its data and trains, with only paths and sizes changed."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

import glip_mm.datasets  # noqa: F401
import glip_mm.engine  # noqa: F401
import glip_mm.models  # noqa: F401
from glip_mm.apis.launch import build_runner
from tests.test_models.nano import write_tiny_bert

from .test_pretraining_facts import PRESETS, ROOT

LABELS = {'0': 'dog', '1': 'cat', '2': 'bow_(tie)'}
CAPTION, BOX, STEPS = 'a cat on a mat', [4., 5., 40., 44.], 2
SIZES = [(64, 48), (48, 64), (64, 48), (64, 48)]


def picture(index):
    stream = io.BytesIO()
    pixels = np.random.default_rng(index).integers(0, 255, (*SIZES[index][::-1], 3), np.uint8)
    Image.fromarray(pixels).save(stream, 'jpeg')
    return stream.getvalue()


def rows(grounding):
    for i, (width, height) in enumerate(SIZES):
        row = dict(filename=f'{i}.jpg', height=height, width=width)
        if grounding:
            row['grounding'] = dict(caption=CAPTION, regions=[
                dict(bbox=BOX, phrase='a cat', tokens_positive=[[0, 5]], score=0.9)])
        else:
            row['detection'] = dict(instances=[dict(bbox=BOX, label=1, category='cat')])
        yield row


def mdetr():
    images, annotations = [], []
    for row in rows(True):
        images.append(dict(id=len(images), file_name=row['filename'], caption=CAPTION,
                           width=row['width'], height=row['height']))
        x1, y1, x2, y2 = BOX
        annotations.append(dict(
            id=len(annotations), image_id=images[-1]['id'], category_id=1, iscrowd=0,
            bbox=[x1, y1, x2 - x1, y2 - y1], area=1., tokens_positive=[[0, 5]]))
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='object')])


def write_shard(path):
    """One shard as img2dataset writes it, with a record of the pseudo boxes in its JSON."""
    with tarfile.open(path, 'w') as shard:
        for i, row in enumerate(rows(True)):
            key = f'{i:09d}'
            members = dict(jpg=picture(i), txt=CAPTION.encode(), json=json.dumps(
                dict(row, key=key, caption=CAPTION, status='success')).encode())
            for suffix, content in members.items():
                info = tarfile.TarInfo(f'{key}.{suffix}')
                info.size = len(content)
                shard.addfile(info, io.BytesIO(content))


def write_data(dataset, folder):
    """Put a few samples where a data set's config looks for them, below another root."""
    root = folder / dataset.data_root
    dataset.data_root = str(root) + '/'
    images = root / dataset.get('data_prefix', dict(img='')).get('img', '')
    images.mkdir(parents=True, exist_ok=True)
    for i in range(len(SIZES)):
        (images / f'{i}.jpg').write_bytes(picture(i))
    kind = dataset.get('format', 'odvg')
    if kind == 'tar':
        dataset.ann_file = '00000.tar'
    annotations = root / dataset.ann_file
    annotations.parent.mkdir(parents=True, exist_ok=True)
    if kind == 'tar':
        write_shard(annotations)
    elif kind == 'mdetr':
        annotations.write_text(json.dumps(mdetr()))
    else:
        grounding = 'label_map_file' not in dataset
        annotations.write_text(''.join(json.dumps(row) + '\n' for row in rows(grounding)))
        if not grounding:
            (root / dataset.label_map_file).write_text(json.dumps(LABELS))


def shrink(model, bert):
    """The same parts at a size that a CPU trains in seconds."""
    channels = 32
    model.backbone.update(embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4],
                          window_size=4, init_cfg=None)
    model.neck.update(in_channels=[48, 96, 192], out_channels=channels)
    model.language_model.update(name=bert, pretrained=False)
    model.fusion_neck.update(in_channels=channels, num_layers=2, embed_dim=32, num_heads=4)
    model.bbox_head.update(in_channels=channels)


def tiny(name, folder):
    config = Config.fromfile(ROOT / f'glip/{name}.py')
    for dataset in config.train_dataloader.dataset.datasets:
        write_data(dataset, folder)
    shrink(config.model, write_tiny_bert(folder / 'bert'))
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    config.test_dataloader = config.test_cfg = config.test_evaluator = None
    config.default_hooks.checkpoint.pop('save_best', None)
    config.default_hooks.checkpoint.pop('rule', None)
    config.default_hooks.checkpoint.update(by_epoch=False, interval=STEPS)
    config.default_hooks.logger.interval = 1
    config.train_cfg.pop('val_interval', None)
    config.auto_scale_lr.enable = True
    config.work_dir, config.launcher = str(folder / 'out'), 'none'
    config.randomness = dict(seed=0)
    return config


class Stop(Exception):
    """Enough steps."""


@pytest.mark.parametrize('name', PRESETS)
def test_builds_its_loader_and_trains(name, tmp_path):
    Runner._instances = {}
    config = tiny(name, tmp_path)
    runner = build_runner(config)
    losses, rates = [], []
    original = runner.call_hook

    def watch(hook, **arguments):
        original(hook, **arguments)
        if hook == 'after_train_iter':
            losses.append(arguments['outputs']['loss'])
            rates.append(runner.optim_wrapper.get_lr()['lr'][0])
            if len(losses) == STEPS:
                raise Stop
    runner.call_hook = watch
    with pytest.raises(Stop):
        runner.train()
    assert torch.stack(losses).isfinite().all()
    stream = runner.train_dataloader.dataset
    copies = config.train_dataloader.dataset.get('copies') or [1] * len(PRESETS[name][0])
    assert len(stream) == len(SIZES) * sum(copies)
    # --auto-scale-lr, then the first steps of the warm-up
    assert rates == pytest.approx([1e-4 * 2 / 64 * (0.001 + 0.999 * step / 2000)
                                   for step in (1, 2)])
    saved = torch.load(next(Path(config.work_dir).glob(f'iter_{STEPS}.pth')), weights_only=False)
    averaged = 'swin-l' not in name
    assert ('ema_state_dict' in saved) == averaged
