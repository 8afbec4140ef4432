"""A folder of 20 pictures in three splits, and a tiny model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from glip_mm.apis.building import build_model
from glip_mm.visualization import save_image
from tests.test_apis.conftest import make_config
from tests.test_models.nano import write_tiny_bert

COLOURS = dict(cat=(200, 40, 40), dog=(40, 60, 210))


def write_split(folder: Path, count: int, seed: int, split: str = 'train',
                boxes: bool = True) -> None:
    """``count`` pictures, each with a coloured square or two, as RoboFlow exports them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for i in range(count):
        picture = rng.integers(100, 130, (64, 96, 3), dtype=np.uint8)
        for k, colour in enumerate(COLOURS.values(), 1):
            if boxes and (i + k) % 3:
                x, y = int(rng.integers(0, 60)), int(rng.integers(0, 36))
                picture[y:y + 24, x:x + 28] = colour
                annotations.append(dict(id=len(annotations) + 1, image_id=i, category_id=k,
                                        bbox=[x, y, 28, 24], area=28 * 24, iscrowd=0))
        save_image(folder / f'{split}_{i}.jpg', picture)
        images.append(dict(id=i, file_name=f'{split}_{i}.jpg', width=96, height=64))
    categories = [dict(id=0, name='pets', supercategory='none')]
    categories += [dict(id=k, name=n, supercategory='pets') for k, n in enumerate(COLOURS, 1)]
    (folder / '_annotations.coco.json').write_text(json.dumps(dict(
        images=images, annotations=annotations, categories=categories)))


@pytest.fixture
def pets(tmp_path) -> Path:
    """12 + 4 + 4 pictures."""
    for seed, (split, count) in enumerate(dict(train=12, valid=4, test=4).items()):
        write_split(tmp_path / 'pets' / split, count, seed, split)
    return tmp_path / 'pets'


@pytest.fixture(scope='session')
def tiny(tmp_path_factory) -> tuple[str, str]:
    """Paths of a config and of a checkpoint."""
    folder = tmp_path_factory.mktemp('tiny')
    config: Config = make_config(write_tiny_bert(folder / 'bert'))
    config.default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=7))
    (folder / 'tiny.py').write_text(config.pretty_text)
    torch.manual_seed(0)
    model = build_model(config)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'tiny.pth')
    return str(folder / 'tiny.py'), str(folder / 'tiny.pth')
